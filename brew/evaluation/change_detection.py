"""Binary change between two dates, on a frozen trunk and by three references, under one protocol.

Features of the two dates are subtracted, and the absolute differences go through the decoder of the segmentation tasks.
Training has a fixed length. The threshold, and the learning rate of several, are chosen on the validation scenes alone
(F1 of counts pooled over them). Whole test
scenes are predicted from overlapping tiles that fade into each other. Counts are kept per scene: pooled scores, each
scene's, their mean, and any subset (OSCD's saclay_w shares an edge with the training scene saclay_e) come from them.

    maps = freeze(backbone, task, orientations=8)
    result = evaluate_decoder(maps, task, ChangeSettings(), seed=0)
    f1_binary(result.counts.sum(0))
    finetune(backbone, task, settings, seed=0)             # the student and its decoder, trained together
    evaluate_siamese(task, ChangeSettings(), seed=0)       # FC-Siam-diff, supervised, on all bands
    change_vectors(task)                                   # no training: change vector analysis with Otsu's threshold

An image that is no part of a scene is a scene of its own (`ChangeTask.of_images`).
Left out: changes among more than two dates.
"""

from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Float32, Int64, Integer
from torch import Tensor, nn

from brew.data.tiles import Scene, lay, stitch
from brew.errors import BrewError
from brew.evaluation.backbones import Backbone
from brew.evaluation.dense_harness import (
    DenseInputs,
    Training,
    choose,
    decoder_on,
    from_scratch,
    student_with_decoder,
)
from brew.evaluation.fcsiam import FCSiamDiff
from brew.evaluation.fit import FitSettings, Inputs, predict
from brew.evaluation.frozen_features import Reader, read_images
from brew.evaluation.metrics import check_labels, confusion, f1_binary
from brew.evaluation.splits import NAMES, Split
from brew.evaluation.thresholds import Threshold, best_threshold, otsu
from brew.sensors import sensor


@dataclass(frozen=True)
class ChangeTask:
    """Tiles of two dates and where they lie in their scenes.

    images: reader of (sample, 2, band, y, x) in native units. labels: 0 no change, 1 change; on the images' grid or any
    other, which is that of all results.
    scene, row, column, height, width: per tile, the scene's name, the tile's first place among the scene's labels, and
    the scene's size.
    mean, std: per tile, date and band, the statistics of the tile's scene at that date, which standardise it; None
    leaves normalisation to the backbone, by the sensor's statistics.
    Raises BrewError if a label is neither 0 nor 1, a scene lies in two splits, or a deviation is zero.
    """

    images: Reader
    sensor: str
    labels: Integer[np.ndarray, "sample y x"]
    split: Split
    scene: np.ndarray
    row: Integer[np.ndarray, " sample"]
    column: Integer[np.ndarray, " sample"]
    height: Integer[np.ndarray, " sample"]
    width: Integer[np.ndarray, " sample"]
    mean: Float[np.ndarray, "sample 2 band"] | None = None
    std: Float[np.ndarray, "sample 2 band"] | None = None

    def __post_init__(self) -> None:
        bands = len(sensor(self.sensor))
        check_labels(self.labels, 2, "change labels")
        sizes = {len(part) for part in (self.scene, self.row, self.column, self.height, self.width, self.labels)}
        if len(sizes) != 1:
            raise BrewError(f"tile variables of the lengths {sorted(sizes)}; expected one entry per tile in each")
        members = {name: set(np.asarray(self.scene)[getattr(self.split, name)].tolist()) for name in NAMES}
        for one, other in (("train", "validation"), ("train", "test"), ("validation", "test")):
            shared = sorted(members[one] & members[other])
            if shared:
                raise BrewError(
                    f"scene {str(shared[0])!r} is in {one} and in {other}; expected each scene in one split"
                )
        if (self.mean is None) != (self.std is None):
            raise BrewError("one of mean and std is given; expected both or neither")
        if self.mean is not None and self.std is not None:
            expected = (len(self.labels), 2, bands)
            if self.mean.shape != expected or self.std.shape != expected:
                raise BrewError(f"scene statistics of {self.mean.shape} and {self.std.shape}; expected {expected}")
            if not (self.std > 0).all():
                tile, date, band = np.argwhere(~(self.std > 0))[0]
                raise BrewError(
                    f"scene {str(self.scene[tile])!r} has deviation {self.std[tile, date, band]} at date {date} in "
                    f"band {sensor(self.sensor).band_names[band]}; expected a band that varies"
                )

    @classmethod
    def of_images(
        cls, images: Reader, sensor: str, labels: Integer[np.ndarray, "sample y x"], split: Split
    ) -> "ChangeTask":
        """Whole images of two dates: each is a scene of its own, normalised by the sensor's statistics."""
        count, height, width = labels.shape
        zeros = np.zeros(count, dtype=np.int64)
        names = np.array([f"{index:06d}" for index in range(count)])
        return cls(images, sensor, labels, split, names, zeros, zeros, zeros + height, zeros + width)

    @property
    def standardised(self) -> bool:
        return self.mean is not None

    @property
    def classes(self) -> tuple[str, ...]:
        return "no change", "change"

    @property
    def ignore(self) -> int | None:
        return None

    @property
    def dates(self) -> int:
        return 2

    def maps(self, backbone: Backbone, images: Float32[Tensor, "sample 2 band y x"]) -> list[Tensor]:
        """The absolute differences of the two dates' maps."""
        levels = backbone.pyramid(images.flatten(0, 1), self.sensor, standardised=self.standardised)
        return [(level[0::2] - level[1::2]).abs() for level in levels]

    def read(self, samples: Int64[np.ndarray, " sample"], device: str = "cpu") -> Tensor:
        """(sample, 2, band, y, x) float32: standardised by scene if statistics are given, else in native units."""
        images = read_images(self.images, samples, device)
        bands = len(sensor(self.sensor))
        if images.ndim != 5 or tuple(images.shape[1:3]) != (2, bands):
            raise BrewError(f"pairs of shape {tuple(images.shape)}; expected (sample, 2, {bands}, y, x)")
        if self.mean is None or self.std is None:
            return images
        mean, std = (torch.from_numpy(part[samples].astype(np.float32)).to(device) for part in (self.mean, self.std))
        return (images - mean[..., None, None]) / std[..., None, None]

    def scenes(self, samples: Int64[np.ndarray, " sample"]) -> list[Scene]:
        """The scenes of these tiles, by name."""
        names = np.asarray(self.scene)[samples]
        scenes = []
        for name in np.unique(names).tolist():
            tiles = samples[names == name]
            sizes = {(int(self.height[tile]), int(self.width[tile])) for tile in tiles}
            if len(sizes) != 1:
                raise BrewError(f"tiles of scene {name!r} state the sizes {sorted(sizes)}; expected one size")
            scenes.append(Scene(name, *sizes.pop(), tiles, self.row[tiles], self.column[tiles]))
        return scenes


