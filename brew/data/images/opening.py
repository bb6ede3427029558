"""One reader for whatever people bring: ten named bands on one grid, by windows, with a record of what was assumed.

    image = open_image("scene.tif")
    values, valid = image.read(slice(0, 256), slice(0, 256))

What is accepted and who decides unit and offset: `docs/images.md`. Left out: reprojection, mosaics, several dates.
"""

from collections.abc import Mapping, Sequence
from datetime import date as Date
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import brew
from brew.data.images.array_parts import parts_of_array, parts_of_dataset
from brew.data.images.bringing_together import all_layers, band_record, on_one_grid, pixel_size, upright
from brew.data.images.calibration import Said, check_levels
from brew.data.images.dialects import Named, given_bands, name_bands
from brew.data.images.gdal_parts import GdalPart
from brew.data.images.parts import Opened
from brew.data.images.scene_image import Image
from brew.errors import BrewError
from brew.sensors import SENTINEL2_BANDS
from brew.sensors import sensor as find_sensor


def open_image(
    source: Any,
    sensor: str = "sentinel2",
    *,
    bands: str | Sequence[str] | Mapping[str, str] | None = None,
    unit: str | None = None,
    scale: float | None = None,
    offset: float | None = None,
    mask: Any = None,
    date: str | Date | np.datetime64 | None = None,
    pixel: float | None = None,
) -> Image:
    """The sensor's bands on the grid of the finest of them. Pixels are read when `Image.read` asks for them.

    source: a path, a URL or another name that GDAL reads, or an array of xarray.
    bands: a named order ("L1C-13", "L2A-12", "EuroSAT-13"), the bands in the image's order, or {band: its name there}.
    unit: "digital numbers" (reflectance x 10000), "reflectance" or "percent". scale, offset: value = stored * scale +
        offset in `unit`; a scale alone leads to reflectance, and an offset alone is in digital numbers (-1000 or 0).
    mask: classes of the image's SCL that have no value, or an array (y, x) that is True where nothing is seen.
    date: of several in the image. pixel: side in metres that is accepted though it is not about 10 m.
    Raises BrewError for what is not such an image, for a unit or offset that nobody says and pixels leave open, and for
    pixels that contradict what is said.
    """
    chosen, caller = find_sensor(sensor), Said(unit, scale, offset)
    opened = _opened(source, date)
    opened = Opened(
        opened.kind, opened.source, tuple(map(upright, opened.parts)), opened.said, opened.aside, opened.notes
    )
    names = [part.layers[number].names for part, number in all_layers(opened)]
    named = (
        name_bands(names, chosen, opened.source) if bands is None else given_bands(bands, names, chosen, opened.source)
    )
    reflective = chosen.band_names[0] in SENTINEL2_BANDS
    grid, sources = on_one_grid(opened, named, caller, reflective)
    size = pixel_size(grid, pixel, opened) if reflective else {"pixel_m": grid.metres and list(grid.metres)}
    record = {
        "source": opened.source, "kind": opened.kind, "sensor": chosen.name, "dialect": named.dialect,
        "bands": band_record(sources), "left_out": _left_out(opened, named, names), "shape": list(grid.shape), **size,
        "unit": chosen.unit, "version": brew.__version__, **opened.notes,
    }  # fmt: skip
    image = Image(chosen, grid, sources, record)
    return _checked(image, opened, caller) if reflective else image


def _checked(image: Image, opened: Opened, caller: Said) -> Image:
    """The image, if its pixels agree with what is said of their unit and offset."""
    levels = image.levels()
    if levels is None:
        raise opened.refuse("no pixel has a value; expected some. Give a part of the image that was seen")
    calibrations = [source.calibration for source in image.sources.values()]
    settled = check_levels(levels, calibrations, caller, opened)
    return image.with_record(
        unit_by=calibrations[0].unit_by or "nobody; the pixels look like digital numbers",
        offset=calibrations[0].shift,
        offset_by=settled,
        nodata="NaN, declared nodata, masks, or 0 in all bands at once",
        levels={"0.1 %": levels.low, "0.1 % without offset": levels.after, "99 %": levels.high},
    )


def _left_out(opened: Opened, named: Named, names: Sequence[Sequence[str]]) -> list[str]:
    return [names[number][0] for number in named.rest] + list(opened.aside)


def _opened(source: Any, date: Any) -> Opened:
    if isinstance(source, xr.DataArray):
        return Opened("array", "the array", parts_of_array(source, "the array", date))
    if isinstance(source, xr.Dataset):
        return Opened("Dataset", "the Dataset", parts_of_dataset(source, "the Dataset", date))
    if isinstance(source, (str, Path)):
        return Opened("raster", str(source), (GdalPart(str(source)),))
    raise BrewError(
        f"an image of type {type(source).__name__}; expected a path, a name that GDAL reads, or an array of xarray. "
        "Write it to a GeoTIFF, or make an xarray.DataArray of it"
    )
