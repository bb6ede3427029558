"""Checks of foreign images, band by band, before anything is built from them.

Each error names file and band, and says what to do. Nothing is repaired silently.

Left out: an offset of the digital numbers (products of baseline 04.00 and later add 1000) cannot be told from pixels;
whoever adds a source looks it up.
"""

import hashlib
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.transform import Affine

from brew.errors import BrewError
from brew.sensors import SENTINEL2_BANDS

#: Share of zero pixels above which a whole Sentinel-2 band is taken for nodata.
_MOSTLY_EMPTY = 0.5


@dataclass(frozen=True)
class Raster:
    """One band of a file. values: (y, x). crs: as WKT, empty where the file has none."""

    path: Path
    index: int
    values: np.ndarray
    crs: str
    transform: Affine


def raster_descriptions(path: Path) -> tuple[str | None, ...]:
    """What the file calls its bands, None where it does not say; BrewError where it is absent or damaged."""
    with _opened(path) as file:
        return tuple(file.descriptions)


def read_band(path: Path, index: int = 1) -> Raster:
    """Band `index` (from 1) of a file, and where on Earth it lies.

    Raises BrewError where the file is absent, cut off or lacks the band, or holds its declared nodata value.
    """
    with _opened(path) as file:
        if not 1 <= index <= file.count:
            raise BrewError(f"{path} has {file.count} bands; expected band number {index} there. Check the band table")
        try:
            values = file.read(index)
        except RasterioError as error:
            raise BrewError(
                f"{path}, band number {index} cannot be read ({error}); it may be truncated. Obtain the file again"
            ) from error
        nodata = file.nodatavals[index - 1]
        crs, transform = file.crs.to_wkt() if file.crs else "", file.transform
    holes = 0 if nodata is None or np.isnan(nodata) else int((values == nodata).sum())
    if holes:
        raise BrewError(
            f"{path}, band number {index}: {holes} pixels hold the declared nodata value {nodata:g}; expected none. "
            "Cut the image to its valid part, or leave it out"
        )
    return Raster(path, index, values, crs, transform)


def read_raster(path: Path, index: int = 1) -> np.ndarray:
    """The values of `read_band`."""
    return read_band(path, index).values


def read_image(path: Path, bands: int) -> np.ndarray:
    """All bands (band, y, x) as stored, nodata included; BrewError where the file is damaged or has another number."""
    with _opened(path) as file:
        if file.count != bands:
            raise BrewError(f"{path} has {file.count} bands; expected {bands}. Obtain the file again")
        try:
            return file.read()
        except RasterioError as error:
            raise BrewError(f"{path} cannot be read ({error}); it may be truncated. Obtain the file again") from error


@contextmanager
def _opened(path: Path) -> Iterator[rasterio.DatasetReader]:
    if not path.is_file():
        raise BrewError(f"{path} does not exist; expected an image there. Restore the file")
    try:
        with warnings.catch_warnings():
            # OSCD and many benchmarks carry no coordinates; what needs them checks `crs`.
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            file = rasterio.open(path)
    except RasterioError as error:
        raise BrewError(f"{path} cannot be opened ({error}); it may be truncated. Obtain the file again") from error
    with file:
        yield file


def check_digital_numbers(values: np.ndarray, path: Path, band: str) -> np.ndarray:
    """`values` as they are, uint16 digital numbers of a Sentinel-2 band, or a BrewError that says why they are none.

    Raises for an unknown band, NaN, reflectance where digital numbers are expected, other types, and bands of mostly
    zeros (nodata).
    """
    where = f"{path}, band {band}"
    if band not in SENTINEL2_BANDS:
        raise BrewError(f"{where}: unknown band; expected one of {', '.join(SENTINEL2_BANDS)}")
    if values.dtype.kind == "f":
        broken = int((~np.isfinite(values)).sum())
        if broken:
            raise BrewError(f"{where}: {broken} values are NaN or infinite; expected none. Fill or cut them")
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
        raise BrewError(f"{where}: {state}, which is nodata in Sentinel-2 products; expected an image. Leave it out")
    return values


def check_tiles(values: np.ndarray, path: Path, band: str, corners: Sequence[tuple[int, int]], tile: int) -> None:
    """BrewError where one of the tiles (upper left corners y, x) of a band (y, x) is all black."""
    for y, x in corners:
        if not values[y : y + tile, x : x + tile].any():
            raise BrewError(
                f"{path}, band {band}: the tile at row {y}, column {x} is all black, which is nodata in Sentinel-2 "
                "products; expected an image. Cut the scene to its valid part"
            )


def stack_bands(bands: Mapping[str, tuple[Path, np.ndarray]], order: Sequence[str]) -> np.ndarray:
    """(band, y, x) in the asked order; BrewError where a band is missing or has another size."""
    missing = [name for name in order if name not in bands]
    if missing:
        folder = next(iter(bands.values()))[0].parent if bands else "the folder"
        raise BrewError(
            f"{folder}: band {', '.join(missing)} missing; found {', '.join(bands) or 'none'}. Add the file"
        )
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
                    f"{what} {member!r} stands in splits {seen[member]!r} and {split!r}; expected one. "
                    "Remove it from one of them"
                )
            seen[member] = split


def content_hash(*images: np.ndarray) -> str:
    """SHA-256 of decoded pixels with their shape and type: equal for equal images, whatever file holds them."""
    digest = hashlib.sha256()
    for image in images:
        little = np.ascontiguousarray(image, dtype=image.dtype.newbyteorder("<"))
        digest.update(f"{little.dtype.str}{little.shape}".encode())
        digest.update(little.data)
    return digest.hexdigest()
