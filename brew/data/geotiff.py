"""Folders of GeoTIFFs as a store of Sentinel-2 tiles: one file per band, or all bands of a scene in one file.

Which band a file holds is read from the file's own band descriptions ("B04", "B8A"), from a file name that ends in the
band's name ("T32TNS_20240701_B04.tif"), or from a table (CSV or YAML) that says it; never from the order of files.

Bands of 20 m and 60 m are brought to the scene's 10 m grid bilinearly where their pixels are exact multiples with the
same corner; edges are extended. Nothing else is resampled or reprojected: a band with another coordinate system, corner
or extent is an error that names file and band.

Left out: several dates of one place (a store's second dimension has length one here), masks of clouds.
"""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from torch.nn import functional

from brew.data.checks import (
    Raster,
    check_digital_numbers,
    check_disjoint,
    check_tiles,
    content_hash,
    raster_descriptions,
    read_band,
)
from brew.data.store import Variable, write_store
from brew.data.tiles import tile_corners
from brew.errors import BrewError, nearest
from brew.sensors import SENSORS, SENTINEL2_BANDS

_BANDS = SENSORS["sentinel2"].band_names
_COLUMNS = ("file", "band", "index", "scene", "split")
_SPLITS = ("pretrain", "train", "validation", "test")
#: Corners of two grids agree when they differ by less than this share of a pixel.
_TOLERANCE = 1e-3


@dataclass(frozen=True)
class GeotiffSettings:
    """folder: of the files, searched with its subfolders. licence: of the images, kept in the store.

    table: CSV or YAML, below `folder`, with columns file, band, and where needed index (of the band in the file, from
    1), scene, split. Without one, a file of several bands is a scene, and so are the files of one band in one folder.
    split: of scenes for which the table names none. tile, stride: in 10 m pixels.
    """

    folder: Path
    licence: str
    table: str | None = None
    split: str = "pretrain"
    tile: int = 96
    stride: int = 96


@dataclass(frozen=True)
class BandFile:
    """Where one band of one scene lies. band: Sentinel-2 name such as "B8A". index: in the file, from 1."""

    path: Path
    band: str
    index: int
    scene: str
    split: str


@dataclass(frozen=True)
class Scene:
    """One scene on its 10 m grid. values: (10, y, x) uint16 in the order of ``SENSORS["sentinel2"]``.

    crs: WKT, empty where the files carry none. transform: GDAL's six numbers.
    """

    name: str
    split: str
    values: np.ndarray
    crs: str
    transform: tuple[float, ...]


def list_bands(settings: GeotiffSettings) -> dict[str, dict[str, BandFile]]:
    """{scene: {band: file}} of the ten bands that brew uses, by name; 60 m bands are left out.

    Raises BrewError where a band is missing or doubled, has no known name, or a scene stands in two splits.
    """
    folder = Path(settings.folder)
    if settings.split not in _SPLITS:
        raise BrewError(f"split {settings.split!r} is unknown; {nearest(settings.split, _SPLITS)}")
    files = list(_from_table(folder, settings) if settings.table else _from_files(folder, settings))
    if not files:
        raise BrewError(f"{folder} holds no GeoTIFF (*.tif, *.tiff); expected Sentinel-2 bands there. Check `folder`")
    scenes: dict[str, dict[str, BandFile]] = {}
    for file in files:
        bands = scenes.setdefault(file.scene, {})
        if file.band in bands:
            raise BrewError(
                f"{file.path}, band {file.band}: doubled, {bands[file.band].path} holds it too in scene "
                f"{file.scene!r}; expected it once. Remove one, or tell the scenes apart in a table"
            )
        bands[file.band] = file
    members: dict[str, set[str]] = {}
    for file in files:
        members.setdefault(file.split, set()).add(file.scene)
    check_disjoint(members, "scene")
    for name, bands in scenes.items():
        missing = [band for band in _BANDS if band not in bands]
        if missing:
            place = next(iter(bands.values())).path.parent
            raise BrewError(
                f"{place}, scene {name!r}: band {', '.join(missing)} missing; found {', '.join(sorted(bands))}. "
                "Add the files, or name their bands in a table"
            )
    return {name: {band: scenes[name][band] for band in _BANDS} for name in sorted(scenes)}


