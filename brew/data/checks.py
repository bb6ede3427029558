"""Checks of foreign images, band by band, before anything is built from them.

Each error names file and band, and says what to do. Nothing is repaired silently.
"""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import rasterio
from rasterio.errors import NotGeoreferencedWarning, RasterioError, RasterioIOError

from brew.errors import BrewError
from brew.sensors import SENTINEL2_BANDS

#: Share of zero pixels above which a Sentinel-2 band is taken for nodata.
_MOSTLY_EMPTY = 0.5


def read_raster(path: Path, index: int = 1) -> np.ndarray:
    """One band of a raster file; BrewError where the file is absent or cut off."""
    if not path.is_file():
        raise BrewError(f"{path} does not exist; expected an image of one band there. Restore the file")
    try:
        with warnings.catch_warnings():  # tiles without coordinates are expected: OSCD's are
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path) as file:
                return file.read(index)
    except (RasterioIOError, RasterioError) as error:
        raise BrewError(f"{path} cannot be read ({error}); it may be truncated. Obtain the file again") from error


def check_digital_numbers(values: np.ndarray, path: Path, band: str) -> np.ndarray:
    """`values` as uint16 digital numbers, or a BrewError that says why they are none.

    Raises for NaN, reflectance in [0, 1] where digital numbers are expected, other types, and nodata or black tiles.
    """
    where = f"{path}, band {band}"
    if band not in SENTINEL2_BANDS:
        raise BrewError(f"{where}: unknown band; expected one of {', '.join(SENTINEL2_BANDS)}")
    if values.dtype.kind == "f":
        if not np.isfinite(values).all():
            raise BrewError(f"{where}: {int((~np.isfinite(values)).sum())} values are NaN or infinite; fill or cut them")
        if values.max() <= 2:
            raise BrewError(
                f"{where}: values up to {values.max():.3g} look like reflectance; expected digital numbers "
                "(reflectance x 10000, uint16). Multiply by 10000 and store as uint16"
            )
    if values.dtype != np.uint16:
        raise BrewError(f"{where}: type {values.dtype}; expected uint16 digital numbers. Convert the file")
    empty = float((values == 0).mean())
    if empty > _MOSTLY_EMPTY:
        state = "all black" if empty == 1 else f"{empty:.0%} zero"
        raise BrewError(f"{where}: {state}, which is nodata in Sentinel-2 products; expected an image. Leave the tile out")
    return values


def stack_bands(bands: Mapping[str, tuple[Path, np.ndarray]], order: Sequence[str]) -> np.ndarray:
    """(band, y, x) in the asked order; BrewError where a band is missing or has another size."""
    missing = [name for name in order if name not in bands]
    if missing:
        folder = next(iter(bands.values()))[0].parent if bands else "the folder"
        raise BrewError(f"{folder}: band {', '.join(missing)} missing; found {', '.join(bands) or 'none'}. Add the files")
    first = bands[order[0]][1].shape
    for name in order:
        path, values = bands[name]
        if values.shape != first:
            raise BrewError(
                f"{path}, band {name}: {values.shape} pixels; expected {first} as band {order[0]}. Resample it first"
            )
    return np.stack([bands[name][1] for name in order])


def check_disjoint(splits: Mapping[str, Iterable[str]], what: str) -> None:
    """BrewError where a member stands in two splits."""
    seen: dict[str, str] = {}
    for split, members in splits.items():
        for member in members:
            if member in seen:
                raise BrewError(
                    f"{what} {member!r} stands in splits {seen[member]!r} and {split!r}; expected one. Remove it from one"
                )
            seen[member] = split
