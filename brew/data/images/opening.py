"""One reader for whatever people bring: ten named bands on one grid, by windows, with a record of what was assumed.

    image = open_image("scene.tif")
    values, valid = image.read(slice(0, 256), slice(0, 256))

What is accepted and who decides unit and offset: `docs/images.md`. Left out: reprojection, mosaics, several dates.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date as Date
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import xarray as xr

import brew
from brew.data.images.array_parts import parts_of_array, parts_of_dataset
from brew.data.images.bringing_together import (
    all_layers,
    band_record,
    check_order,
    flipped,
    on_one_grid,
    pixel_size,
    upright,
)
from brew.data.images.calibration import Said, check_levels
from brew.data.images.catalogue_items import items_of, open_items
from brew.data.images.dialects import Named, given_bands, name_bands
from brew.data.images.folders import ARCHIVES, open_archive, open_files, open_folder
from brew.data.images.gdal_parts import GdalPart, data_file
from brew.data.images.odd_bands import check_bands
from brew.data.images.parts import Opened
from brew.data.images.products import open_product, product_name
from brew.data.images.scene_image import Image
from brew.data.images.statements import from_name, from_properties
from brew.data.images.trees import is_zarr, open_netcdf, open_tree, open_zarr, said_by
from brew.data.images.validity import mask_of
from brew.errors import BrewError
from brew.sensors import SENTINEL2_BANDS, Sensor
from brew.sensors import sensor as find_sensor


def open_image(
    source: Any,
    sensor: str = "sentinel2",
    *,
    bands: str | Sequence[str] | Mapping[str, str] | None = None,
    unit: str | None = None,
    scale: float | int | None = None,
    offset: float | int | None = None,
    mask: Any = None,
    date: str | Date | np.datetime64 | None = None,
    pixel: float | int | None = None,
) -> Image:
    """The sensor's bands on the grid of the finest of them. Pixels are read when `Image.read` asks for them.

    source: a path, a URL or another name that GDAL reads, or an object that holds an image. A path leads to a raster,
        a folder of one file per band, a SAFE product (folder, zip or xml), a Zarr, netCDF, or an item of STAC as JSON.
        An object is an array, Dataset or DataTree of xarray, a pystac item, or a list of files or arrays that
        together are one scene.
    bands: a named order ("L1C-13", "L2A-12", "EuroSAT-13"), the bands in the image's order, or {band: its name there}.
    unit: "digital numbers" (reflectance x 10000), "reflectance" or "percent". scale, offset: value = stored * scale +
        offset in `unit`; a scale alone leads to reflectance, and an offset alone is in digital numbers (-1000 or 0).
    mask: classes of the image's SCL that have no value, or an array (y, x) that is True where nothing is seen.
    date: of several in the image. pixel: side in metres that is accepted though it is not about 10 m.
    Raises BrewError for what is not such an image, for a unit or offset that nobody says and pixels leave open, and for
    pixels that contradict what is said.
    """
    chosen, opened = find_sensor(sensor), _opened(source, date)
    names = [part.layers[number].names for part, number in all_layers(opened)]
    named = (
        name_bands(names, chosen, opened.source) if bands is None else given_bands(bands, names, chosen, opened.source)
    )
    return image_of(opened, named, chosen, Said(unit, scale, offset), mask, pixel)


def image_of(
    opened: Opened, named: Named, sensor: Sensor, caller: Said, mask: Any = None, pixel: float | int | None = None
) -> Image:
    """The image of parts whose bands are named already; arguments and errors as of `open_image`."""
    opened = replace(opened, parts=tuple(map(upright, opened.parts)))
    reflective = sensor.band_names[0] in SENTINEL2_BANDS
    grid, sources = on_one_grid(opened, named, caller, reflective)
    size = pixel_size(grid, pixel, opened) if reflective else {"pixel_m": grid.metres and list(grid.metres)}
    hidden, nodata = None, "NaN, declared nodata, masks"
    if reflective:
        nodata += ", 0 in all bands, numbers that no reflectance has"
    if mask is not None:
        hidden, given = mask_of(mask, grid, opened, flipped(next(iter(sources.values())).part))
        nodata += f", {given}"
    record = {
        "source": opened.source, "kind": opened.kind, "sensor": sensor.name, "dialect": named.dialect,
        "bands": band_record(sources), "left_out": _left_out(opened, named), "shape": list(grid.shape), **size,
        "unit": sensor.unit, "nodata": nodata, "version": brew.__version__, **opened.notes,
    }  # fmt: skip
    image = Image(sensor, grid, sources, record, hidden)
    return _checked(image, opened, named, caller) if reflective else image


def _checked(image: Image, opened: Opened, named: Named, caller: Said) -> Image:
    """The image, if its pixels agree with what is said of their unit and offset."""
    check_order(opened, named)
    levels = image.levels()
    if levels is None:
        raise opened.refuse("no pixel has a value; expected some. Give a part of the image that was seen")
    calibrations = [source.calibration for source in image.sources.values()]
    settled = check_levels(levels, calibrations, caller, opened)
    check_bands(image, levels, caller, opened)
    return image.with_record(
        unit_by=calibrations[0].unit_by or "nobody; the pixels look like digital numbers",
        offset=calibrations[0].shift,
        offset_by=settled,
        levels={"0.1 %": levels.low, "0.1 % without offset": levels.after, "99 %": levels.high},
    )


def _left_out(opened: Opened, named: Named) -> list[str]:
    layers = all_layers(opened)
    names = [part.layers[number].names[0].split(",")[0] for part, number in (layers[each] for each in named.rest)]
    return list(dict.fromkeys([*names, *opened.aside]))


def _opened(source: Any, date: Any) -> Opened:
    if isinstance(source, xr.DataTree):
        return open_tree(source, "the DataTree", date)
    if isinstance(source, (xr.DataArray, xr.Dataset)):
        return _opened_array(source, date)
    items = items_of(source)
    if items is not None:
        return open_items(items, date)
    if isinstance(source, (list, tuple)) and source:
        return _opened_list(source, date)
    if isinstance(source, rasterio.DatasetReader):
        return _opened_text(source.name, date)
    if isinstance(source, (str, os.PathLike)):
        return _opened_text(os.fspath(source), date)
    raise BrewError(
        f"an image of type {type(source).__name__}; expected a path, a name that GDAL reads, an item of STAC, or an "
        "array of xarray. Write it to a GeoTIFF, or make an xarray.DataArray of it"
    )


def _opened_array(source: xr.DataArray | xr.Dataset, date: Any) -> Opened:
    kind = type(source).__name__
    where = f"the {'array' if kind == 'DataArray' else kind}"
    reader: Any = parts_of_array if isinstance(source, xr.DataArray) else parts_of_dataset
    said = said_by(source.attrs, source.coords)
    return Opened(kind, where, reader(source, where, date), tuple(said))


def _opened_list(source: Sequence[Any], date: Any) -> Opened:
    """Files, or arrays of several resolutions, that together are one scene."""
    if all(isinstance(each, (str, Path)) for each in source):
        return open_files([str(each) for each in source], f"{len(source)} files")
    if all(isinstance(each, (xr.DataArray, xr.Dataset)) for each in source):
        found = [_opened_array(each, date) for each in source]
        parts = tuple(part for each in found for part in each.parts)
        return Opened("list of arrays", "the arrays", parts, tuple(each for one in found for each in one.said))
    raise BrewError(
        f"a list of {', '.join(sorted({type(each).__name__ for each in source}))}; expected files alone, or arrays of "
        "xarray alone. Give one kind"
    )


def _opened_text(source: str, date: Any) -> Opened:
    product = product_name(source)
    if product is not None:
        return open_product(product, source)
    if is_zarr(source):
        return open_zarr(source, date)
    path = Path(source)
    if path.is_dir():
        return open_folder(path)
    if source.lower().endswith(ARCHIVES) and path.is_file():
        return open_archive(path)
    if path.suffix.lower() == ".dim" and path.with_suffix(".data").is_dir():
        return open_folder(path.with_suffix(".data"))
    if path.suffix.lower() in (".nc", ".nc4") and path.is_file():
        return open_netcdf(source, date)
    part = GdalPart(data_file(source))
    if not part.layers:
        raise BrewError(
            f"{source} holds {len(part.subdatasets)} images; expected one. Give one of "
            f"{', '.join(part.subdatasets) or 'none'}, "
            "or a list of them"
        )
    return Opened("raster", source, (part,), tuple(from_properties(part.tags) + from_name(source)))
