"""A place's dates read one by one by a frozen backbone, and pooled over time: mean, median, or a small attention layer.

The attention has L-TAE's idea (Garnot & Landrieu 2020, arXiv 2007.00586). Each head has one learned query, keys from
features and date, and a group of channels as values. torchgeo's layer of that name is full self-attention without
learned queries (record 0040).

    task = YearTask(reader, "sentinel2", labels, classes, split, over_time="mean", count=6)
    result = evaluate(freeze(backbone, task), task, SegmentationSettings(), seed=0)
    counts = linear_probe(freeze(backbone, task), task, cells=64)

Left out: masks of clouds. A median ignores a few cloudy dates, and an attention can learn to.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64, Integer
from torch import Tensor, nn

from brew.errors import BrewError
from brew.evaluation.backbones import Backbone
from brew.evaluation.decoders import Decoder, Standardise
from brew.evaluation.dense_harness import DenseInputs, Training, decoder_on
from brew.evaluation.fit import seeded
from brew.evaluation.frozen_features import FrozenMaps, Reader, read_images
from brew.evaluation.ridge_probe import cell_features, choose_cells, ridge_probe
from brew.evaluation.segmentation import SegmentationResult, SegmentationSettings, SegmentationTask, trained_and_tested

#: How dates are pooled.
OverTime = Literal["mean", "median", "attention"]
#: Heads of the attention, at most, and the width of a key.
_HEADS, _KEY = 4, 8
#: A place is hidden on a date if clouds cover this share of it.
_HIDDEN = 0.99


@dataclass(frozen=True)
class FirstAndLast:
    """The first and the last date of a reader of (sample, time, ...): what a change lies between."""

    reader: Reader

    def read(self, indices: Int64[np.ndarray, " sample"]) -> np.ndarray:
        return self.reader.read(indices)[:, [0, -1]]


def check_visible(clouds: Integer[np.ndarray, "sample date y x"]) -> None:
    """BrewError if a place is hidden on all of its dates. clouds: 1 where a cloud covers the place."""
    hidden = np.flatnonzero(((clouds == 1).mean((2, 3)) >= _HIDDEN).all(1))
    if len(hidden):
        raise BrewError(
            f"clouds cover samples {hidden[:8].tolist()} on all of their {clouds.shape[1]} dates; expected a clear "
            "date of each place. Render fewer clouds, or leave those samples out"
        )


@dataclass(frozen=True)
class YearTask(SegmentationTask):
    """Segmentation of places that are seen on several dates. over_time: how their features are pooled.

    count: dates of each place. `images` reads (sample, date, band, y, x). With "attention" the maps of all dates stay,
    as channels, and the decoder begins with the pooling.
    """

    over_time: OverTime = "mean"
    count: int = 1

    @property
    def dates(self) -> int:
        return self.count

    def read(
        self, samples: Int64[np.ndarray, " sample"], device: str = "cpu"
    ) -> Float32[Tensor, "sample date band y x"]:
        """Images of every date in native units."""
        return read_images(self.images, samples, device)

    def maps(self, backbone: Backbone, images: Float32[Tensor, "sample date band y x"]) -> list[Tensor]:
        """The backbone's maps of every date, pooled over time or beside each other."""
        apart = [level.unflatten(0, images.shape[:2]) for level in backbone.pyramid(images.flatten(0, 1), self.sensor)]
        if self.over_time == "attention":
            return [level.flatten(1, 2) for level in apart]
        return [level.mean(1) if self.over_time == "mean" else level.median(1).values for level in apart]


class TemporalAttention(nn.Module):
    """(batch, date * channel, y, x) -> (batch, channel, y, x), each place by itself."""

    def __init__(self, channels: int, dates: int):
        super().__init__()
        self.dates, self.heads = dates, math.gcd(channels, _HEADS)
        self.keys = nn.Conv2d(channels, self.heads * _KEY, 1)
        self.date = nn.Parameter(torch.zeros(dates, self.heads * _KEY))
        self.query = nn.Parameter(torch.randn(self.heads, _KEY) * _KEY**-0.5)

    def forward(self, maps: Float[Tensor, "batch channels y x"]) -> Float[Tensor, "batch channel y x"]:
        apart = maps.unflatten(1, (self.dates, -1))  # (batch, date, channel, y, x)
        keys = self.keys(apart.flatten(0, 1)).unflatten(0, apart.shape[:2]) + self.date[..., None, None]
        alike = torch.einsum("bdhkyx,hk->bdhyx", keys.unflatten(2, (self.heads, _KEY)), self.query)
        weight = (alike / _KEY**0.5).softmax(1)
        return (apart.unflatten(2, (self.heads, -1)) * weight[:, :, :, None]).sum(1).flatten(1, 2)


class AttentiveDecoder(nn.Module):
    """Attention over time on each of four maps, then the decoder that every other task has."""

    def __init__(self, means: Sequence[Tensor], stds: Sequence[Tensor], classes: int, width: int, dates: int):
        super().__init__()
        each = [len(mean) // dates for mean in means]
        self.even = nn.ModuleList(Standardise(mean, std) for mean, std in zip(means, stds, strict=True))
        self.pooling = nn.ModuleList(TemporalAttention(channels, dates) for channels in each)
        # Maps are standardised before they are pooled.
        none, one = [torch.zeros(channels) for channels in each], [torch.ones(channels) for channels in each]
        self.decoder = Decoder(none, one, classes, width)

    def forward(self, maps: Sequence[Float[Tensor, "batch _channel _y _x"]]) -> Float[Tensor, "batch classes _y _x"]:
        parts = zip(maps, self.even, self.pooling, strict=True)
        return self.decoder([pool(even(level)) for level, even, pool in parts])


def evaluate(
    maps: DenseInputs, task: YearTask, settings: SegmentationSettings, seed: int, device: str = "cpu"
) -> SegmentationResult:
    """A decoder on maps that are pooled already, or one that learns to pool them."""
    training = decoder_on(maps, task, settings.width, seed, device)
    if task.over_time == "attention":
        training = replace(training, build=partial(_attentive, training, task, settings.width, seed, device))
    return trained_and_tested(training, task, settings, seed, device)


def _attentive(training: Training, task: YearTask, width: int, seed: int, device: str) -> nn.Module:
    train = training.inputs.train
    assert isinstance(train, FrozenMaps)  # `decoder_on` refuses anything else
    means, stds = train.moments()
    build = partial(AttentiveDecoder, means, stds, len(task.classes), width, task.dates)
    return seeded(build, seed).to(device)


def linear_probe(maps: DenseInputs, task: YearTask, cells: int) -> Integer[np.ndarray, "test classes classes"]:
    """Confusion counts per test sample of a ridge probe on `cells` cells of each image, at the finest map's grid.

    Maps of all dates (attention's) are read beside each other.
    """
    (fitted, told), (tested, truth) = (_cells(part, task, cells) for part in (maps.train, maps.test))
    return ridge_probe(fitted, told, tested, truth, len(task.classes), task.uncounted)


def _cells(inputs: object, task: YearTask, count: int) -> tuple[np.ndarray, np.ndarray]:
    if not isinstance(inputs, FrozenMaps):
        raise BrewError(f"inputs of type {type(inputs).__name__}; expected frozen maps: what `freeze` returns")
    levels = [level[0].permute(0, 3, 1, 2) for level in inputs.levels]
    grid = (levels[0].shape[2], levels[0].shape[3])
    chosen, labels = choose_cells(task.labels[inputs.samples], grid, min(count, grid[0] * grid[1]), task.uncounted)
    return cell_features(levels, grid, chosen), labels
