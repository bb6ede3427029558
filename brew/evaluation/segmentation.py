"""Segmentation on a frozen trunk: train the decoder, test its best validation epoch once, keep counts per test sample.

    task = SegmentationTask(AtTime(ArrayReader(store, "multispectral")), "sentinel2", labels, classes, split)
    maps = freeze(backbone, task, orientations=4)            # once per backbone, whatever the seeds
    result = evaluate(maps, task, SegmentationSettings(), seed=0)
    iou_macro(result.counts.sum(0))
    finetune(backbone, task, SegmentationSettings(fit=FitSettings(finetune=1e-4)), seed=0)   # trunk and decoder

Left out: test-time augmentation.
"""

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, Int64, Integer, UInt8
from torch import Tensor, nn

from brew.errors import BrewError
from brew.evaluation.backbones import Backbone
from brew.evaluation.fine_tuning import finetuned
from brew.evaluation.fit import FitSettings, Inputs, build_decoder, fit, passes_over, predict
from brew.evaluation.frozen_features import FrozenMaps, Images, Reader, extract_maps, read_images
from brew.evaluation.metrics import check_labels, confusion, metric
from brew.evaluation.splits import Split


@dataclass(frozen=True)
class SegmentationTask:
    """Images of one sensor, a label per place (on the images' grid or any other), classes and a split.

    ignore: a label value that neither trains nor counts. metric: what validation maximises (`METRICS`).
    Raises BrewError where a label lies outside the classes.
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
    def uncounted(self) -> int | None:
        """The ignored label where it is no class. An ignored class is counted, and left out by metrics that ignore."""
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
class TaskMaps:
    """One backbone's frozen maps of a task's three splits (orientations for training only)."""

    train: FrozenMaps
    validation: FrozenMaps
    test: FrozenMaps


@dataclass(frozen=True)
class SegmentationResult:
    """counts: confusion of each test sample, in the order of `samples`. predictions: of the first of them."""

    samples: Int64[np.ndarray, " test"]
    counts: Integer[np.ndarray, "test classes classes"]
    predictions: UInt8[np.ndarray, "kept y x"]
    epoch: int
    validation: tuple[float, ...]


def freeze(
    backbone: Backbone,
    task: SegmentationTask,
    *,
    orientations: int = 4,
    batch: int = 32,
    device: str = "cpu",
    dtype: torch.dtype = torch.float16,
    folder: Path | None = None,
) -> TaskMaps:
    """The backbone's maps of all three splits (see `features.extract_maps`)."""

    def maps(samples: Int64[np.ndarray, " sample"], orientations: int) -> FrozenMaps:
        return extract_maps(
            lambda images: backbone.pyramid(images, task.sensor),
            lambda chunk: task.read(chunk, device),
            samples,
            orientations=orientations,
            batch=batch,
            dtype=dtype,
            folder=folder,
        )

    return TaskMaps(maps(task.split.train, orientations), maps(task.split.validation, 1), maps(task.split.test, 1))


def evaluate(
    maps: TaskMaps, task: SegmentationTask, settings: SegmentationSettings, seed: int, device: str = "cpu"
) -> SegmentationResult:
    """Train a decoder on the training maps, choose its epoch on validation, test that one.

    The task may train on a part of the maps' samples (low data), with about as many steps as on all of them.
    """
    train = maps.train.of(task.split.train)
    network = build_decoder(train, len(task.classes), settings.width, seed, device)
    passes = passes_over(len(train.samples), len(maps.train.samples))
    return _evaluate(network, train, maps.validation, maps.test, task, settings, seed, device, passes)


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
    read, split = partial(task.read, device=device), task.split
    train = Images(read, split.train, orientations)
    network = finetuned(
        backbone, lambda own, images: own.pyramid(images, task.sensor), train, len(task.classes), settings.width, seed,
        device,
    )  # fmt: skip
    rest = Images(read, split.validation, 1), Images(read, split.test, 1)
    return _evaluate(network, train, *rest, task, settings, seed, device, passes)


def _evaluate(
    network: nn.Module,
    train: Inputs,
    validation: Inputs,
    test: Inputs,
    task: SegmentationTask,
    settings: SegmentationSettings,
    seed: int,
    device: str,
    passes: int,
) -> SegmentationResult:
    best = fit(
        network,
        train,
        torch.from_numpy(task.labels[task.split.train].astype(np.int64)),
        len(task.classes),
        task.ignore,
        settings.fit,
        seed,
        lambda trained: task.score(_test(trained, validation, task, 0, device)[0]),
        device,
        passes,
    )
    counts, predictions = _test(best.network, test, task, settings.keep, device)
    return SegmentationResult(task.split.test, counts, predictions, best.epoch, best.validation)


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
