"""Pixels of fMoW's two kinds of images, cut to a square of ground.

A TIFF of fMoW-Sentinel holds the thirteen bands in their usual order (its README writes "B8A, B8B" for B8, B8A) as
reflectance x 10,000 without the offset of newer products.

A JPEG of fMoW-RGB may have 20,000 pixels per side. libjpeg decodes it at an eighth, a quarter or half of its size, as
long as the square needs no more pixels. Of a progressive JPEG libjpeg holds the whole, two bytes per value. What would
take more than the stated memory is refused before it is decoded.
"""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import rasterio
from jaxtyping import UInt8, UInt16
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from rasterio.errors import NotGeoreferencedWarning

from brew.data.labelled import reading
from brew.data.rasters import check_digital_numbers
from brew.errors import BrewError
from brew.sensors import SENSORS

#: Order of the bands in a file.
FILE_BANDS = ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B10", "B11", "B12")
_BANDS = SENSORS["sentinel2"].band_names
_INDEXES = [FILE_BANDS.index(band) + 1 for band in _BANDS]
#: Pixels per side of a TIFF: the least that was published, and far more than the largest footprint, 5 km.
_SIDES = (18, 2048)
#: Edges of a square of ground in an image's pixels, from the image's width and height.
Box = Callable[[int, int], tuple[float, float, float, float]]


def read_multispectral(file: Path) -> UInt16[np.ndarray, "10 y x"]:
    """Digital numbers in the order of ``SENSORS["sentinel2"]``.

    Raises BrewError if the file is absent, damaged, what a failed download left, has other bands than thirteen, another
    type than whole numbers of uint16, int16 or float32, or is mostly empty.
    """
    if not file.is_file():
        raise BrewError(f"{file} does not exist; expected it, as the list of images names it.{_exchanged(file)}")
    with reading(file), warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)  # places are the list's
        with rasterio.open(file) as opened:
            _check_shape(opened)
            values = opened.read(_INDEXES)
            nodata = opened.nodatavals[0]
        numbers = _whole_numbers(values, nodata)
    for band, layer in zip(_BANDS, numbers, strict=True):
        check_digital_numbers(layer, file, band)
    return numbers


def _exchanged(file: Path) -> str:
    """A hint if the file with the two ids exchanged exists, as the release's README states them."""
    kind, location, image = file.stem.rsplit("_", 2)
    other = file.parent.with_name(f"{kind}_{image}") / f"{kind}_{image}_{location}{file.suffix}"
    if other.is_file():
        return f" {other} exists: location_id and image_id are exchanged in the list; give it its columns' right names"
    return " Obtain it, or leave it out of the list"


def _check_shape(opened: rasterio.DatasetReader) -> None:
    if opened.count == 1 and not opened.read(1).any():
        raise BrewError("one empty band, which is what a failed download left; expected 13. Leave it out of the list")
    if opened.count != len(FILE_BANDS):
        raise BrewError(f"{opened.count} bands; expected the 13 of Sentinel-2 L1C. Obtain the file again")
    low, high = _SIDES
    if not (low <= min(opened.shape) and max(opened.shape) <= high):
        raise BrewError(f"{opened.shape} pixels; expected {low} to {high} per side. Obtain the file again")


def _whole_numbers(values: np.ndarray, nodata: float | None) -> UInt16[np.ndarray, "10 y x"]:
    if values.dtype not in (np.uint16, np.int16, np.float32):
        raise BrewError(f"type {values.dtype}; expected uint16, int16 or float32. Convert the file")
    if values.dtype == np.float32:
        if not np.isfinite(values).all():
            raise BrewError(f"{int((~np.isfinite(values)).sum())} values are NaN or infinite; expected none")
        if values.max() <= 2:
            raise BrewError(
                f"values up to {values.max():.3g} look like reflectance; expected it times 10,000. Convert it"
            )
        if (values != np.rint(values)).any():
            raise BrewError("values with fractions; expected whole digital numbers. Convert the file")
    empty = 0 if nodata is None else int((values == nodata).sum())
    if empty and nodata != 0:
        raise BrewError(f"{empty} values are declared to be none ({nodata:g}); expected values everywhere. Fill them")
    if values.min() < 0 or values.max() > SENSORS["sentinel2"].valid[1]:
        raise BrewError(f"values {values.min()} to {values.max()}; expected 0 to 65534. Obtain the file again")
    return values.astype(np.uint16)


