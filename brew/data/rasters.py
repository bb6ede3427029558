"""Checks of foreign images, band by band, before anything is built from them.

Each error names file and band, and says what to do. Nothing is repaired silently.

Left out: an offset of the digital numbers (products of baseline 04.00 and later add 1000) that a file does not declare
cannot be told from pixels; whoever adds a source looks it up.
"""

import hashlib
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL.Image
import rasterio
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from brew.errors import BrewError
from brew.sensors import SENTINEL2_BANDS

#: Share of zero pixels above which a whole Sentinel-2 band is taken for nodata.
_MOSTLY_EMPTY = 0.5


@dataclass(frozen=True)
class Image:
    """All bands of a file. values: (band, y, x) as stored. valid: (band, y, x), False if a pixel has no value."""

    values: np.ndarray
    valid: np.ndarray


def raster_descriptions(path: Path) -> tuple[str | None, ...]:
    """What the file calls its bands, None if it does not say; BrewError if it is absent or damaged.

    A band of opacity is "alpha", whatever else the file says of it.
    """
    with _opened(path) as file:
        alpha = _alpha_bands(file)
        return tuple("alpha" if index in alpha else text or None for index, text in enumerate(file.descriptions, 1))


def read_raster(path: Path, index: int = 1) -> np.ndarray:
    """Band `index` (from 1) of a file as stored, (y, x).

    Raises BrewError if the file is absent, cut off or lacks the band, or if pixels are invalid (declared nodata, mask,
    opacity 0). Raises BrewError too if its place needs more than a coordinate system and an upright grid.
    """
    with _opened(path) as file:
        if not 1 <= index <= file.count:
            raise BrewError(f"{path} has {file.count} bands; expected band number {index} there. Check the band table")
        check_upright(file, str(path))
        alpha = [other for other in _alpha_bands(file) if other != index]
        values, valid = _read(file, path, [index], alpha)
        _refuse_holes(path, valid, file.nodatavals, [index])
        return np.asarray(values[0])


def read_image(path: Path, bands: int) -> np.ndarray:
    """All bands (band, y, x) as stored; BrewError if the file is damaged, has another number, or pixels are invalid.

    GDAL marks the last of four 8-bit bands as opacity unless told otherwise; here each of the bands is an image.
    """
    with _opened(path) as file:
        image = _read_image(file, path, bands)
        _refuse_holes(path, image.valid, file.nodatavals, range(1, bands + 1))
        return image.values


def read_masked_image(path: Path, bands: int) -> Image:
    """`read_image` for files that may have pixels without a value, and which those are."""
    with _opened(path) as file:
        return _read_image(file, path, bands)


def _read_image(file: rasterio.DatasetReader, path: Path, bands: int) -> Image:
    if file.count != bands:
        raise BrewError(f"{path} has {file.count} bands; expected {bands}. Obtain the file again")
    return Image(*_read(file, path, range(1, bands + 1), []))


def _read(
    file: rasterio.DatasetReader, path: Path, indexes: Sequence[int], alpha: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Values and validity (band, y, x). alpha: bands whose 0 makes a pixel invalid."""
    index = 0
    try:
        layers = []
        for index in indexes:  # each by itself, so that an error can name the band
            layers.append(file.read(index))
        values = np.stack(layers)
        valid = np.stack([_valid(file, index, layer) for index, layer in zip(indexes, layers, strict=True)])
        for index in alpha:
            valid &= file.read(index) != 0
    except RasterioError as error:
        raise BrewError(
            f"{path}, band number {index} cannot be read ({error}); it may be truncated. Obtain the file again"
        ) from error
    return values, valid


def _valid(file: rasterio.DatasetReader, index: int, values: np.ndarray) -> np.ndarray:
    """By the declared nodata value and by a mask, of which GDAL itself would take one alone."""
    nodata = file.nodatavals[index - 1]
    valid = np.ones(values.shape, bool)
    if nodata is not None:
        valid = ~np.isnan(values) if np.isnan(nodata) else values != nodata
    flags = file.mask_flag_enums[index - 1]
    if MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags:
        valid &= file.read_masks(index) != 0
    return valid


def _alpha_bands(file: rasterio.DatasetReader) -> list[int]:
    return [index for index, meaning in enumerate(file.colorinterp, 1) if meaning == ColorInterp.alpha]


def _refuse_holes(path: Path, valid: np.ndarray, nodata: Sequence[float | None], indexes: Sequence[int]) -> None:
    for index, layer in zip(indexes, valid, strict=True):
        holes = int((~layer).sum())
        if holes:
            declared = nodata[index - 1]
            told = "" if declared is None else f"hold the declared nodata value {declared:g} or "
            raise BrewError(
                f"{path}, band number {index}: {holes} pixels {told}are invalid by its mask; expected none. "
                "Cut the image to its valid part, or leave it out"
            )


def check_upright(file: rasterio.DatasetReader, name: str) -> None:
    """BrewError if the file says where it lies by anything but a coordinate system and a grid without rotation."""
    transform = file.transform
    size = ""
    if transform.b or transform.d:
        size = f"-tr {np.hypot(transform.a, transform.d):.6g} {np.hypot(transform.b, transform.e):.6g} "
        found = f"a grid turned against its coordinate system (transform {tuple(transform)[:6]})"
    elif file.crs is None and file.gcps[0]:
        found = f"placed by {len(file.gcps[0])} ground control points"
    elif file.crs is None and file.rpcs:
        found = "placed by rational polynomial coefficients"
    else:
        return
    raise BrewError(
        f"{name}: {found}; expected a coordinate system and a grid without rotation. Bring it to one first: "
        f"gdalwarp {size}-r bilinear {name.rsplit('/', 1)[-1]} upright.tif"
    )


def read_picture(path: Path, modes: Sequence[str]) -> np.ndarray:
    """A picture (PNG, JPEG) as (y, x) or (y, x, channel); BrewError if it is absent, damaged or of another mode."""
    if not path.is_file():
        raise BrewError(f"{path} does not exist; expected an image there. Restore the file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", PIL.Image.DecompressionBombWarning)
            with PIL.Image.open(path) as picture:
                if picture.mode not in modes:
                    raise BrewError(f"{path}: mode {picture.mode}; expected {' or '.join(modes)}. Convert the file")
                return np.array(picture)
    except BrewError:
        raise
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error and others
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
