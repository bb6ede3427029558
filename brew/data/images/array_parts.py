"""Arrays of xarray as parts of an image. Those that compute lazily stay so until a window is read."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import rioxarray  # noqa: F401  registers `.rio`
import xarray as xr
from rasterio.transform import Affine

from brew.data.images.parts import RASTER_BANDS, Grid, Layer
from brew.errors import BrewError

_ROWS = ("y", "lat", "latitude", "northing", "northings")
_COLUMNS = ("x", "lon", "longitude", "easting", "eastings")
_DATES = ("time", "date", "t", "times", "dates")
#: Steps between coordinates may differ by this share of a step.
_UNEQUAL = 0.01
#: Attributes by which tools declare a value that is none.
_NODATA = ("_FillValue", "nodata", "missing_value", "fill_value", "_nodata")

#: Attributes of a variable that holds a coordinate system.
_SYSTEMS = ("crs_wkt", "spatial_ref", "wkt")


class ArrayPart:
    """Bands of an array (band, y, x), or the variables (y, x) of a Dataset, on one grid."""

    def __init__(self, dataset: xr.Dataset, where: str):
        """dataset: variables (y, x) or (band, y, x), each with all of the same grid."""
        self._dataset = dataset
        arrays = [dataset[name] for name in dataset.data_vars]
        self.grid = _grid(arrays[0], where)
        self._places: list[tuple[str, int | None]] = []
        layers: list[Layer] = []
        for name, array in zip(dataset.data_vars, arrays, strict=True):
            if array.dtype.kind not in "iuf":
                raise BrewError(f"{where}, {name}: {array.dtype}; expected real numbers. Convert the array")
            count = array.sizes["band"] if "band" in array.dims else 1
            texts = _names(array, str(name), count)
            for number in range(count):
                self._places.append((str(name), number if "band" in array.dims else None))
                layers.append(_layer(array, number, texts[number], where))
        self.layers = tuple(layers)

    def read(self, which: Sequence[int], rows: slice, columns: slice) -> tuple[np.ndarray, np.ndarray]:
        wanted = [self._places[number] for number in which]
        variables = list(dict.fromkeys(name for name, _ in wanted))
        found = self._dataset[variables].isel(y=rows, x=columns)
        if "band" in found.dims:  # a chunk that holds several bands is computed once
            numbers = sorted({number for _, number in wanted if number is not None})
            found = found.isel(band=numbers)
        found = found.compute()
        layers = [
            found[name].values if number is None else found[name].values[numbers.index(number)]
            for name, number in wanted
        ]
        valid = [~self.layers[number].is_none(values) for number, values in zip(which, layers, strict=True)]
        return np.stack(layers), np.stack(valid)


def parts_of_array(array: xr.DataArray, where: str, date: Any = None) -> tuple[ArrayPart, ...]:
    """The bands of an array; BrewError if its dimensions are not those of one image."""
    array = _one_date(_renamed(array, where), date, where)
    bands = [str(name) for name in array.dims if name not in ("y", "x")]
    if len(bands) > 1 or not {"y", "x"} <= set(array.dims):
        raise BrewError(
            f"{where}: an array of dimensions {array.dims}; expected band, y and x. Select the others by `.isel`, or "
            "rename them"
        )
    name = str(array.name or "array")
    if bands and bands[0] != "band":
        array = array.drop_vars("band", errors="ignore").rename({bands[0]: "band"})
    array = array.transpose(..., "y", "x")
    return (ArrayPart(_without_index(array, name), where),)


def parts_of_dataset(dataset: xr.Dataset, where: str, date: Any = None) -> tuple[ArrayPart, ...]:
    """The variables of a Dataset that have rows and columns, each a band, or several if it has a dimension of bands."""
    dataset = _with_crs(_one_date(_renamed(dataset, where), date, where))
    if not {"y", "x"} <= set(dataset.dims) and (grids := _grids_of(dataset)):
        return tuple(part for each in grids for part in parts_of_dataset(each, where))
    images = {name: array for name, array in dataset.data_vars.items() if {"y", "x"} <= set(array.dims)}
    real = {name: array for name, array in images.items() if array.dtype.kind in "iuf"}
    if not real:
        raise BrewError(
            f"{where}: no variable of real numbers with rows and columns; found "
            f"{', '.join(map(str, dataset.variables))}. "
            "Give the Dataset whose variables are the bands"
        )
    many = [(name, array) for name, array in real.items() if array.ndim > 2]
    if many:
        return tuple(part for _, array in many for part in parts_of_array(array, where))
    # Variables know the grid's mapping by an attribute, the Dataset by a coordinate.
    return (ArrayPart(dataset[list(real)].transpose("y", "x"), where),)


def _grids_of(dataset: xr.Dataset) -> list[xr.Dataset]:
    """A Dataset for each pair of dimensions ("r10m_y", "r10m_x"), as xarray-eopf flattens a product's groups."""
    pairs = dict.fromkeys(array.dims for array in dataset.data_vars.values() if array.ndim == 2)
    pairs = {(y, x): None for y, x in pairs if str(y).endswith("_y") and str(x) == str(y)[:-1] + "x"}
    return [
        dataset[[name for name, array in dataset.data_vars.items() if array.dims == (y, x)]].rename({y: "y", x: "x"})
        for y, x in pairs
    ]


