"""Folders of GeoTIFFs as a store of Sentinel-2 tiles: one file per band, or all bands of a scene in one file.

Which band a file holds is read from the file's own band descriptions ("B04", "B8A"), from a file name that ends in the
band's name ("T32TNS_20240701_B04.tif"), or from a table (CSV or YAML) that says it; never from the order of files.

Folders that are symbolic links are searched like others. What a scene's pixels mean, which of them have a value, and
how bands come to one grid, `brew.data.images` decides, as for `brew.embed`. Tiles of which less than a share has values
are left out, and counted in the store's attributes beside all else that was assumed.

Nothing is reprojected: a band with another coordinate system, corner or extent is an error that names file and band.

One process reads all scenes here, twice: once to check them, so that bad input ends before anything is written.
`brew.data.sources.building` reads thousands on many processes, from the same functions and with the same result.

Left out: several dates of one place (a store's second dimension has length one here), masks of clouds.
"""

import csv
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from brew.data.images.bringing_together import ratio_to
from brew.data.images.calibration import Said
from brew.data.images.dialects import Named, best_reading, is_aside
from brew.data.images.folders import files_below
from brew.data.images.gdal_parts import GdalPart
from brew.data.images.opening import image_of
from brew.data.images.parts import Opened
from brew.data.images.scene_image import Image
from brew.data.images.statements import from_name
from brew.data.plain import read_yaml
from brew.data.problems import Problem, noted
from brew.data.rasters import check_disjoint, check_tiles, content_hash
from brew.data.store import Variable, write_store
from brew.data.tiles import tile_corners
from brew.errors import BrewError, nearest, unknown
from brew.sensors import SENSORS, SENTINEL2_BANDS