@dataclass(frozen=True)
class ChangeSettings:
    """learning_rates: each is tried, validation chooses. width: the decoder's channels. fit: its other numbers.

    The rare class is met by the class weights or by the dice loss (`FitSettings`).
    """

    learning_rates: tuple[float, ...] = (1e-4, 1e-3)
    width: int = 64
    fit: FitSettings = field(default_factory=lambda: FitSettings(class_weights="balanced"))

    def __post_init__(self) -> None:
        if not self.learning_rates:
            raise BrewError("no learning rate is given; expected at least one in learning_rates")

    def threshold(self, probabilities: Float[np.ndarray, " pixel"], labels: Integer[np.ndarray, " pixel"]) -> Threshold:
        """Where validation cuts."""
        return best_threshold(probabilities, labels)


@dataclass(frozen=True)
class UncutChange(ChangeSettings):
    """The same, with the likelier class of every pixel instead of a threshold that validation chooses."""

    def threshold(self, probabilities: Float[np.ndarray, " pixel"], labels: Integer[np.ndarray, " pixel"]) -> Threshold:
        counts = confusion(labels[None], probabilities[None] >= 0.5, 2)
        return Threshold(0.5, float(f1_binary(counts.sum(0))))


@dataclass(frozen=True)
class ChangeResult:
    """counts: confusion of each test scene, in the order of `scenes`. probabilities: each scene's, for figures.

    What validation chose: learning_rate (0 if nothing is trained), threshold, and its F1 there.
    undecided: of "learning rate" and "threshold", those that validation could not choose. They are then the first and
    one half.
    """

    scenes: tuple[str, ...]
    counts: Integer[np.ndarray, "scene 2 2"]
    probabilities: dict[str, np.ndarray]
    learning_rate: float = 0.0
    threshold: float = 0.0
    validation_f1: float = 0.0
    undecided: tuple[str, ...] = ()


def evaluate_decoder(
    maps: DenseInputs, task: ChangeTask, settings: ChangeSettings, seed: int, device: str = "cpu"
) -> ChangeResult:
    """The frozen trunk's result: a decoder on the differences that `freeze` returned (see `decoder_on`)."""
    return _trained_and_tested(decoder_on(maps, task, settings.width, seed, device), task, settings, seed, device)