def _with_crs(dataset: xr.Dataset) -> xr.Dataset:
    """With the coordinate system that a variable without dimensions holds, as CF, SNAP and openEO write it.

    xarray keeps such a variable apart from the bands unless told to decode all coordinates.
    """
    for name, variable in dataset.variables.items():
        text = next((variable.attrs[key] for key in _SYSTEMS if variable.attrs.get(key)), None)
        if text is not None and variable.size == 1 and name not in dataset.coords:
            return dataset.drop_vars([name]).rio.write_crs(str(text))
    return dataset


def _without_index(array: xr.DataArray, name: str) -> xr.Dataset:
    """A Dataset of that one variable; the names of bands need not be unique."""
    return array.to_dataset(name=name)


def _renamed(found: Any, where: str) -> Any:
    """With rows "y" and columns "x"."""
    names = {}
    for wanted, known in (("y", _ROWS), ("x", _COLUMNS)):
        held = [name for name in found.dims if str(name).lower() in known]
        if len(held) == 1 and held[0] != wanted:
            names[held[0]] = wanted
        elif len(held) > 1:
            raise BrewError(
                f"{where}: dimensions {', '.join(map(str, held))}; expected one of them. Give bands of one resolution "
                "at a time, as a list of arrays"
            )
    return found.rename(names) if names else found


def _one_date(found: Any, date: Any, where: str) -> Any:
    for name in [each for each in found.dims if str(each).lower() in _DATES]:
        count = found.sizes[name]
        if date is not None and name in found.coords:
            found = _at_date(found, str(name), date, where)
        elif count != 1:
            dates = (
                ", ".join(str(value)[:10] for value in found[name].values[:4]) if name in found.coords else "unnamed"
            )
            raise BrewError(
                f"{where}: {count} dates along {name!r} ({dates}{' ...' if count > 4 else ''}); expected one. Select "
                f"it by `.isel({name}=0)`, or pass `date=`"
            )
        else:
            found = found.isel({name: 0})
    return found


def _at_date(found: Any, name: str, date: Any, where: str) -> Any:
    days = np.array([str(value)[:10] for value in found[name].values])
    wanted = str(np.datetime64(date, "D"))
    here = np.flatnonzero(days == wanted)
    if len(here) != 1:
        raise BrewError(
            f"{where}: {len(here)} images of {wanted}; expected one. Dates are {', '.join(dict.fromkeys(days))}: pass "
            f"one that stands there once, or select by `.isel({name}=0)`"
        )
    return found.isel({name: int(here[0])})


