"""OSCD: the Onera Satellite Change Detection data set as a store of overlapping tiles.

Cities differ in size, so each is cut into tiles of one size that overlap; a tile knows its city and place, and
predictions are stitched again (`brew.evaluation.change_detection`). Both dates and all tiles of a city stay in one
split.

Source: Daudt et al. 2018 (IGARSS), torchgeo's `OSCD` layout of the files. Statistics of each city and date stand beside
its tiles, since the data set's own authors standardise every image by its own mean and deviation.
"""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np

from brew.data.fetch import Remote
from brew.data.plain import read_yaml
from brew.data.rasters import (
    check_digital_numbers,
    check_disjoint,
    check_tiles,
    content_hash,
    read_picture,
    read_raster,
    stack_bands,
)
from brew.data.store import Variable, write_store
from brew.data.tiles import tile_corners
from brew.errors import BrewError
from brew.files import DATA
from brew.sensors import SENSORS

_IMAGES = "Onera Satellite Change Detection dataset - Images"
_LABELS = ("Onera Satellite Change Detection dataset - Train Labels",
           "Onera Satellite Change Detection dataset - Test Labels")  # fmt: skip
_BANDS = SENSORS["sentinel2"].band_names
#: Where torchgeo has kept copies since a certificate of the authors' host ended (torchgeo issue 3239), at one revision.
_HOST = "https://hf.co/datasets/hkristen/oscd/resolve/4958d786c1389ede1511d91a6ecf1a75c4074933"
#: SHA-256 of the archives, as torchgeo 0.10.1 publishes them.
_ARCHIVES = {
    "Onera Satellite Change Detection dataset - Images.zip": (
        "940b87887511058a933e67cd6d0e43e2eb825a55d8e79a50983dee7f23003656"
    ),
    "Onera Satellite Change Detection dataset - Train Labels.zip": (
        "89fb54cd12ad0dbea6c447528139dec305b865294215434bf6dd170fb8fd3ca5"
    ),
    "Onera Satellite Change Detection dataset - Test Labels.zip": (
        "2e195eaa1b788b99fa93ea8073e3780bc0b763000b0c49dbf70548acf1e5d67d"
    ),
}
SPLITS = DATA / "splits" / "oscd.yaml"
LICENCE = "imagery: Copernicus Sentinel data 2015-2018; labels: CC BY-NC-SA 4.0"


def remotes() -> tuple[Remote, ...]:
    """The three archives; torchgeo 0.8, which Python 3.11 takes, knows none but the addresses that died."""
    return tuple(Remote(name, f"{_HOST}/{quote(name)}", sha256=sha256) for name, sha256 in _ARCHIVES.items())


@dataclass(frozen=True)
class OscdSettings:
    """tile: side in pixels. stride: between neighbours; the last tile of a row ends at the border."""

    tile: int = 96
    stride: int = 48


@dataclass(frozen=True)
class City:
    """A pair of images and its mask. images: (time, band, y, x) uint16. change: (y, x) uint8, 1 where changed."""

    name: str
    split: str
    images: np.ndarray
    change: np.ndarray


def read_splits(path: Path = SPLITS) -> dict[str, list[str]]:
    """City names by split, each in one split alone."""
    splits = read_yaml(path)
    if not isinstance(splits, dict) or not all(isinstance(members, list) for members in splits.values()):
        raise BrewError(f"{path} holds {type(splits).__name__}; expected lists of cities by split. Restore it from git")
    check_disjoint(splits, "city")
    return splits


def read_city(root: Path, name: str, split: str) -> City:
    """The city's two dates and its mask; BrewError naming file and band where something is wrong."""
    dates = [_read_date(root / _IMAGES / name / f"imgs_{date}_rect") for date in (1, 2)]
    if dates[0].shape != dates[1].shape:
        raise BrewError(f"{root / _IMAGES / name}: dates of {dates[0].shape} and {dates[1].shape}; expected one size")
    files = [file for folder in _LABELS for file in (root / folder / name / "cm").glob("cm.png")]
    if len(files) != 1:
        raise BrewError(f"{root}: {len(files)} change masks for {name}; expected one cm/cm.png. Restore the labels")
    mask = read_picture(files[0], ("L", "1", "RGB", "RGBA", "P"))
    mask = mask if mask.ndim == 2 else mask[..., 0]
    if mask.shape != dates[0].shape[1:] or not np.isin(mask, (0, 255)).all():
        raise BrewError(
            f"{files[0]}: mask of {mask.shape} with values {np.unique(mask)[:5].tolist()}; expected "
            f"{dates[0].shape[1:]} with 0 and 255"
        )
    return City(name, split, np.stack(dates), (mask > 0).astype(np.uint8))


