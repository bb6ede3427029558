"""A linear probe that takes seconds, so that it can follow a training: ridge regression onto the classes.

It takes one vector per image, or those of a few cells of every image; classes weigh alike. Leave-one-out on the
training cells chooses the penalty. No decoder adds what the features lack.
Left out: the logistic probe, whose scores stand in tables (`brew.evaluation.classification`).
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64, Integer, Shaped
from sklearn.linear_model import RidgeClassifierCV
from torch import Tensor

from brew import randomness
from brew.errors import BrewError
from brew.evaluation.metrics import check_labels, confusion

#: Penalties that leave-one-out chooses from, for features of unit variance.
_PENALTIES = np.logspace(0, 5, 11)


def choose_cells(
    labels: Integer[np.ndarray, "image y x"], grid: tuple[int, int], count: int, ignore: int | None, seed: int = 0
) -> tuple[Int64[np.ndarray, "image cell"], Integer[np.ndarray, "image cell"]]:
    """`count` cells of each image's grid, drawn without replacement, and their labels: a cell's commonest one.

    A label on a grid coarser than `grid`, or on the same, is a cell's own. Cells that are mostly `ignore` have it as
    their label. Raises BrewError if neither grid divides the other.
    """
    images, height, width = labels.shape
    rows, columns = grid
    if (height % rows and rows % height) or (width % columns and columns % width) or count > rows * columns:
        raise BrewError(
            f"labels of {height} x {width} and {count} of {rows} x {columns} cells; expected grids of which one divides"
            " the other, and no more cells than there are"
        )
    generator = np.random.Generator(np.random.Philox(key=randomness.key(seed, "cells", images, rows, columns)))
    chosen = generator.random((images, rows * columns)).argsort(axis=1)[:, :count]
    fine = np.repeat(np.repeat(labels, max(1, rows // height), 1), max(1, columns // width), 2)
    blocks = fine.reshape(images, rows, fine.shape[1] // rows, columns, fine.shape[2] // columns)
    blocks = blocks.transpose(0, 1, 3, 2, 4).reshape(images, rows * columns, -1)
    picked = np.take_along_axis(blocks, chosen[..., None], 1)
    values = np.unique(picked)
    votes = np.stack([(picked == value).sum(2) for value in values], 2)
    if ignore in values:  # the commonest label that counts, unless most of the cell does not count
        index = int(np.flatnonzero(values == ignore)[0])
        votes[..., index] = np.where(2 * votes[..., index] > picked.shape[2], votes[..., index], -1)
    return chosen, values[votes.argmax(2)]


def cell_features(
    maps: Sequence[Shaped[Tensor, "image _channel _y _x"]],
    grid: tuple[int, int],
    cells: Int64[np.ndarray, "image cell"],
) -> Float32[np.ndarray, "image cell width"]:
    """Features of cells of the grid: at each level those of the place that the cell lies in."""
    place = torch.from_numpy(cells)
    row, column = place // grid[1], place % grid[1]
    image = torch.arange(len(cells))[:, None]
    parts = [
        level.cpu()[image, :, row * level.shape[2] // grid[0], column * level.shape[3] // grid[1]] for level in maps
    ]
    return torch.cat(parts, 2).float().numpy()


def ridge_probe(
    fitted: Float[np.ndarray, "image cell width"],
    labels: Integer[np.ndarray, "image cell"],
    tested: Float[np.ndarray, "other cell width"],
    truth: Integer[np.ndarray, "other cell"],
    classes: int,
    ignore: int | None = None,
) -> Integer[np.ndarray, "other classes classes"]:
    """Confusion counts per image of `tested`; an image that is one vector is one cell.

    Raises BrewError if the fitted cells are of one class.
    """
    counted = labels != ignore if ignore is not None else np.ones(labels.shape, bool)
    check_labels(labels[counted], classes, "labels")
    if len(np.unique(labels[counted])) < 2:
        raise BrewError("cells of one class; a linear probe needs at least two: take more images or cells")
    x, (mean, deviation) = _standardised(fitted[counted])
    model = RidgeClassifierCV(_PENALTIES, class_weight="balanced").fit(x, labels[counted])
    predicted = model.predict(((tested - mean) / deviation).reshape(-1, tested.shape[-1])).reshape(truth.shape)
    return confusion(truth, predicted, classes, ignore)


def ridge_probe_multilabel(
    fitted: Float[np.ndarray, "image width"],
    present: Integer[np.ndarray, "image label"],
    tested: Float[np.ndarray, "other width"],
    truth: Integer[np.ndarray, "other label"],
) -> Integer[np.ndarray, "other label 2 2"]:
    """Confusion counts per image and label, each label fitted by itself.

    A label that never varies in training is predicted as it is there.
    """
    x, (mean, deviation) = _standardised(fitted)
    varies = present.min(0) != present.max(0)
    predicted = np.broadcast_to(present[:1], truth.shape).copy()
    for label in np.flatnonzero(varies):
        model = RidgeClassifierCV(_PENALTIES).fit(x, present[:, label])
        predicted[:, label] = model.predict((tested - mean) / deviation)
    return confusion(truth.reshape(-1, 1), predicted.reshape(-1, 1), 2).reshape(*truth.shape, 2, 2)


def _standardised(
    features: Float[np.ndarray, "row width"],
) -> tuple[Float[np.ndarray, "row width"], tuple[np.ndarray, np.ndarray]]:
    if not np.isfinite(features).all():
        raise BrewError("features hold NaN or infinity; expected finite values: look at the backbone's inputs")
    features = features.astype(np.float64)
    mean, deviation = features.mean(0), features.std(0)
    deviation = np.where(deviation > 1e-12 * max(deviation.max(), 1e-300), deviation, np.inf)
    return (features - mean) / deviation, (mean, deviation)
