"""Folders of GeoTIFFs as a store of Sentinel-2 tiles: one file per band, or all bands of a scene in one file.

Which band a file holds is read from the file's own band descriptions ("B04", "B8A"), from a file name that ends in the
band's name ("T32TNS_20240701_B04.tif"), or from a table (CSV or YAML) that says it; never from the order of files.

Folders that are symbolic links are searched like others. A mask, declared nodata, opacity, ground control points and
a turned grid are errors (`brew.data.rasters.read_band`): a tile has values everywhere and lies on an upright grid.

Bands of 20 m and 60 m are brought to the scene's 10 m grid bilinearly where their pixels are exact multiples with the
same corner; edges are extended. Nothing else is resampled or reprojected: a band with another coordinate system, corner
or extent is an error that names file and band.

One process reads all scenes here, twice: once to check them, so that bad input ends before anything is written.
`brew.data.sources.building` reads thousands on many processes, from the same functions and with the same result.

Left out: several dates of one place (a store's second dimension has length one here), masks of clouds.
"""

import csv
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from brew.data.plain import read_yaml
from brew.data.problems import Problem, noted
from brew.data.rasters import (
    Raster,
    check_disjoint,
    check_tiles,
    content_hash,
    digital_numbers,
    raster_descriptions,
    read_band,
)
from brew.data.store import Variable, write_store
from brew.data.tiles import tile_corners
from brew.errors import BrewError, nearest, unknown
from brew.sensors import SENSORS, SENTINEL2_BANDS

_BANDS = SENSORS["sentinel2"].band_names
_COLUMNS = ("file", "band", "index", "scene", "split")
_SPLITS = ("pretrain", "train", "validation", "test")
#: Corners of two grids agree when they differ by less than this share of a pixel.
_TOLERANCE = 1e-3
#: Tiles that are cut at a time, so that a large scene is not in memory twice.
_BLOCK = 64


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


@dataclass(frozen=True, slots=True)
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

    crs: WKT, empty where the files carry none. transform: GDAL's six numbers. hash: of `values`, `content_hash`.
    """

    name: str
    split: str
    values: np.ndarray
    crs: str
    transform: tuple[float, ...]
    hash: str

    @property
    def grid(self) -> dict[str, Any]:
        """Where the scene lies: coordinate system, transform and shape (y, x), as the store's attributes keep it."""
        return {"crs": self.crs, "transform": list(self.transform), "shape": list(self.values.shape[1:])}


class SceneError(BrewError):
    """A scene that cannot be used. problems: all that is wrong with it; the message is the first of them."""

    def __init__(self, problems: Sequence[Problem]):
        super().__init__(problems)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return self.problems[0].error


def list_bands(settings: GeotiffSettings) -> dict[str, dict[str, BandFile]]:
    """{scene: {band: file}} of the ten bands that brew uses, by name; 60 m bands are left out.

    Raises BrewError where a band is missing or doubled, has no known name, or a scene stands in two splits.
    """
    if settings.table:
        files = list(bands_of_table(settings))
    else:
        files = [band for path in raster_files(settings) for band in bands_of_file(path, settings)]
    return {name: scene_bands(members) for name, members in by_scene(files).items()}


def by_scene(files: Iterable[BandFile]) -> dict[str, list[BandFile]]:
    """The files of each scene, scenes in the order of their names."""
    scenes: dict[str, list[BandFile]] = defaultdict(list)
    for file in files:
        scenes[file.scene].append(file)
    return {name: scenes[name] for name in sorted(scenes)}


def scene_bands(files: Sequence[BandFile]) -> dict[str, BandFile]:
    """The ten bands that brew uses, by name and in their order, of one scene's files.

    Raises SceneError where one is missing or doubled, or the scene stands in two splits.
    """
    name, problems = files[0].scene, []
    bands: dict[str, BandFile] = {}
    for file in files:
        first = bands.setdefault(file.band, file)
        if first is not file:
            error = (
                f"{file.path}, band {file.band}: doubled, {first.path} holds it too in scene {name!r}; expected it "
                "once. Remove one, or tell the scenes apart in a table"
            )
            problems.append(Problem(name, str(file.path), file.band, error))
    with noted(problems, name, files[0].path):
        check_disjoint({split: [name] for split in sorted({file.split for file in files})}, "scene")
    place = files[0].path.parent
    missing = [band for band in _BANDS if band not in bands]
    if missing:
        error = (
            f"{place}, scene {name!r}: band {', '.join(missing)} missing; found {', '.join(sorted(bands))}. "
            "Add the files, or name their bands in a table"
        )
        problems += [Problem(name, str(place), band, error) for band in missing]
    _refuse(problems)
    return {band: bands[band] for band in _BANDS}


