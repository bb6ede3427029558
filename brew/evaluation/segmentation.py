"""Segmentation: train on one part for a fixed length, test once, keep counts per test sample.

    task = SegmentationTask(AtTime(ArrayReader(store, "multispectral")), "sentinel2", labels, classes, split)
    maps = freeze(backbone, task, orientations=4)
    result = evaluate(maps, task, SegmentationSettings(), seed=0)
    iou_macro(result.counts.sum(0))
    finetune(backbone, task, SegmentationSettings(fit=FitSettings(finetune=1e-4)), seed=0)   # trunk and decoder

Left out: test-time augmentation.
"""

from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float32, Int64, Integer, UInt8
from torch import Tensor, nn

from brew.errors import BrewError
from brew.evaluation.backbones import Backbone
from brew.evaluation.dense_harness import DenseInputs, Training, choose, decoder_on, student_with_decoder
from brew.evaluation.fit import FitSettings, Inputs, predict
from brew.evaluation.frozen_features import Reader, read_images
from brew.evaluation.metrics import check_labels, confusion, metric
from brew.evaluation.splits import Split


@dataclass(frozen=True)
class SegmentationTask:
    """Images of one sensor, a label per place (on the images' grid or any other), classes and a split.

    ignore: a label value that neither trains nor counts. metric: what validation maximises (`METRICS`).
    Raises BrewError if a label lies outside the classes.
    """

    images: Reader
    sensor: str
    labels: Integer[np.ndarray, "sample y x"]
    classes: tuple[str, ...]
    split: Split
    ignore: int | None = None
    metric: str = "iou_macro"

    def __post_init__(self) -> None:
        used = np.concatenate([self.split.train, self.split.validation, self.split.test])
        if used.max() >= len(self.labels):
            raise BrewError(f"the split names sample {used.max()}, but there are {len(self.labels)} labels")
        labels = self.labels[used]
        if labels.ndim != 3:
            raise BrewError(f"labels of shape {self.labels.shape}; expected (sample, y, x)")
        check_labels(labels if self.ignore is None else labels[labels != self.ignore], len(self.classes), "labels")
        metric(self.metric)

    def read(self, samples: Int64[np.ndarray, " sample"], device: str = "cpu") -> Float32[Tensor, "sample band y x"]:
        """Images in native units."""
        return read_images(self.images, samples, device)

    @property
    def dates(self) -> int:
        return 1

    def maps(self, backbone: Backbone, images: Float32[Tensor, "sample band y x"]) -> list[Tensor]:
        """The backbone's own maps."""
        return backbone.pyramid(images, self.sensor)

    @property
    def uncounted(self) -> int | None:
        """The ignored label if it is no class. An ignored class is counted, and left out by metrics that ignore."""
        return self.ignore if self.ignore is not None and self.ignore >= len(self.classes) else None

    def score(self, counts: Integer[np.ndarray, "sample classes classes"]) -> float:
        """The task's metric over all samples of `counts`."""
        chosen = metric(self.metric)
        return float(chosen(counts.sum(0), self.ignore if chosen.ignores else None))


@dataclass(frozen=True)
class SegmentationSettings:
    """width: the decoder's channels. keep: how many test samples' predictions are returned for figures."""

    width: int = 64
    keep: int = 16
    fit: FitSettings = field(default_factory=FitSettings)


@dataclass(frozen=True)
class SegmentationResult:
    """counts: confusion of each test sample, in the order of `samples`. predictions: of the first of them.

    validation: the score on the validation samples, by which nothing is chosen. linear: a linear probe's confusion, if
    the task has one.
    """

    samples: Int64[np.ndarray, " test"]
    counts: Integer[np.ndarray, "test classes classes"]
    predictions: UInt8[np.ndarray, "kept y x"]
    validation: float
    linear: Integer[np.ndarray, "test classes classes"] | None = None


def evaluate(
    maps: DenseInputs, task: SegmentationTask, settings: SegmentationSettings, seed: int, device: str = "cpu"
) -> SegmentationResult:
    """The frozen trunk's result: a decoder on the maps that `freeze` returned (see `decoder_on`)."""
    return trained_and_tested(decoder_on(maps, task, settings.width, seed, device), task, settings, seed, device)


def finetune(
    backbone: Backbone,
    task: SegmentationTask,
    settings: SegmentationSettings,
    seed: int,
    *,
    orientations: int = 4,
    passes: int = 1,
    device: str = "cpu",
) -> SegmentationResult:
    """As `evaluate`, but a copy of the student is trained with its decoder, at the rate `fit.finetune`.

    passes: over the training samples in an epoch. Raises BrewError for a backbone that is no student.
    """
    training = student_with_decoder(backbone, task, settings.width, seed, orientations, passes, device)
    return trained_and_tested(training, task, settings, seed, device)


def trained_and_tested(
    training: Training, task: SegmentationTask, settings: SegmentationSettings, seed: int, device: str = "cpu"
) -> SegmentationResult:
    """Fit a network, and test it."""

    def score(network: nn.Module, inputs: Inputs) -> float:
        return task.score(_test(network, inputs, task, 0, device)[0])

    choice = choose(training, task, [settings.fit], seed, score, device)
    counts, predictions = _test(choice.network, training.inputs.test, task, settings.keep, device)
    return SegmentationResult(task.split.test, counts, predictions, choice.score)


def _test(
    network: nn.Module, inputs: Inputs, task: SegmentationTask, keep: int, device: str
) -> tuple[np.ndarray, np.ndarray]:
    """Confusion counts of every row of `inputs`, and the first `keep` predictions."""
    counts, kept = [], []
    for rows, logits in predict(network, inputs, task.labels.shape[1:], device=device):
        predicted = logits.argmax(1).to(torch.uint8).cpu().numpy()
        counts.append(confusion(task.labels[inputs.samples[rows]], predicted, len(task.classes), task.uncounted))
        kept.append(predicted[: max(0, keep - int(rows[0]))])
    return np.concatenate(counts), np.concatenate(kept)