def finetune(
    backbone: Backbone,
    task: ChangeTask,
    settings: ChangeSettings,
    seed: int,
    *,
    orientations: int = 4,
    passes: int = 1,
    device: str = "cpu",
) -> ChangeResult:
    """As `evaluate_decoder`, but a copy of the student is trained with its decoder, at the rate `fit.finetune`.

    passes: over the training samples in an epoch. Raises BrewError for a backbone that is no student.
    """
    training = student_with_decoder(backbone, task, settings.width, seed, orientations, passes, device)
    return _trained_and_tested(training, task, settings, seed, device)


def evaluate_siamese(
    task: ChangeTask, settings: ChangeSettings, seed: int, orientations: int = 4, device: str = "cpu"
) -> ChangeResult:
    """FC-Siam-diff trained from scratch on the task's bands (which should be standardised by scene)."""
    build, read = partial(FCSiamDiff, len(sensor(task.sensor))), partial(task.read, device=device)
    training = from_scratch(build, read, task.split, seed, orientations, device)
    return _trained_and_tested(training, task, settings, seed, device)


def _trained_and_tested(
    training: Training, task: ChangeTask, settings: ChangeSettings, seed: int, device: str
) -> ChangeResult:
    """Fit a network at each rate, choose rate and threshold on validation, test those."""

    def best(network: nn.Module, inputs: Inputs) -> Threshold:
        return settings.threshold(*_validated(network, inputs, task, device))

    candidates = [replace(settings.fit, learning_rate=rate) for rate in settings.learning_rates]
    choice = choose(training, task, candidates, seed, lambda network, inputs: best(network, inputs).f1, device)
    chosen = best(choice.network, training.inputs.validation)
    probabilities = predict_scenes(choice.network, training.inputs.test, task, device)
    scenes = task.scenes(task.split.test)
    counts = [
        confusion(_target(task, scene)[None], probabilities[scene.name][None] >= chosen.threshold, 2)
        for scene in scenes
    ]
    return ChangeResult(
        tuple(scene.name for scene in scenes), np.concatenate(counts), probabilities, choice.settings.learning_rate,
        chosen.threshold, chosen.f1, (*choice.undecided, *["threshold"] * chosen.undecided),
    )  # fmt: skip


def _target(task: ChangeTask, scene: Scene) -> Integer[np.ndarray, "height width"]:
    return lay(task.labels[scene.samples], scene)


def _validated(network: nn.Module, inputs: Inputs, task: ChangeTask, device: str) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and labels of all pixels of the validation scenes."""
    probabilities = predict_scenes(network, inputs, task, device)
    scenes = task.scenes(inputs.samples)
    return (
        np.concatenate([probabilities[scene.name].ravel() for scene in scenes]),
        np.concatenate([_target(task, scene).ravel() for scene in scenes]),
    )


def predict_scenes(
    network: nn.Module, inputs: Inputs, task: ChangeTask, device: str = "cpu"
) -> dict[str, Float[np.ndarray, "height width"]]:
    """The probability of change in every pixel of the scenes that these tiles cover."""
    size = task.labels.shape[1:]
    tiles = np.concatenate(
        [logits.softmax(1)[:, 1].cpu().numpy() for _, logits in predict(network, inputs, size, device=device)]
    )
    row_of = {int(sample): row for row, sample in enumerate(inputs.samples)}
    return {
        scene.name: stitch(tiles[[row_of[int(sample)] for sample in scene.samples]], scene).astype(np.float32)
        for scene in task.scenes(inputs.samples)
    }


def change_vectors(task: ChangeTask) -> ChangeResult:
    """Change vector analysis: the length of the difference of all bands, cut by Otsu's threshold in each test scene.

    Uses no label; lengths are averaged over each place of the labels' grid. `probabilities` hold them over the scene's
    threshold (1 is the cut).
    """
    size = task.labels.shape[1:]
    scenes, counts, lengths = task.scenes(task.split.test), [], {}
    for scene in scenes:
        tiles = [task.read(scene.samples[start : start + 64]) for start in range(0, len(scene.samples), 64)]
        vectors = torch.cat([(tile[:, 0] - tile[:, 1]).square().sum(1).sqrt() for tile in tiles])
        length = stitch(F.adaptive_avg_pool2d(vectors, size).numpy(), scene)
        cut = otsu(length)
        counts.append(confusion(_target(task, scene)[None], (length > cut)[None], 2))
        lengths[scene.name] = (length / cut).astype(np.float32)
    return ChangeResult(tuple(scene.name for scene in scenes), np.concatenate(counts), lengths)
