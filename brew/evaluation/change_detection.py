"""Binary change between two dates, on a frozen trunk and by three references, under one protocol.

Features of the two dates are subtracted, and the absolute differences go through the decoder of the segmentation tasks.
Learning rate, epoch and threshold are chosen on the validation scenes alone (F1 of counts pooled over them). Whole test
scenes are predicted from overlapping tiles that fade into each other. Counts are kept per scene: pooled scores, each
scene's, their mean, and any subset (OSCD's saclay_w shares an edge with the training scene saclay_e) come from them.

    maps = freeze(backbone, task, orientations=8)
    result = evaluate_decoder(maps, task, ChangeSettings(), seed=0)
    f1_binary(without(result, {"saclay_w"}).counts.sum(0))
    finetune(backbone, task, settings, seed=0)             # the student and its decoder, trained together
    evaluate_siamese(task, ChangeSettings(), seed=0)       # FC-Siam-diff, supervised, on all bands
    change_vectors(task)                                   # no training: change vector analysis with Otsu's threshold

An image that is no part of a scene is a scene of its own (`ChangeTask.of_images`).
Left out: changes among more than two dates.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64, Integer
from torch import Tensor, nn

from brew.data.tiles import Scene, lay, stitch
from brew.errors import BrewError
from brew.evaluation.backbones import Backbone
from brew.evaluation.fcsiam import FCSiamDiff
from brew.evaluation.fine_tuning import finetuned
from brew.evaluation.fit import Fit, FitSettings, Inputs, build_decoder, fit, passes_over, predict, seeded
from brew.evaluation.frozen_features import FrozenMaps, Images, Reader, extract_maps, read_images
from brew.evaluation.metrics import check_labels, confusion, f1_binary
from brew.evaluation.splits import NAMES, Split
from brew.sensors import sensor

#: Thresholds tried on validation are k / 1000.
_LEVELS = 1000


@dataclass(frozen=True)
class ChangeTask:
    """Tiles of two dates and where they lie in their scenes.

    images: reader of (sample, 2, band, y, x) in native units. labels: 0 no change, 1 change; on the images' grid or any
    other, which is that of all results.
    scene, row, column, height, width: per tile, the scene's name, the tile's first place among the scene's labels, and
    the scene's size.
    mean, std: per tile, date and band, the statistics of the tile's scene at that date, which standardise it; None
    leaves normalisation to the backbone, by the sensor's statistics.
    Raises BrewError where a label is neither 0 nor 1, a scene lies in two splits, or a deviation is zero.
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

    def read(self, samples: Int64[np.ndarray, " sample"], device: str = "cpu") -> Tensor:
        """(sample, 2, band, y, x) float32: standardised by scene where statistics are given, else in native units."""
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


@dataclass(frozen=True)
class ChangeResult:
    """counts: confusion of each test scene, in the order of `scenes`. probabilities: each scene's, for figures.

    What validation chose: learning_rate (0 where nothing is trained), epoch, threshold, and its F1 there.
    """

    scenes: tuple[str, ...]
    counts: Integer[np.ndarray, "scene 2 2"]
    probabilities: dict[str, np.ndarray]
    learning_rate: float = 0.0
    epoch: int = 0
    threshold: float = 0.0
    validation_f1: float = 0.0


def without(result: ChangeResult, scenes: set[str]) -> ChangeResult:
    """The same result on the other scenes; BrewError for a scene that was not tested."""
    missing = scenes - set(result.scenes)
    if missing:
        raise BrewError(f"scenes {sorted(missing)} were not tested; tested: {', '.join(result.scenes)}")
    kept = [index for index, name in enumerate(result.scenes) if name not in scenes]
    names = tuple(result.scenes[index] for index in kept)
    return replace(
        result,
        scenes=names,
        counts=result.counts[kept],
        probabilities={name: result.probabilities[name] for name in names},
    )


@dataclass(frozen=True)
class ChangeInputs:
    """What a network is fed with, per split."""

    train: Inputs
    validation: Inputs
    test: Inputs


def freeze(
    backbone: Backbone,
    task: ChangeTask,
    *,
    orientations: int = 8,
    batch: int = 16,
    device: str = "cpu",
    dtype: torch.dtype = torch.float16,
    folder: Path | None = None,
) -> ChangeInputs:
    """The absolute differences of the two dates' maps, one cached map per tile and orientation (see `extract_maps`)."""

    def maps(samples: Int64[np.ndarray, " sample"], orientations: int) -> FrozenMaps:
        return extract_maps(
            lambda pairs: _differences(task, backbone, pairs),
            lambda chunk: task.read(chunk, device),
            samples,
            orientations=orientations,
            batch=batch,
            dtype=dtype,
            folder=folder,
        )

    split = task.split
    return ChangeInputs(maps(split.train, orientations), maps(split.validation, 1), maps(split.test, 1))


def _differences(task: ChangeTask, backbone: Backbone, pairs: Tensor) -> list[Tensor]:
    maps = backbone.pyramid(pairs.flatten(0, 1), task.sensor, standardised=task.standardised)
    return [(level[0::2] - level[1::2]).abs() for level in maps]


def _images(task: ChangeTask, orientations: int, device: str) -> ChangeInputs:
    """The images of both dates themselves: inputs of a network that is trained whole."""
    read, split = partial(task.read, device=device), task.split
    return ChangeInputs(
        Images(read, split.train, orientations), Images(read, split.validation, 1), Images(read, split.test, 1)
    )