def read_scene(bands: Mapping[str, BandFile]) -> Scene:
    """All bands of a scene on the grid of its 10 m bands; SceneError naming every file and band that is wrong."""
    problems: list[Problem] = []
    first, values = bands[_BANDS[0]], np.empty(0, np.uint16)
    grid: Raster | None = None
    for layer, (band, file) in enumerate(bands.items()):
        with noted(problems, file.scene, file.path, band):
            raster = read_band(file.path, file.index)
            raster = replace(raster, values=digital_numbers(raster, band))
            if file is first:
                grid, values = raster, np.empty((len(bands), *raster.values.shape), np.uint16)
            if grid is not None:  # else the first band is at fault, and the others are checked by themselves
                values[layer] = _on_grid(raster, grid, file)
    _refuse(problems)
    assert grid is not None  # a scene without its first band has a problem
    return Scene(first.scene, first.split, values, grid.crs, tuple(grid.transform.to_gdal()), content_hash(values))


def read_checked_scene(bands: Mapping[str, BandFile], settings: GeotiffSettings) -> Scene:
    """`read_scene`, and SceneError too where the scene is smaller than a tile or one of its tiles is all black."""
    scene = read_scene(bands)
    problems: list[Problem] = []
    first = bands[_BANDS[0]]
    with noted(problems, scene.name, first.path):
        corners = _corners(scene.values.shape[1:], settings, first.path)
        for band, values in zip(_BANDS, scene.values, strict=True):
            with noted(problems, scene.name, bands[band].path, band):
                check_tiles(values, bands[band].path, band, corners, settings.tile)
    _refuse(problems)
    return scene


def _refuse(problems: Sequence[Problem]) -> None:
    if problems:
        raise SceneError(problems)


def build(path: Path, settings: GeotiffSettings) -> None:
    """Read every scene, check it, then write the store of tiles at `path`."""
    scenes = list_bands(settings)
    # Bad input ends here, before anything is written.
    grids = {name: read_checked_scene(bands, settings).grid for name, bands in scenes.items()}
    write_tiles(path, settings, grids, (read_scene(bands) for bands in scenes.values()))


def write_tiles(
    path: Path, settings: GeotiffSettings, grids: Mapping[str, Mapping[str, Any]], scenes: Iterable[Scene]
) -> None:
    """Write the store of tiles at `path`; memory holds one scene.

    grids: of every scene (`Scene.grid`) by name. scenes: in the order of `grids`.
    """
    tile, folder = settings.tile, Path(settings.folder)
    samples = sum(len(_corners(grid["shape"], settings, folder / name)) for name, grid in grids.items())
    variables = {
        "multispectral": Variable(("sample", "time", "band", "y", "x"), (1, len(_BANDS), tile, tile), "uint16"),
        "split": Variable(("sample",), (), "text"),
        "origin": Variable(("sample",), (), "text"),
        "hash": Variable(("sample",), (), "text"),
        "row": Variable(("sample",), (), "int32"),
        "column": Variable(("sample",), (), "int32"),
    }
    attributes = {"source": f"GeoTIFFs in {folder.name}", "licence": settings.licence, "scenes": dict(grids)}
    blocks = (block for scene in scenes for block in _tiles(scene, settings))
    write_store(path, samples, variables, blocks, attributes)


def _corners(shape: Sequence[int], settings: GeotiffSettings, path: Path) -> list[tuple[int, int]]:
    try:
        return tile_corners(shape[0], shape[1], settings.tile, settings.stride)
    except BrewError as error:
        raise BrewError(f"{path}: {error}") from error