def _grid(array: xr.DataArray, where: str) -> Grid:
    shape = (array.sizes["y"], array.sizes["x"])
    crs = _crs(array)
    if not min(shape):
        raise BrewError(f"{where}: an image of {shape} pixels; expected some. Select another part")
    if not {"y", "x"} <= set(array.coords) or array["y"].ndim != 1 or array["x"].ndim != 1:
        if "y" in array.coords and array["y"].ndim != 1:
            raise BrewError(
                f"{where}: coordinates y of dimensions {array['y'].dims}; expected one per row. Resample to an upright "
                "grid first, such as by `.rio.reproject`"
            )
        transform = array.rio.transform() if crs else None
        return Grid(shape, transform, crs.to_wkt() if crs else "", bool(crs and crs.is_geographic))
    (top, dy), (left, dx) = (_start_and_step(array[axis].values, axis, where) for axis in ("y", "x"))
    declared = _declared_transform(array)
    dy, dx = dy or (declared.e if declared else -1.0), dx or (declared.a if declared else 1.0)
    transform = Affine(dx, 0, left - dx / 2, 0, dy, top - dy / 2)
    if declared is not None:
        transform = _against_corners(transform, declared)
    degrees = bool(crs.is_geographic) if crs else False
    return Grid(shape, transform, crs.to_wkt() if crs else "", degrees)


def _start_and_step(values: np.ndarray, axis: str, where: str) -> tuple[float, float | None]:
    """First coordinate and the step between all, None if there is but one."""
    if values.dtype.kind not in "iuf":
        raise BrewError(f"{where}: coordinates {axis} of {values.dtype}; expected numbers. Assign the pixels' centres")
    values = values.astype(np.float64)
    if len(values) == 1:
        return float(values[0]), None
    steps = np.diff(values)
    step = (values[-1] - values[0]) / (len(values) - 1)
    # Coordinates of 32 bits are rounded, and so are their steps.
    slack = max(_UNEQUAL * abs(step), 4 * np.finfo(np.float32).eps * np.abs(values).max() if _is_single(values) else 0)
    if not step or np.abs(steps - step).max() > slack:
        raise BrewError(
            f"{where}: steps between {axis} from {steps.min():g} to {steps.max():g}; expected equal ones. Bring the "
            "image to an even grid first, by `.rio.reproject`, `.interp` or gdalwarp, and sort it by its coordinates"
        )
    return float(values[0]), float(step)


def _is_single(values: np.ndarray) -> bool:
    return bool((values == values.astype(np.float32)).all())


def _declared_transform(array: xr.DataArray) -> Affine | None:
    """The transform of a corner that stackstac or rasterio leaves in the attributes."""
    given = array.attrs.get("transform")
    if given is None:
        return None
    try:
        return Affine(*[float(number) for number in tuple(given)[:6]])
    except (TypeError, ValueError):
        return None


def _against_corners(centres: Affine, declared: Affine) -> Affine:
    """`centres` takes coordinates for pixels' centres. If they are corners by the declared transform, move them."""
    same = abs(declared.a - centres.a) < _UNEQUAL * abs(centres.a) and abs(declared.e - centres.e) < _UNEQUAL * abs(
        centres.e
    )
    if not same or declared.b or declared.d:
        return centres
    across = ((centres.c + centres.a / 2 - declared.c) / declared.a) % 1
    down = ((centres.f + centres.e / 2 - declared.f) / declared.e) % 1
    corners = all(min(share, 1 - share) < _UNEQUAL for share in (across, down))
    return centres @ Affine.translation(0.5, 0.5) if corners else centres


def _crs(array: xr.DataArray) -> Any:
    try:
        found = array.rio.crs
    except Exception as error:  # rioxarray hands on whatever pyproj and rasterio raise
        raise BrewError(
            f"the array's coordinate system cannot be read ({error}); write it by `.rio.write_crs`"
        ) from error
    beside = str(array["epsg"].values) if "epsg" in array.coords and array["epsg"].size == 1 else ""
    for text in (str(array.attrs.get("crs", "")), beside):
        if found is None and text.strip() not in ("", "nan", "None"):
            found = array.rio.write_crs(int(text) if text.isdigit() else text).rio.crs
    return found


