"""What the caller says has no value: classes of the scene's SCL, or an array of pixels."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import xarray as xr

from brew.data.images.bilinear import repeated
from brew.data.images.parts import Grid, Layer, Opened, Part

Mask = Callable[[slice, slice], np.ndarray]


def mask_of(given: Any, grid: Grid, opened: Opened, flipped: tuple[bool, bool]) -> tuple[Mask, str]:
    """A function of a window that is True where nothing is seen, and its description for the record.

    flipped: whether rows and columns of the source run the other way than the grid's.
    Raises BrewError if the scene has no SCL, or if the array is not (y, x) of its size.
    """
    if isinstance(given, (np.ndarray, xr.DataArray)) and np.ndim(given) == 2:
        values = np.asarray(given)
        if values.dtype.kind not in "biu":
            raise opened.refuse(
                f"a mask of {values.dtype}; expected True where nothing is seen. Compare it to a number first"
            )
        if values.dtype.kind != "b" and len(np.unique(values)) > 2:
            raise opened.refuse(
                f"a mask of numbers from {values.min()} to {values.max()}; expected True where nothing is seen. "
                "Compare it first, such as `np.isin(scl, [3, 8, 9, 10])`"
            )
        steps = tuple(slice(None, None, -1 if each else None) for each in flipped)
        return _array(values.astype(bool)[steps], grid, opened), "given array"
    classes = [given] if isinstance(given, (int, np.integer)) and not isinstance(given, bool) else given
    if not isinstance(classes, (Sequence, set, frozenset, np.ndarray)) or not all(_is_class(each) for each in classes):
        raise opened.refuse(
            f"a mask of {type(given).__name__}; expected classes of SCL such as [3, 8, 9, 10], or an array (y, x) that "
            "is True where nothing is seen. Pass one of them"
        )
    part, number = _scl(opened)
    numbers = sorted(int(each) for each in classes)
    return _classes(part, number, numbers, grid, opened), f"SCL {numbers}"


def is_scl(layer: Layer) -> bool:
    """Whether a layer is the scene's classification."""
    return any("scl" in name.lower().replace("_", " ").replace(",", " ").split() for name in layer.names)


def _is_class(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and 0 <= int(value) <= 11


def _scl(opened: Opened) -> tuple[Part, int]:
    found = [(part, n) for part in opened.parts for n, layer in enumerate(part.layers) if is_scl(layer)]
    if not found:
        raise opened.refuse(
            "no band SCL; expected one for a mask by classes. Pass `mask=` an array (y, x), True where unseen"
        )
    return min(found, key=lambda each: each[0].grid.step)


def _array(values: np.ndarray, grid: Grid, opened: Opened) -> Mask:
    ratio = max(1, round(grid.shape[0] / values.shape[0]))
    if (values.shape[0] * ratio, values.shape[1] * ratio) != grid.shape:
        raise opened.refuse(f"a mask of {values.shape} pixels; expected {grid.shape}. Give it on the image's own grid")
    fine = repeated(values, ratio)
    return lambda rows, columns: fine[rows, columns]


def _classes(part: Part, number: int, classes: Sequence[int], grid: Grid, opened: Opened) -> Mask:
    ratio = max(1, round(part.grid.step / grid.step))
    if (part.grid.shape[0] * ratio, part.grid.shape[1] * ratio) != grid.shape:
        raise opened.refuse(
            f"SCL of {part.grid.shape} pixels; expected the image's {grid.shape} or a fraction. Pass `mask=` an array "
            "(y, x)"
        )

    def masked(rows: slice, columns: slice) -> np.ndarray:
        coarse = [slice(side.start // ratio, -(-side.stop // ratio)) for side in (rows, columns)]
        values, _ = part.read([number], *coarse)
        fine = repeated(np.isin(values[0], classes), ratio)
        start = [side.start - own.start * ratio for side, own in zip((rows, columns), coarse, strict=True)]
        return fine[start[0] : start[0] + rows.stop - rows.start, start[1] : start[1] + columns.stop - columns.start]

    return masked