def read_scene(bands: Mapping[str, BandFile]) -> Scene:
    """All bands of a scene on the grid of its 10 m bands; BrewError naming file and band where something is wrong."""
    rasters = {}
    for band, file in bands.items():
        rasters[band] = read_band(file.path, file.index)
        check_digital_numbers(rasters[band].values, file.path, band)
    grid, first = rasters[_BANDS[0]], bands[_BANDS[0]]
    values = [_on_grid(raster, grid, bands[band]) for band, raster in rasters.items()]
    return Scene(first.scene, first.split, np.stack(values), grid.crs, tuple(grid.transform.to_gdal()))


def build(path: Path, settings: GeotiffSettings) -> None:
    """Read every scene, check it, then write the store of tiles at `path`."""
    scenes = list_bands(settings)
    counts, grids = 0, {}
    for name, bands in scenes.items():  # bad input ends here, before anything is written
        scene = read_scene(bands)
        corners = _corners(scene, bands, settings)
        for band, values in zip(_BANDS, scene.values, strict=True):
            check_tiles(values, bands[band].path, band, corners, settings.tile)
        counts += len(corners)
        grids[name] = {"crs": scene.crs, "transform": list(scene.transform), "shape": list(scene.values.shape[1:])}
    tile = settings.tile
    variables = {
        "multispectral": Variable(("sample", "time", "band", "y", "x"), (1, len(_BANDS), tile, tile), "uint16"),
        "split": Variable(("sample",), (), "text"),
        "origin": Variable(("sample",), (), "text"),
        "hash": Variable(("sample",), (), "text"),
        "row": Variable(("sample",), (), "int32"),
        "column": Variable(("sample",), (), "int32"),
    }
    attributes = {"source": f"GeoTIFFs in {Path(settings.folder).name}", "licence": settings.licence, "scenes": grids}
    blocks = (_tiles(read_scene(bands), bands, settings) for bands in scenes.values())
    write_store(path, counts, variables, blocks, attributes)


def _corners(scene: Scene, bands: Mapping[str, BandFile], settings: GeotiffSettings) -> list[tuple[int, int]]:
    try:
        return tile_corners(scene.values.shape[1], scene.values.shape[2], settings.tile, settings.stride)
    except BrewError as error:
        raise BrewError(f"{bands[_BANDS[0]].path}: {error}") from error


def _tiles(scene: Scene, bands: Mapping[str, BandFile], settings: GeotiffSettings) -> dict[str, np.ndarray]:
    corners, tile = _corners(scene, bands, settings), settings.tile
    return {
        "multispectral": np.stack([scene.values[:, y : y + tile, x : x + tile] for y, x in corners])[:, None],
        "split": np.full(len(corners), scene.split, dtype=object),
        "origin": np.full(len(corners), scene.name, dtype=object),
        "hash": np.full(len(corners), content_hash(scene.values), dtype=object),
        "row": np.array([y for y, _ in corners], dtype=np.int32),
        "column": np.array([x for _, x in corners], dtype=np.int32),
    }


def _on_grid(raster: Raster, grid: Raster, file: BandFile) -> np.ndarray:
    """The band's values on the 10 m grid; BrewError where that would need more than an exact multiple."""
    where = f"{file.path}, band {file.band}"
    if raster.crs != grid.crs:
        raise BrewError(
            f"{where}: coordinate system {_short(raster.crs)}; expected {_short(grid.crs)} as band {_BANDS[0]} in "
            f"{grid.path}. Reproject one of them first"
        )
    if not grid.crs and raster.values.shape != grid.values.shape:
        raise BrewError(
            f"{where}: {raster.values.shape} pixels; expected {grid.values.shape} as band {_BANDS[0]}, since the files "
            "carry no coordinates. Resample the band first"
        )
    ratio = round(raster.transform.a / grid.transform.a) if grid.transform.a else 0
    expected = [grid.transform.a * ratio, grid.transform.b * ratio, grid.transform.c]
    expected += [grid.transform.d * ratio, grid.transform.e * ratio, grid.transform.f]
    apart = np.abs(np.array(raster.transform[:6]) - expected).max() > _TOLERANCE * abs(grid.transform.a)
    if ratio < 1 or apart or (raster.values.shape[0] * ratio, raster.values.shape[1] * ratio) != grid.values.shape:
        raise BrewError(
            f"{where}: {raster.values.shape} pixels with transform {tuple(raster.transform)[:6]}; expected an exact "
            f"multiple of the {grid.values.shape} pixels with transform {tuple(grid.transform)[:6]} of band "
            f"{_BANDS[0]}. Resample the band to that grid first"
        )
    return raster.values if ratio == 1 else _bilinear(raster.values, ratio)