def _names(array: xr.DataArray, name: str, count: int) -> list[tuple[str, ...]]:
    """What each band is called, the most telling first."""
    if "band" not in array.dims:
        said = [array.attrs.get(key) for key in ("name", "long_name", "common_name", "standard_name")]
        return [tuple(str(text) for text in (name, *said) if isinstance(text, str) and text)]
    lists: list[Sequence[str]] = []
    long_name = array.attrs.get("long_name")
    if isinstance(long_name, (tuple, list)) and len(long_name) == count:
        lists.append([str(text) for text in long_name])
    # stackstac and others put further names beside the dimension.
    beside = [key for key in ("common_name", "band_name", "eo:common_name", "title") if key in array.coords]
    for key in ("band", *beside):
        if key in array.coords and array[key].dims == ("band",):
            lists.append([str(value) for value in array[key].values])
    lists = lists or [[str(number) for number in range(1, count + 1)]]
    # Numbers are places, not names, unless nothing else is there.
    telling = [each for each in lists if not all(text.isdigit() for text in each)] or lists
    return [tuple(dict.fromkeys(each[number] for each in telling)) for number in range(count)]


def _layer(array: xr.DataArray, number: int, names: tuple[str, ...], where: str) -> Layer:
    attributes, encoding = array.attrs, array.encoding
    scale, offset = _packing(attributes, number)
    said, decoded = "scale and offset of the attributes", False
    of_stac = _raster_bands(array, number)
    if scale is None and offset is None and of_stac != (None, None):
        (scale, offset), said = of_stac, RASTER_BANDS
        decoded = array.dtype.kind == "f" and _looks_decoded(array, number)
    if scale is None and offset is None and array.dtype.kind == "f":
        scale, offset = _packing(encoding, number)
        said, decoded = "scale and offset of the encoding, applied already", scale is not None or offset is not None
    if (scale or 1.0, offset or 0.0) == (1.0, 0.0):
        scale = offset = None
        decoded = False
    stored = (float(attributes[key]) for key in _NODATA if _is_number(attributes.get(key)))
    nodata = {value * (scale or 1) + (offset or 0) if decoded else value for value in stored}
    return Layer(
        names=names,
        where=f"{where}, {names[0]}",
        dtype=np.dtype(encoding.get("dtype", array.dtype)) if decoded else array.dtype,
        scale=scale,
        offset=offset,
        decoded=decoded,
        unit=str(attributes.get("units", attributes.get("unit", "")))
        if "band" not in array.dims or _one_unit(attributes)
        else "",
        declared_by=said if scale is not None or offset is not None else "",
        nodata=tuple(sorted(value for value in nodata if not np.isnan(value))),
        tags={key: str(attributes[key]) for key in ("BOA_ADD_OFFSET", "RADIO_ADD_OFFSET") if key in attributes},
    )


def _raster_bands(array: xr.DataArray, number: int) -> tuple[float | None, float | None]:
    """Scale and offset of the coordinate that stackstac makes of STAC's `raster:bands`."""
    if RASTER_BANDS not in array.coords:
        return None, None
    values = np.atleast_1d(array[RASTER_BANDS].values)
    said = values[number] if len(values) > number else values[0]
    said = said[0] if isinstance(said, (list, tuple)) and said else said
    if not isinstance(said, Mapping):
        return None, None
    found = [said.get(name) for name in ("scale", "offset")]
    return (*(float(value) if value is not None and _is_number(value) else None for value in found),)  # type: ignore[return-value]


def _looks_decoded(array: xr.DataArray, number: int) -> bool:
    """Whether a scale was applied, which stackstac does unless told otherwise: reflectance is four orders smaller."""
    layer = array.isel(band=number) if "band" in array.dims else array
    height, width = layer.sizes["y"], layer.sizes["x"]
    for share in (0.5, 0.25, 0.75):
        rows, columns = (slice(int(side * share), int(side * share) + 64) for side in (height, width))
        values = layer.isel(y=rows, x=columns).values
        values = values[np.isfinite(values)]
        if values.size:
            return bool(np.quantile(values, 0.99) <= 2)
    return True


def _one_unit(attributes: Mapping[Any, Any]) -> bool:
    return isinstance(attributes.get("units", attributes.get("unit", "")), str)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool)


def _packing(source: Mapping[Any, Any], number: int) -> tuple[float | None, float | None]:
    """Scale and offset as CF names them, or per band as rioxarray does."""
    found = []
    for one, many in (("scale_factor", "scales"), ("add_offset", "offsets")):
        value, values = source.get(one), source.get(many)
        if isinstance(values, (tuple, list, np.ndarray)) and len(values) > number:
            value = values[number]
        found.append(float(value) if value is not None and _is_number(value) else None)
    return found[0], found[1]