def evaluate_decoder(
    maps: ChangeInputs, task: ChangeTask, settings: ChangeSettings, seed: int, device: str = "cpu"
) -> ChangeResult:
    """The frozen trunk's result: a decoder trained on the differences that `freeze` returned.

    The task may train on a part of their samples (low data), with about as many steps as on all of them.
    """
    if not isinstance(maps.train, FrozenMaps):
        raise BrewError(f"inputs of type {type(maps.train).__name__}; expected what `freeze` returns")
    train = maps.train.of(task.split.train)
    passes = passes_over(len(train.samples), len(maps.train.samples))
    inputs = replace(maps, train=train)

    def build() -> nn.Module:
        return build_decoder(train, 2, settings.width, seed, device)

    return _evaluate(build, inputs, task, settings, seed, device, passes)


def finetune(
    backbone: Backbone,
    task: ChangeTask,
    settings: ChangeSettings,
    seed: int,
    *,
    orientations: int = 8,
    passes: int = 1,
    device: str = "cpu",
) -> ChangeResult:
    """As `evaluate_decoder`, but a copy of the student is trained with its decoder, at the rate `fit.finetune`.

    passes: over the training samples in an epoch. Raises BrewError for a backbone that is no student.
    """
    train = Images(partial(task.read, device=device), task.split.train, orientations)

    def build() -> nn.Module:
        return finetuned(backbone, partial(_differences, task), train, 2, settings.width, seed, device)

    return _evaluate(build, _images(task, orientations, device), task, settings, seed, device, passes)


def evaluate_siamese(
    task: ChangeTask, settings: ChangeSettings, seed: int, orientations: int = 8, device: str = "cpu"
) -> ChangeResult:
    """FC-Siam-diff trained from scratch on the task's bands (which should be standardised by scene)."""
    inputs, bands = _images(task, orientations, device), len(sensor(task.sensor))
    return _evaluate(lambda: seeded(lambda: FCSiamDiff(bands), seed).to(device), inputs, task, settings, seed, device)


def _evaluate(
    build: Callable[[], nn.Module],
    inputs: ChangeInputs,
    task: ChangeTask,
    settings: ChangeSettings,
    seed: int,
    device: str,
    passes: int = 1,
) -> ChangeResult:
    labels = torch.from_numpy(task.labels[task.split.train].astype(np.int64))
    chosen: tuple[Fit, float] | None = None
    for rate in settings.learning_rates:
        tried = fit(
            build(),
            inputs.train,
            labels,
            2,
            None,
            replace(settings.fit, learning_rate=rate),
            seed,
            lambda network: best_threshold(*_validated(network, inputs.validation, task, device)).f1,
            device,
            passes,
        )
        if chosen is None or tried.validation[tried.epoch] > chosen[0].validation[chosen[0].epoch]:
            chosen = tried, rate
    if chosen is None:
        raise BrewError("no learning rate is given; expected at least one")
    best, rate = chosen
    choice = best_threshold(*_validated(best.network, inputs.validation, task, device))
    probabilities = predict_scenes(best.network, inputs.test, task, device)
    scenes = task.scenes(task.split.test)
    counts = [
        confusion(_target(task, scene)[None], probabilities[scene.name][None] >= choice.threshold, 2)
        for scene in scenes
    ]
    names = tuple(scene.name for scene in scenes)
    return ChangeResult(names, np.concatenate(counts), probabilities, rate, best.epoch, choice.threshold, choice.f1)


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


@dataclass(frozen=True)
class Threshold:
    """A probability at and above which a pixel is change, and the F1 that it reaches."""

    threshold: float
    f1: float


def best_threshold(probabilities: Float[np.ndarray, " pixel"], labels: Integer[np.ndarray, " pixel"]) -> Threshold:
    """The threshold k / 1000 of highest F1 (the lowest of equals), from two histograms in one pass."""
    level = np.clip(np.floor(np.asarray(probabilities, dtype=np.float64) * _LEVELS), 0, _LEVELS).astype(np.int64)
    histogram = np.bincount(labels.astype(np.int64) * (_LEVELS + 1) + level, minlength=2 * (_LEVELS + 1))
    stay, change = histogram.reshape(2, -1)
    false_positive, true_positive = (part[::-1].cumsum()[::-1] for part in (stay, change))
    counts = np.empty((_LEVELS + 1, 2, 2), dtype=np.int64)
    counts[:, 0, 0], counts[:, 0, 1] = stay.sum() - false_positive, false_positive
    counts[:, 1, 0], counts[:, 1, 1] = change.sum() - true_positive, true_positive
    scores = f1_binary(counts)
    best = int(scores.argmax())
    return Threshold(best / _LEVELS, float(scores[best]))


def otsu(values: Float[np.ndarray, "*any"], bins: int = 256) -> float:
    """Otsu's threshold (1979): values above it differ most from those below, in between-class variance.

    The upper edge of the last histogram bin of the lower class. Raises BrewError where all values are equal.
    """
    counts, edges = np.histogram(values, bins)
    if edges[0] == edges[-1] or np.ptp(values) == 0:
        raise BrewError(f"all values equal {edges[0]}; Otsu's threshold needs values that differ")
    centres = (edges[:-1] + edges[1:]) / 2
    below, above = counts.cumsum()[:-1], counts[::-1].cumsum()[::-1][1:]
    weighted = counts * centres
    mean_below = weighted.cumsum()[:-1] / np.maximum(below, 1)
    mean_above = weighted[::-1].cumsum()[::-1][1:] / np.maximum(above, 1)
    between = below.astype(np.float64) * above * (mean_below - mean_above) ** 2
    return float(edges[1 + between.argmax()])


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