_BANDS = SENSORS["sentinel2"].band_names
#: GDAL's transform of an image that lies nowhere.
_NOWHERE = (0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
_COLUMNS = ("file", "band", "index", "scene", "split")
_SPLITS = ("pretrain", "train", "validation", "test")
#: Rows that are read at a time.
_ROWS = 512
#: Share of zeros above which a band without holes is taken for an empty one.
_MOSTLY_EMPTY = 0.5
#: Tiles that are cut at a time, so that a large scene is not in memory twice.
_BLOCK = 64


@dataclass(frozen=True)
class GeotiffSettings:
    """folder: of the files, searched with its subfolders. licence: of the images, kept in the store.

    table: CSV or YAML, below `folder`, with columns file, band, and where needed index (of the band in the file, from
    1), scene, split. Without one, a file of several bands is a scene, and so are the files of one band in one folder.
    split: of scenes for which the table names none. tile, stride: in 10 m pixels. valid: the share of a tile's pixels
    that must have a value; other tiles are left out. unit, scale, offset, pixel: of all scenes, as of `open_image`.
    """

    folder: Path
    licence: str
    table: str | None = None
    split: str = "pretrain"
    tile: int = 96
    stride: int = 96
    valid: float = 0.9
    unit: str | None = None
    scale: float | None = None
    offset: float | None = None
    pixel: float | None = None


#: What is not said of scenes.
_DEFAULTS = GeotiffSettings(Path(), "")


@dataclass(frozen=True, slots=True)
class BandFile:
    """Where one band of one scene lies. band: Sentinel-2 name such as "B8A". index: in the file, from 1.

    band of what is no band, such as SCL: the file's own name for it. beside: such names in the scene of a band.
    """

    path: Path
    band: str
    index: int
    scene: str
    split: str
    beside: tuple[str, ...] = ()

    @property
    def is_band(self) -> bool:
        return self.band in SENTINEL2_BANDS


@dataclass(frozen=True)
class Scene:
    """One scene on its 10 m grid. values: (10, y, x) uint16 in the order of ``SENSORS["sentinel2"]``.

    crs: WKT, empty where the files carry none. transform: GDAL's six numbers. hash: of `values`, `content_hash`.
    record: what was assumed (`Image.record`). left_out: corners (y, x) of tiles with too few pixels that have a value.
    """

    name: str
    split: str
    values: np.ndarray
    crs: str
    transform: tuple[float, ...]
    hash: str
    record: dict[str, Any]
    left_out: tuple[tuple[int, int], ...] = ()

    @property
    def grid(self) -> "SceneGrid":
        place = {"crs": self.crs, "transform": list(self.transform), "shape": list(self.values.shape[1:])}
        return SceneGrid(place, self.record, self.left_out)


@dataclass(frozen=True)
class SceneGrid:
    """A scene but for its pixels, as the store's attributes keep it.

    place: coordinate system, transform and shape (y, x). record, left_out: of `Scene`.
    """

    place: dict[str, Any]
    record: dict[str, Any]
    left_out: tuple[tuple[int, int], ...] = ()


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
    return {name: scenes[name] for name in sorted(scenes) if any(file.is_band for file in scenes[name])}


def scene_bands(files: Sequence[BandFile]) -> dict[str, BandFile]:
    """The ten bands that brew uses, by name and in their order, of one scene's files.

    Raises SceneError where one is missing or doubled, or the scene stands in two splits.
    """
    name, problems = files[0].scene, []
    beside = tuple(sorted({file.band for file in files if not file.is_band}))
    files = [replace(file, beside=beside) for file in files if file.is_band]
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


def read_scene(bands: Mapping[str, BandFile], settings: GeotiffSettings = _DEFAULTS) -> Scene:
    """All bands of a scene on one grid; SceneError naming every file and band that is wrong."""
    problems: list[Problem] = []
    first = bands[_BANDS[0]]
    image = _opened_scene(bands, settings, problems)
    _refuse(problems)
    assert image is not None  # a scene that cannot be opened has a problem
    with _blamed(problems, bands):
        values, valid = _pixels(image)
        for band, layer in zip(_BANDS, values, strict=True):
            with noted(problems, first.scene, bands[band].path, band):
                _check_filled(layer, valid, bands[band])
    _refuse(problems)
    height, width = values.shape[1:]
    corners = tile_corners(height, width, settings.tile, settings.stride) if _fits(values, settings) else []
    tile = settings.tile
    poor = tuple((y, x) for y, x in corners if valid[y : y + tile, x : x + tile].mean() < settings.valid)
    record = image.record | {"tiles": len(corners), "tiles_left_out": len(poor), "valid": settings.valid}
    for band, file in bands.items():  # a store is the same wherever its images lay
        place = _place(file.path, Path(settings.folder))
        record["bands"][band]["from"] = f"{place}, band number {file.index}"
    transform = tuple(image.transform.to_gdal()) if image.transform else _NOWHERE
    return Scene(first.scene, first.split, values, image.crs or "", transform, content_hash(values), record, poor)


def read_checked_scene(bands: Mapping[str, BandFile], settings: GeotiffSettings) -> Scene:
    """`read_scene`, and SceneError too where the scene is smaller than a tile or one of its tiles is all black."""
    scene = read_scene(bands, settings)
    problems: list[Problem] = []
    first = bands[_BANDS[0]]
    with noted(problems, scene.name, first.path):
        corners = [
            corner for corner in _corners(scene.values.shape[1:], settings, first.path) if corner not in scene.left_out
        ]
        if not corners:
            raise BrewError(
                f"{first.path}, scene {scene.name!r}: no tile of {settings.tile} pixels has values in "
                f"{settings.valid:.0%} of them; expected one. Leave the scene out, or lower `valid`"
            )
        for band, values in zip(_BANDS, scene.values, strict=True):
            with noted(problems, scene.name, bands[band].path, band):
                check_tiles(values, bands[band].path, band, corners, settings.tile)
    _refuse(problems)
    return scene


def _opened_scene(bands: Mapping[str, BandFile], settings: GeotiffSettings, problems: list[Problem]) -> Image | None:
    """The scene as an image; None if problems are noted."""
    parts: dict[Path, GdalPart] = {}
    places: dict[str, tuple[GdalPart, int]] = {}
    for band, file in bands.items():
        with noted(problems, file.scene, file.path, band):
            part = parts.get(file.path) or parts.setdefault(file.path, _part(file.path))
            if file.index not in part.indexes:
                raise BrewError(
                    f"{file.path} has {len(part.indexes)} bands; expected band number {file.index} there. Check the "
                    "band table"
                )
            places[band] = part, part.indexes.index(file.index)
    if len(places) < len(bands):
        return None
    fine, _ = places[_BANDS[0]]
    image: Image | None = None
    for band, file in bands.items():
        with noted(problems, file.scene, file.path, band):
            ratio_to(places[band][0], places[band][0].layers[places[band][1]], fine.grid, band, _BANDS[0])
    if problems:  # the image would name one of them again
        return None
    first = bands[_BANDS[0]]
    layers = [(part, layer) for part in parts.values() for layer in range(len(part.layers))]
    numbers = {band: [layers.index(place)] for band, place in places.items()}
    rest = [number for number in range(len(layers)) if [number] not in numbers.values()]
    said = [statement for path in parts for statement in from_name(str(path))][:1]
    opened = Opened("GeoTIFFs", first.scene, tuple(parts.values()), tuple(said), first.beside)
    with _blamed(problems, bands):
        caller = Said(settings.unit, settings.scale, settings.offset)
        named = Named("as files or table say", numbers, rest, {})
        image = image_of(opened, named, SENSORS["sentinel2"], caller, pixel=settings.pixel)
    return image


def _part(path: Path) -> GdalPart:
    if not path.is_file():
        raise BrewError(f"{path} does not exist; expected an image there. Restore the file")
    return GdalPart(str(path))


def _pixels(image: Image) -> tuple[np.ndarray, np.ndarray]:
    """(10, y, x) uint16 and validity (y, x), read by blocks of rows."""
    height, width = image.shape
    values, valid = np.empty((len(_BANDS), height, width), np.uint16), np.empty((height, width), bool)
    for start in range(0, height, _ROWS):
        rows = slice(start, min(height, start + _ROWS))
        numbers, valid[rows] = image.read(rows, slice(0, width))
        values[:, rows] = np.rint(numbers)
    return values, valid


def _check_filled(values: np.ndarray, valid: np.ndarray, file: BandFile) -> None:
    """BrewError if a band is mostly zero where the scene has values."""
    empty = float((values[valid] == 0).mean()) if valid.any() else 0.0
    if empty > _MOSTLY_EMPTY:
        state = "all black" if empty == 1 else f"{empty:.0%} zero"
        raise BrewError(
            f"{file.path}, band {file.band}: {state}, which is nodata in Sentinel-2 products; expected an image. Leave "
            "it out"
        )


def _fits(values: np.ndarray, settings: GeotiffSettings) -> bool:
    return min(values.shape[1:]) >= settings.tile and 0 < settings.stride <= settings.tile


@contextmanager
def _blamed(problems: list[Problem], bands: Mapping[str, BandFile]) -> Iterator[None]:
    """Keep a BrewError of the scene as a problem of the one band that the error names, or of the scene."""
    try:
        yield
    except BrewError as error:
        first = bands[_BANDS[0]]
        named = [file for file in bands.values() if str(file.path) in str(error)]
        path = named[0].path if named else first.path
        problems.append(Problem(first.scene, str(path), named[0].band if len(named) == 1 else "", str(error)))


def _refuse(problems: Sequence[Problem]) -> None:
    if problems:
        raise SceneError(problems)


def build(path: Path, settings: GeotiffSettings) -> None:
    """Read every scene, check it, then write the store of tiles at `path`."""
    scenes = list_bands(settings)
    # Bad input ends here, before anything is written.
    grids = {name: read_checked_scene(bands, settings).grid for name, bands in scenes.items()}
    write_tiles(path, settings, grids, (read_scene(bands, settings) for bands in scenes.values()))


def write_tiles(path: Path, settings: GeotiffSettings, grids: Mapping[str, SceneGrid], scenes: Iterable[Scene]) -> None:
    """Write the store of tiles at `path`; memory holds one scene.

    grids: of every scene (`Scene.grid`) by name. scenes: in the order of `grids`.
    """
    tile, folder = settings.tile, Path(settings.folder)
    samples = sum(
        len(_corners(grid.place["shape"], settings, folder / name)) - len(grid.left_out) for name, grid in grids.items()
    )
    variables = {
        "multispectral": Variable(("sample", "time", "band", "y", "x"), (1, len(_BANDS), tile, tile), "uint16"),
        "split": Variable(("sample",), (), "text"),
        "origin": Variable(("sample",), (), "text"),
        "hash": Variable(("sample",), (), "text"),
        "row": Variable(("sample",), (), "int32"),
        "column": Variable(("sample",), (), "int32"),
    }
    attributes = {
        "source": f"GeoTIFFs in {folder.name}", "licence": settings.licence,
        "scenes": {name: grid.place for name, grid in grids.items()},
        "images": {name: grid.record for name, grid in grids.items()},
        "tiles_left_out": sum(len(grid.left_out) for grid in grids.values()),
    }  # fmt: skip
    blocks = (block for scene in scenes for block in _tiles(scene, settings))
    write_store(path, samples, variables, blocks, attributes)


def _corners(shape: Sequence[int], settings: GeotiffSettings, path: Path) -> list[tuple[int, int]]:
    try:
        return tile_corners(shape[0], shape[1], settings.tile, settings.stride)
    except BrewError as error:
        raise BrewError(f"{path}: {error}") from error


def _tiles(scene: Scene, settings: GeotiffSettings) -> Iterator[dict[str, np.ndarray]]:
    (height, width), tile = scene.values.shape[1:], settings.tile
    every = [corner for corner in tile_corners(height, width, tile, settings.stride) if corner not in scene.left_out]
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


def raster_files(settings: GeotiffSettings) -> list[Path]:
    """Every GeoTIFF in the folder and its subfolders, sorted; BrewError where there is none."""
    _check(settings)
    folder = Path(settings.folder)
    if not folder.is_dir():
        raise BrewError(f"{folder} does not exist; expected a folder of GeoTIFFs. Check `folder`")
    files = sorted(path for path in files_below(folder) if path.suffix.lower() in (".tif", ".tiff"))
    if not files:
        raise BrewError(f"{folder} holds no GeoTIFF (*.tif, *.tiff); expected Sentinel-2 bands there. Check `folder`")
    return files


def bands_of_file(path: Path, settings: GeotiffSettings) -> list[BandFile]:
    """What a file says it holds; the scene is the file itself, or its folder where it holds one band.

    What is no band (SCL, a cloud mask, an index) keeps its own name. Reads the header alone. Raises BrewError where the
    file is damaged or none of its bands has a known name.
    """
    folder, part = Path(settings.folder), _part(path)
    alone = len(part.layers) == 1
    scene = _place(path.parent if alone else path.with_suffix(""), folder)
    scene = folder.name if scene == "." else scene
    names = [(*layer.names, path.stem) if alone else layer.names for layer in part.layers]
    if is_aside(path.stem):
        return [BandFile(path, path.stem, index, scene, settings.split) for index in part.indexes] if alone else []
    found = {number: band for band, numbers in best_reading(names, SENSORS["sentinel2"]).items() for number in numbers}
    if not found:
        said = [text for text in names[0] if text not in ("1", path.stem)]
        raise BrewError(
            f"{path}, band number {part.indexes[0]}: found {said[0] if said else 'no description'!r}; expected the "
            f"name of a Sentinel-2 band. Describe the bands in the file, or list them in a table: {', '.join(_COLUMNS)}"
        )
    return [
        BandFile(path, found.get(number, names[number][0]), index, scene, settings.split)
        for number, index in enumerate(part.indexes)
    ]


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
