"""Imagery in, features out: a scene of any size as dense features on the scene's own grid and coordinate system.

    student = brew.load_student("student.pt")
    features = brew.embed("scene.tif", student)              # xarray.Dataset
    features["features"].rio.to_raster("features.tif")       # or .to_zarr(...)

Left out: reprojection, several dates, pooled vectors (call the student on tiles for those).
"""

import math
from pathlib import Path

import numpy as np
import rioxarray  # noqa: F401  registers `.rio`
import torch
import xarray as xr
from torch.nn import functional

from brew.data.rasters import raster_descriptions, read_band
from brew.data.tiles import blend_window, tile_corners
from brew.errors import BrewError, nearest
from brew.models.student import Student
from brew.sensors import sensor as find_sensor

#: Tiles start and end on cells of the coarsest map, whose stride this is.
_CELL = 32


@torch.no_grad()
def embed(
    image: str | Path | xr.DataArray,
    student: Student,
    sensor: str = "sentinel2",
    stride: int = 4,
    tile: int = 256,
    overlap: int = 64,
    device: str | torch.device = "cpu",
) -> xr.Dataset:
    """Dense features of a scene: ``features`` (feature, y, x) float32, one cell per `stride` x `stride` pixels.

    image: a GeoTIFF whose bands are described by their names ("B4", "B04" or "B8A"; "red", "green", "blue"), or an
        array (band, y, x) whose coordinate `band` holds such names. Bands may come in any order, further ones are left
        out. Values in the sensor's native unit.
    stride: of the student's map, 4, 8, 16 or 32. tile, overlap: in pixels, multiples of 32; overlapping tiles fade into
        each other, so that no seam shows. Memory holds one tile's activations and the whole result.
    Coordinates are the cells' centres; the coordinate system is the scene's.
    Raises BrewError for a missing band, values in another unit or nodata, and a stride that the student does not have.
    """
    names, scene = find_sensor(sensor).band_names, _open(image)
    name = f"stride{stride}"
    if name not in student.channels:
        raise BrewError(f"the student has no map {name!r}; {nearest(name, tuple(student.channels))}")
    if tile % _CELL or overlap % _CELL or not 0 <= overlap < tile:
        raise BrewError(f"tiles of {tile} px that overlap by {overlap}; expected multiples of {_CELL}, overlap < tile")
    if scene.dtype.kind not in "iuf" or not scene.size:
        raise BrewError(f"a scene of {scene.shape} of {scene.dtype}; expected pixels of real numbers. Convert it")
    values = torch.from_numpy(_bands(scene, names).astype(np.float32))
    height, width = values.shape[1:]
    below, right = -height % _CELL, -width % _CELL
    # Padding repeats the border, so that whole cells cover the scene; what it adds is cut off again.
    padded = functional.pad(values[None], (0, right, 0, below), mode="replicate")[0]
    sides = [min(tile, side) for side in padded.shape[1:]]

    student = student.to(device).eval()
    cells = [side // stride for side in sides]
    total = np.zeros((student.channels[name], *(side // stride for side in padded.shape[1:])), dtype=np.float32)
    weight, window = np.zeros(total.shape[1:], dtype=np.float32), blend_window(*cells).astype(np.float32)
    for y, x in _corners(padded.shape[1], padded.shape[2], sides, tile - overlap):
        part = padded[None, :, y : y + sides[0], x : x + sides[1]].to(device)
        found = student(part, sensor=sensor).maps[name][0].float().cpu().numpy()
        place = np.s_[y // stride : y // stride + cells[0], x // stride : x // stride + cells[1]]
        total[:, *place] += window * found
        weight[place] += window
    whole = np.s_[:, : math.ceil(height / stride), : math.ceil(width / stride)]
    return _dataset((total / weight)[whole], scene, stride, {"sensor": sensor, "map": name})


def _corners(height: int, width: int, sides: list[int], step: int) -> list[tuple[int, int]]:
    """Of tiles that cover the scene, along each axis by itself: a scene may be narrower than a tile is wide."""
    rows = tile_corners(height, sides[0], sides[0], min(step, sides[0]))
    columns = tile_corners(sides[1], width, sides[1], min(step, sides[1])) if width > sides[1] else [(0, 0)]
    return [(y, x) for y, _ in rows for _, x in columns]


def _open(image: str | Path | xr.DataArray) -> xr.DataArray:
    """(band, y, x) with names along `band`, coordinates of the pixels' centres and a coordinate system, where known."""
    if isinstance(image, xr.DataArray):
        missing = {"band", "y", "x"} - set(image.dims)
        if missing or image.ndim != 3:
            raise BrewError(f"an array of dimensions {image.dims}; expected band, y and x. Select one date, or rename")
        return image.transpose("band", "y", "x")
    path = Path(image)
    described = [text or str(number) for number, text in enumerate(raster_descriptions(path), 1)]
    bands = [read_band(path, number) for number in range(1, len(described) + 1)]
    transform, (rows, columns) = bands[0].transform, bands[0].values.shape
    scene = xr.DataArray(
        np.stack([band.values for band in bands]),
        dims=("band", "y", "x"),
        coords={
            "band": described,
            "y": transform.f + transform.e * (np.arange(rows) + 0.5),
            "x": transform.c + transform.a * (np.arange(columns) + 0.5),
        },
        attrs={"source": str(path)},
    )
    return scene.rio.write_crs(bands[0].crs) if bands[0].crs else scene


def _bands(scene: xr.DataArray, names: tuple[str, ...]) -> np.ndarray:
    """The sensor's bands, in its order; BrewError naming those that the scene lacks."""
    source = scene.attrs.get("source", "the array")
    held = [_plain(str(name)) for name in scene["band"].values] if "band" in scene.coords else []
    missing = [name for name in names if name.lower() not in held]
    doubled = [name for name in names if held.count(name.lower()) > 1]
    if missing or doubled:
        wrong = f"band {', '.join(missing)} missing" if missing else f"band {', '.join(doubled)} doubled"
        raise BrewError(
            f"{source}: {wrong}; found {', '.join(map(str, scene.coords.get('band', xr.DataArray(held)).values))}. "
            f"Name the bands (a GeoTIFF's descriptions, an array's coordinate `band`) {', '.join(names)}"
        )
    return scene.values[[held.index(name.lower()) for name in names]]


def _plain(name: str) -> str:
    """ "B04" and "b4" are one band."""
    name = name.strip().lower()
    return f"b{name[1:].lstrip('0')}" if name[:1] == "b" and name[1:2].isdigit() else name


def _dataset(values: np.ndarray, scene: xr.DataArray, stride: int, attributes: dict[str, str]) -> xr.Dataset:
    coords = {}
    for axis, count in (("y", values.shape[1]), ("x", values.shape[2])):
        pixels = scene[axis].values if axis in scene.coords else np.arange(scene.sizes[axis]) + 0.5
        # Of a single pixel, no spacing is known: its cell lies where it does.
        pixel = (pixels[-1] - pixels[0]) / max(1, len(pixels) - 1)
        coords[axis] = pixels[0] + pixel * (stride * (np.arange(count) + 0.5) - 0.5)
    features = xr.DataArray(values, dims=("feature", "y", "x"), coords=coords, name="features", attrs=attributes)
    dataset = features.to_dataset()
    return dataset.rio.write_crs(scene.rio.crs) if scene.rio.crs is not None else dataset