def resized(
    values: UInt16[np.ndarray, "band y x"], box: tuple[float, float, float, float], size: int
) -> UInt16[np.ndarray, "band size size"]:
    """The box brought to so many pixels per side: bilinear, averaged if it shrinks, rounded."""
    layers = [
        Image.fromarray(layer).resize((size, size), Image.Resampling.BILINEAR, box)
        for layer in values.astype(np.float32)
    ]
    return np.rint(np.stack([np.asarray(layer) for layer in layers])).clip(0, 65534).astype(np.uint16)


def read_optical(
    file: Path, box: Box, size: int, memory: int
) -> tuple[UInt8[np.ndarray, "3 size size"], tuple[int, int]]:
    """The box of a JPEG at so many pixels per side, and the file's own height and width.

    memory: bytes that decoding may take. Raises BrewError if the file is absent, cut off, not RGB, all black, or would
    take more memory.
    """
    if not file.is_file():
        raise BrewError(
            f"{file} does not exist; expected the image of fMoW-RGB. Obtain it, or leave it out of the list"
        )
    # Pillow's own reader of the format: the general one refuses 180 million pixels, which decoding here never holds.
    with reading(file), JpegImageFile(str(file)) as picture:
        if picture.mode != "RGB":
            raise BrewError(f"mode {picture.mode}; expected RGB. Convert the file")
        width, height = picture.size
        edges = box(width, height)
        scale = _draft(picture, edges, size)
        _check_memory(picture, width, height, memory)
        square = picture.resize((size, size), Image.Resampling.BILINEAR, _scaled(edges, scale, picture.size))
    image = np.ascontiguousarray(np.asarray(square).transpose(2, 0, 1))
    if not image.any():
        raise BrewError(f"{file}: all black, which is nodata; expected an image. Leave it out of the list")
    return image, (height, width)


def _draft(picture: JpegImageFile, box: tuple[float, float, float, float], size: int) -> int:
    """Let libjpeg shrink by the whole power of two that still gives every pixel of the square one of its own."""
    width, height = picture.size
    least = max(1, int(width * size / (box[2] - box[0]))), max(1, int(height * size / (box[3] - box[1])))
    drafted = picture.draft("RGB", least)
    # Pillow rounds sizes up: the scale is in the box it returns, not in the quotient of the sizes.
    return round(width / drafted[1][2]) if drafted else 1


def _scaled(
    box: tuple[float, float, float, float], scale: int, size: tuple[int, int]
) -> tuple[float, float, float, float]:
    left, upper, right, lower = (edge / scale for edge in box)
    return left, upper, min(right, size[0]), min(lower, size[1])


def _check_memory(picture: JpegImageFile, width: int, height: int, memory: int) -> None:
    """BrewError if the shrunk pixels, and the coefficients of a progressive JPEG, need more than `memory` bytes."""
    needed = 4 * picture.size[0] * picture.size[1]  # Pillow keeps a fourth byte per pixel
    progressive = bool(picture.info.get("progressive"))
    if progressive:
        needed += 2 * 3 * width * height
    if needed > memory:
        kind = "a progressive JPEG" if progressive else "a JPEG"
        raise BrewError(
            f"{kind} of {width} x {height} pixels takes {needed // 2**20} MiB to decode; expected {memory // 2**20} at "
            "most. Raise `memory`, or save it as a plain JPEG"
        )
