"""Coarser pixels on a finer grid with the same corner."""

import numpy as np


def finer(values: np.ndarray, ratio: int) -> np.ndarray:
    """(..., y, x) with `ratio` times the pixels per side, bilinearly; edges are extended.

    A pixel's value depends on its place within the coarse pixel and on four of them alone, so windows agree to the bit.
    """
    return values if ratio == 1 else _along(_along(values, ratio, -1), ratio, -2)


def _along(values: np.ndarray, ratio: int, axis: int) -> np.ndarray:
    count = values.shape[axis]
    fine = np.arange(count * ratio)
    before, phase = np.divmod(2 * (fine % ratio) + 1 - ratio, 2 * ratio)
    lower = fine // ratio + before
    share = (phase / (2 * ratio)).astype(values.dtype)
    share = share.reshape([-1 if each == axis % values.ndim else 1 for each in range(values.ndim)])
    below, above = (np.take(values, np.clip(index, 0, count - 1), axis) for index in (lower, lower + 1))
    return below * (1 - share) + above * share


def finer_where_valid(values: np.ndarray, valid: np.ndarray, ratio: int) -> np.ndarray:
    """The same from valid pixels alone; 0 where none of the four is."""
    if ratio == 1 or valid.all():
        return finer(values, ratio)
    total = finer(np.where(valid, values, 0), ratio)
    weight = finer(valid.astype(values.dtype), ratio)
    return np.divide(total, weight, out=np.zeros_like(total), where=weight > 0)


def repeated(values: np.ndarray, ratio: int) -> np.ndarray:
    """(..., y, x) with each pixel `ratio` times along both."""
    return values if ratio == 1 else values.repeat(ratio, -1).repeat(ratio, -2)