def _tiles(scene: Scene, settings: GeotiffSettings) -> Iterator[dict[str, np.ndarray]]:
    (height, width), tile = scene.values.shape[1:], settings.tile
    every = tile_corners(height, width, tile, settings.stride)
    for start in range(0, len(every), _BLOCK):
        corners = every[start : start + _BLOCK]
        yield {
            "multispectral": np.stack([scene.values[:, y : y + tile, x : x + tile] for y, x in corners])[:, None],
            "split": np.full(len(corners), scene.split, dtype=object),
            "origin": np.full(len(corners), scene.name, dtype=object),
            "hash": np.full(len(corners), scene.hash, dtype=object),
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


def raster_files(settings: GeotiffSettings) -> list[Path]:
    """Every GeoTIFF in the folder and its subfolders, sorted; BrewError where there is none."""
    _check(settings)
    folder = Path(settings.folder)
    if not folder.is_dir():
        raise BrewError(f"{folder} does not exist; expected a folder of GeoTIFFs. Check `folder`")
    files = sorted(path for path in _walk(folder) if path.suffix.lower() in (".tif", ".tiff"))
    if not files:
        raise BrewError(f"{folder} holds no GeoTIFF (*.tif, *.tiff); expected Sentinel-2 bands there. Check `folder`")
    return files


def _walk(folder: Path) -> Iterator[Path]:
    """Files below a folder, also in linked ones; BrewError if a link leads back to a folder around it."""
    for place, folders, files in os.walk(folder, followlinks=True, onerror=_refuse_folder):
        for name in folders:
            inner = Path(place, name)
            if inner.is_symlink() and Path(place).resolve().is_relative_to(inner.resolve()):
                raise BrewError(f"{inner} links to a folder around it; expected no circle. Remove the link")
        yield from (Path(place, name) for name in files)


def _refuse_folder(error: OSError) -> None:
    raise BrewError(
        f"{error.filename} cannot be read ({error.strerror}); expected a folder. Grant access to it"
    ) from error


def bands_of_file(path: Path, settings: GeotiffSettings) -> list[BandFile]:
    """What a file says it holds; the scene is the file itself, or its folder where it holds one band.

    Reads the header alone. Raises BrewError where it is damaged or a band has no known name.
    """
    folder, names = Path(settings.folder), raster_descriptions(path)
    alone = sum(name != "alpha" for name in names) == 1
    scene = _place(path.parent if alone else path.with_suffix(""), folder)
    bands = []
    for index, description in enumerate(names, start=1):
        if description == "alpha":
            continue  # validity, which reading another band sees to
        said = description or (path.stem.rsplit("_", 1)[-1] if alone else "")
        band = _band(said)
        if band is None:
            raise BrewError(
                f"{path}, band number {index}: found {said or 'no description'!r}; expected the name of a "
                "Sentinel-2 band. Describe the bands in the file, or list them in a table: "
                f"{', '.join(_COLUMNS)}"
            )
        bands.append(BandFile(path, band, index, folder.name if scene == "." else scene, settings.split))
    return bands


def bands_of_table(settings: GeotiffSettings) -> Iterator[BandFile]:
    """Bands as the table of the settings names them; BrewError where a row is wrong. No image is opened."""
    _check(settings)
    folder = Path(settings.folder)
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
        index = _index(row.get("index"), f"{table}, row {number}")
        scene = str(row.get("scene") or _place(path.parent, folder))
        split = str(row.get("split") or settings.split)
        if split not in _SPLITS:
            raise BrewError(f"{table}, row {number}: split {split!r} is unknown; {nearest(split, _SPLITS)}")
        yield BandFile(path, band, index, folder.name if scene == "." else scene, split)


def _index(cell: Any, where: str) -> int:
    """The number in a table's cell, 1 if the cell is empty or absent."""
    text = "1" if cell is None or cell == "" else str(cell).strip()
    if not re.fullmatch("[1-9][0-9]{0,5}", text):
        raise BrewError(f"{where}: index {cell!r}; expected a whole number from 1. Correct the table")
    return int(text)


def _place(path: Path, folder: Path) -> str:
    """A scene's name: its folder, below the given one if it lies there."""
    return (path.relative_to(folder) if path.is_relative_to(folder) else path).as_posix()


def _check(settings: GeotiffSettings) -> None:
    if not settings.licence.strip():
        raise BrewError("the licence is empty; expected that of the images, which the store keeps. Name it")
    if settings.split not in _SPLITS:
        raise unknown("split", settings.split, _SPLITS)


def _rows(table: Path) -> list[dict[str, Any]]:
    rows: Any = _csv_rows(table) if table.suffix.lower() == ".csv" else read_yaml(table)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise BrewError(f"{table} holds {type(rows).__name__}; expected a list of rows with {', '.join(_COLUMNS)}")
    if not rows:
        raise BrewError(f"{table} lists no band; expected rows of {', '.join(_COLUMNS)}. Correct the table")
    return rows


def _csv_rows(table: Path) -> list[dict[str, Any]]:
    """Rows by the header's names; a spreadsheet's byte order mark is no part of the first."""
    try:
        with table.open(newline="", encoding="utf-8-sig") as stream:
            lines = [line for line in csv.reader(stream, strict=True) if any(cell.strip() for cell in line)]
    except FileNotFoundError as error:
        raise BrewError(f"{table} does not exist; expected a table of bands there. Check `table`") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BrewError(f"{table} cannot be read ({error}); expected CSV in UTF-8. Save the table again") from error
    header = lines[0] if lines else []
    if len(set(header)) != len(header):
        raise BrewError(f"{table}: columns {', '.join(header)}; expected each once. Correct the table")
    for number, line in enumerate(lines[1:], start=1):
        if len(line) > len(header):
            raise BrewError(
                f"{table}, row {number}: {len(line)} cells; expected {len(header)} as in its header. Correct the table"
            )
    return [dict(zip(header, line, strict=False)) for line in lines[1:]]


def _band(name: str) -> str | None:
    """The Sentinel-2 band that a text names ("B04", "b4", "B8A"), None where it names none."""
    text = name.strip().upper()
    text = f"B{text[1:].lstrip('0')}" if text.startswith("B") else text
    return text if text in SENTINEL2_BANDS else None