def _read_date(folder: Path) -> np.ndarray:
    bands: dict[str, tuple[Path, np.ndarray]] = {}
    for path in sorted(folder.glob("*.tif")):
        band = f"B{path.stem.removeprefix('B').lstrip('0')}"
        if band in bands:
            raise BrewError(f"{path}, band {band}: {bands[band][0].name} holds it too; expected one file. Remove one")
        if band in _BANDS:
            bands[band] = (path, check_digital_numbers(read_raster(path), path, band))
    if not bands:
        raise BrewError(f"{folder} holds no band; expected B02.tif and the others. Restore the city's images")
    return stack_bands(bands, _BANDS)


def check_city(root: Path, name: str, split: str, settings: OscdSettings) -> tuple[int, int]:
    """Height and width of a city whose images, mask and every tile are sound; BrewError where they are not."""
    city = read_city(root, name, split)
    height, width = city.change.shape
    corners = tile_corners(height, width, settings.tile, settings.stride)
    for date, image in enumerate(city.images, start=1):
        for band, values in zip(_BANDS, image, strict=True):
            check_tiles(values, root / _IMAGES / name / f"imgs_{date}_rect", band, corners, settings.tile)
    return height, width


def build(root: Path, path: Path, settings: OscdSettings) -> None:
    """Read every city, check it, then write the store of tiles at `path`."""
    splits = read_splits()
    names = [(name, split) for split, members in splits.items() for name in members]
    # Bad input ends here, before anything is written.
    sizes = {name: check_city(root, name, split, settings) for name, split in names}
    tile, bands = settings.tile, len(_BANDS)
    count = sum(len(tile_corners(*size, tile, settings.stride)) for size in sizes.values())
    variables = {
        "multispectral": Variable(("sample", "time", "band", "y", "x"), (2, bands, tile, tile), "uint16"),
        "change": Variable(("sample", "y", "x"), (tile, tile), "uint8"),
        "scene_mean": Variable(("sample", "time", "band"), (2, bands), "float32"),
        "scene_std": Variable(("sample", "time", "band"), (2, bands), "float32"),
        "split": Variable(("sample",), (), "text"),
        "city": Variable(("sample",), (), "text"),
        "hash": Variable(("sample", "time"), (2,), "text"),
        "row": Variable(("sample",), (), "int32"),
        "column": Variable(("sample",), (), "int32"),
        "height": Variable(("sample",), (), "int32"),
        "width": Variable(("sample",), (), "int32"),
    }
    blocks = (_tiles(read_city(root, name, split), settings) for name, split in names)
    attributes = {"source": "OSCD", "licence": LICENCE, "units": SENSORS["sentinel2"].unit}
    write_store(path, count, variables, blocks, attributes)


def _tiles(city: City, settings: OscdSettings) -> dict[str, np.ndarray]:
    height, width = city.change.shape
    corners, tile = tile_corners(height, width, settings.tile, settings.stride), settings.tile
    values = city.images.astype(np.float64)
    mean, std = values.mean((2, 3)).astype(np.float32), values.std((2, 3)).astype(np.float32)
    count = len(corners)
    rows, columns = (np.array(each, dtype=np.int32) for each in zip(*corners, strict=True))
    return {
        "multispectral": np.stack([city.images[:, :, y : y + tile, x : x + tile] for y, x in corners]),
        "change": np.stack([city.change[y : y + tile, x : x + tile] for y, x in corners]),
        "scene_mean": np.broadcast_to(mean, (count, *mean.shape)),
        "scene_std": np.broadcast_to(std, (count, *std.shape)),
        "split": np.full(count, city.split, dtype=object),
        "city": np.full(count, city.name, dtype=object),
        "hash": np.tile(np.array([content_hash(image) for image in city.images], dtype=object), (count, 1)),
        "row": rows,
        "column": columns,
        "height": np.full(count, height, dtype=np.int32),
        "width": np.full(count, width, dtype=np.int32),
    }
