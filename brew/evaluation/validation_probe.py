"""A linear probe of a backbone's frozen features, fitted on training images and scored on validation images.

It tells in seconds what a student has learned on its way. The test images are left to the tables.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Integer
from torch import Tensor

from brew.data.store import ArrayReader
from brew.evaluation import ridge_probe
from brew.evaluation.backbones import Backbone
from brew.evaluation.benchmarks import Benchmark

#: Images that a backbone reads at once.
_BATCH = 16


@dataclass(frozen=True)
class ProbeSettings:
    """Of each split, images and pixels of all of them that are read at most; of a dense task, cells of all of them."""

    images: int
    pixels: int
    cells: int

    def images_of(self, height: int, width: int) -> int:
        """How many images of that size are read at most: one at least."""
        return min(self.images, max(1, self.pixels // (width * height)))


@dataclass(frozen=True)
class ProbedImages:
    """A benchmark's images, opened, with the labels of all of them."""

    benchmark: Benchmark
    images: ArrayReader
    labels: Integer[np.ndarray, "image ..."]


def probe(
    probed: ProbedImages, backbone: Backbone, train: np.ndarray, validation: np.ndarray, cells: int
) -> Integer[np.ndarray, "image ..."]:
    """Confusion counts per validation image. train, validation: samples. cells: per image, of a dense task.

    Raises BrewError if the labels of the training samples are of one class.
    """
    b, parts = probed.benchmark, (train, validation)
    if b.task != "classification":
        (x, fitted), (y, truth) = (_cells(probed, backbone, part, cells) for part in parts)
        return ridge_probe.ridge_probe(x, fitted, y, truth, len(b.classes), b.ignore)
    x, y = (_pooled(probed, backbone, part) for part in parts)
    fitted, truth = (probed.labels[part] for part in parts)
    if b.multilabel:
        return ridge_probe.ridge_probe_multilabel(x, fitted, y, truth)
    return ridge_probe.ridge_probe(x[:, None], fitted[:, None], y[:, None], truth[:, None], len(b.classes))


def _pooled(probed: ProbedImages, backbone: Backbone, samples: np.ndarray) -> Float[np.ndarray, "image width"]:
    """Of the first date's images."""
    read = (images[:, 0] for images in _batches(probed, samples))
    return np.concatenate([backbone.pooled(images, probed.benchmark.sensor) for images in read])


def _batches(probed: ProbedImages, samples: np.ndarray) -> Iterator[Float[Tensor, "image date band y x"]]:
    for start in range(0, len(samples), _BATCH):
        yield torch.from_numpy(probed.images.read(samples[start : start + _BATCH]).astype(np.float32))


def _cells(
    probed: ProbedImages, backbone: Backbone, samples: np.ndarray, count: int
) -> tuple[Float[np.ndarray, "image cell width"], Integer[np.ndarray, "image cell"]]:
    """Features and labels of `count` cells per image at stride 4; of a change task, how far the dates' lie apart."""
    b, labels = probed.benchmark, probed.labels[samples]
    labels = (labels > 0).astype(labels.dtype) if b.task == "change" else labels
    features, told = [], []
    for batch, read in enumerate(_batches(probed, samples)):
        start = batch * _BATCH
        dates = [backbone.pyramid(read[:, time], b.sensor) for time in ((0, -1) if b.task == "change" else (0,))]
        maps = dates[0] if len(dates) == 1 else [(one - other).abs() for one, other in zip(*dates, strict=True)]
        grid = (maps[0].shape[2], maps[0].shape[3])
        most = min(count, grid[0] * grid[1])
        cells, own = ridge_probe.choose_cells(labels[start : start + _BATCH], grid, most, b.ignore, seed=start)
        features.append(ridge_probe.cell_features(maps, grid, cells))
        told.append(own)
    return np.concatenate(features), np.concatenate(told)