def _short(crs: str) -> str:
    return crs.split('"')[1] if '"' in crs else crs or "none"


def _bilinear(values: np.ndarray, ratio: int) -> np.ndarray:
    """`ratio` times the pixels per side, pixel centres half a pixel inside the corners, rounded to integers."""
    pixels = torch.from_numpy(values.astype(np.float32))[None, None]
    finer = functional.interpolate(pixels, scale_factor=ratio, mode="bilinear", align_corners=False)
    return finer[0, 0].round().numpy().astype(np.uint16)


def _from_files(folder: Path, settings: GeotiffSettings) -> Iterator[BandFile]:
    """Bands named by their files: the scene is the file itself, or the folder where a file holds one band."""
    for path in _rasters(folder):
        names = raster_descriptions(path)
        alone = len(names) == 1
        scene = (path.parent if alone else path.with_suffix("")).relative_to(folder).as_posix()
        for index, description in enumerate(names, start=1):
            said = description or (path.stem.rsplit("_", 1)[-1] if alone else "")
            band = _band(said)
            if band is None:
                raise BrewError(
                    f"{path}, band number {index}: found {said or 'no description'!r}; expected the name of a "
                    "Sentinel-2 band. Describe the bands in the file, or list them in a table: "
                    f"{', '.join(_COLUMNS)}"
                )
            yield BandFile(path, band, index, folder.name if scene == "." else scene, settings.split)


def _from_table(folder: Path, settings: GeotiffSettings) -> Iterator[BandFile]:
    """Bands named by a table."""
    table = folder / str(settings.table)
    for number, row in enumerate(_rows(table), start=1):
        unknown = [key for key in row if key not in _COLUMNS]
        if unknown or not row.get("file") or not row.get("band"):
            problem = f"column {unknown[0]!r}" if unknown else f"a row without file or band: {row}"
            raise BrewError(
                f"{table}, row {number}: {problem}; expected columns {', '.join(_COLUMNS)}. Correct the table"
            )
        path, band = folder / str(row["file"]), _band(str(row["band"]))
        if band is None:
            raise BrewError(
                f"{table}, row {number}: band {row['band']!r}; {nearest(str(row['band']), tuple(SENTINEL2_BANDS))}"
            )
        try:
            index = int(row.get("index") or 1)
        except ValueError as error:
            raise BrewError(f"{table}, row {number}: index {row['index']!r}; expected a number from 1") from error
        scene = str(row.get("scene") or path.parent.relative_to(folder).as_posix())
        split = str(row.get("split") or settings.split)
        if split not in _SPLITS:
            raise BrewError(f"{table}, row {number}: split {split!r} is unknown; {nearest(split, _SPLITS)}")
        yield BandFile(path, band, index, folder.name if scene == "." else scene, split)


def _rows(table: Path) -> list[dict[str, Any]]:
    if not table.is_file():
        raise BrewError(f"{table} does not exist; expected a table of bands there. Check `table`")
    if table.suffix == ".csv":
        with table.open(newline="") as stream:
            return list(csv.DictReader(stream))
    rows = yaml.safe_load(table.read_text())
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise BrewError(f"{table} holds {type(rows).__name__}; expected a list of rows with {', '.join(_COLUMNS)}")
    return rows


def _rasters(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise BrewError(f"{folder} does not exist; expected a folder of GeoTIFFs. Check `folder`")
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".tif", ".tiff"))


def _band(name: str) -> str | None:
    """The Sentinel-2 band that a text names ("B04", "b4", "B8A"), None where it names none."""
    text = name.strip().upper()
    text = f"B{text[1:].lstrip('0')}" if text.startswith("B") else text
    return text if text in SENTINEL2_BANDS else None
