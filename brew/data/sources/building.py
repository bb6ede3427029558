"""Stores from thousands of GeoTIFFs, on many processes or machines, by Dask.

Workers read, check and resample one scene at a time (`brew.data.sources.building_parts`). When every scene has its
part, the parts are cut into tiles and written in the order of the scenes' names. So the store is `geotiff.build`'s,
byte for byte.

    python -m brew build-store FOLDER STORE --licence "..." [--workers N | --cluster tcp://HOST:8786]
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

from distributed import KilledWorker
from tqdm.auto import tqdm

from brew.data.problems import Problem
from brew.data.sources import building_parts
from brew.data.sources.building_parts import Content, Part, Run, seen
from brew.data.sources.clusters import check_choice
from brew.data.sources.geotiff import (
    BandFile,
    GeotiffSettings,
    Scene,
    SceneError,
    SceneGrid,
    bands_of_file,
    bands_of_table,
    by_scene,
    raster_files,
    read_checked_scene,
    scene_bands,
    write_tiles,
)
from brew.data.tiles import tile_corners
from brew.errors import BrewError

#: Changes whenever the same files would be read into other pixels: older parts are then read again.
_FORMAT = "brew-part/2"
#: Files whose headers one task reads: less than a millisecond each, so one task per file would cost more than reading.
_HEADERS = 32
#: Settings by which a scene is read and checked.
_READ_BY = ("tile", "stride", "valid", "unit", "scale", "offset", "pixel")


def build(path: Path, settings: GeotiffSettings, workers: int | None = None, cluster: str | None = None) -> None:
    """Read every scene on a cluster, then write the store of tiles at `path`.

    workers, cluster and errors as in `brew.data.sources.building_parts.build`. Raises BrewError too if no scene is
    without problems.
    """
    settings = replace(settings, folder=Path(settings.folder).absolute())
    # Wrong settings end here, before a cluster is started.
    if path.absolute().exists():
        raise BrewError(f"{path.absolute()} exists; expected no store there. Remove it to build it again")
    check_choice(workers, cluster)
    tile_corners(settings.tile, settings.tile, settings.tile, settings.stride)
    files = tuple(bands_of_table(settings)) if settings.table else ()
    unread = () if settings.table else tuple(raster_files(settings))
    building_parts.build(path, ScenePlan(settings, files, unread), workers, cluster)


@dataclass(frozen=True)
class ScenePlan:
    """Scenes of GeoTIFFs, one part each. files: bands that a table names. unread: files whose headers name bands."""

    settings: GeotiffSettings
    files: tuple[BandFile, ...] = ()
    unread: tuple[Path, ...] = ()

    noun = "scene"

    @property
    def shared(self) -> Sequence[Path]:
        return (self.settings.folder,)

    def __getstate__(self) -> dict[str, Any]:
        """Workers are told the settings: of the files they get those that they read."""
        return {"settings": self.settings, "files": (), "unread": ()}

    def items(self, run: Run) -> tuple[Sequence[list[BandFile]], list[Problem]]:
        headers = _read_headers(run, self.unread, self.settings)
        return list(by_scene([*self.files, *headers.bands]).values()), headers.problems

    def samples(self, items: Sequence[list[BandFile]]) -> int:
        return len(items)

    def name(self, item: list[BandFile]) -> str:
        return item[0].scene

    def place(self, item: list[BandFile]) -> Path:
        return item[0].path

    def made_from(self, item: list[BandFile]) -> dict[str, Any]:
        """Files by size and time of change, and the settings by which they were read and checked."""
        files = [[str(file.path), file.band, file.index, file.split, seen(file.path)] for file in item]
        chosen = {name: getattr(self.settings, name) for name in _READ_BY}
        return {"format": _FORMAT, **chosen, "files": files}

    def read(self, item: list[BandFile]) -> Content:
        try:
            scene = read_checked_scene(scene_bands(item), self.settings)
        except SceneError as error:
            return Content(problems=error.problems)
        found = {"split": scene.split, "hash": scene.hash, "grid": scene.grid.place}
        return Content({"values": scene.values}, found | {"record": scene.record, "left out": scene.left_out})

    def bears(self, problems: Sequence[Problem]) -> bool:
        return False

    def write(self, path: Path, parts: Sequence[Part], problems: Sequence[Problem]) -> None:
        write_tiles(path, self.settings, {part.name: _grid(part) for part in parts}, (_scene(part) for part in parts))


def _grid(part: Part) -> SceneGrid:
    """`Scene.grid`, equal coordinate systems as one text in memory: it is the longest part, and few differ."""
    record = part.record()
    place = record["grid"]
    return SceneGrid(place | {"crs": sys.intern(place["crs"])}, record["record"], _corners(record))


def _scene(part: Part) -> Scene:
    record = part.record()
    place = record["grid"]
    where = place["crs"], tuple(place["transform"]), record["hash"]
    return Scene(part.name, record["split"], part.array("values"), *where, record["record"], _corners(record))


def _corners(record: dict[str, Any]) -> tuple[tuple[int, int], ...]:
    return tuple((y, x) for y, x in record["left out"])


@dataclass(frozen=True)
class _Headers:
    """What files say they hold, and those that could not be read."""

    bands: list[BandFile]
    problems: list[Problem]


def _read_headers(run: Run, paths: Sequence[Path], settings: GeotiffSettings) -> _Headers:
    """What all files say they hold, in the order of their names."""
    found = _Headers([], [])
    batches = (paths[start : start + _HEADERS] for start in range(0, len(paths), _HEADERS))
    with tqdm(desc="headers", unit="file", total=len(paths), disable=None) as progress:
        for batch, headers in run(partial(_headers, settings=settings), batches):
            if isinstance(headers, KilledWorker):
                why = f"reading this header, or one of {len(batch) - 1} read with it: {headers}"
                headers = _Headers([], [Problem("", str(path), "", why) for path in batch])
            found.bands.extend(headers.bands)
            found.problems.extend(headers.problems)
            progress.update(len(batch))
    found.bands.sort(key=lambda file: (file.path, file.index))
    return found


def _headers(paths: Sequence[Path], settings: GeotiffSettings) -> _Headers:
    """On a worker: what the files say they hold."""
    found = _Headers([], [])
    for path in paths:
        try:
            found.bands.extend(bands_of_file(path, settings))
        except BrewError as error:
            found.problems.append(Problem("", str(path), "", str(error)))
    return found


def main(arguments: list[str] | None = None) -> int:
    """`brew build-store FOLDER STORE --licence TEXT [options]`."""
    defaults = {field.name: field.default for field in fields(GeotiffSettings)}
    usage = "brew build-store FOLDER STORE --licence TEXT [options]"
    parser = argparse.ArgumentParser("brew build-store", usage, description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="of the GeoTIFFs, with its subfolders")
    parser.add_argument("store", type=Path, help="to write; must not exist")
    parser.add_argument("--licence", required=True, help="of the images, kept in the store")
    parser.add_argument("--table", help="CSV or YAML below FOLDER that names bands, scenes, splits")
    parser.add_argument("--split", default=defaults["split"], help="of scenes for which the table names none")
    parser.add_argument("--tile", type=int, default=defaults["tile"], help="side in 10 m pixels")
    parser.add_argument("--stride", type=int, default=defaults["stride"], help="between tiles, in 10 m pixels")
    parser.add_argument("--valid", type=float, default=defaults["valid"], help="share of a tile's pixels with values")
    parser.add_argument("--unit", help="of the pixels, where nothing says it: reflectance, percent")
    parser.add_argument("--scale", type=float, help="of stored values, where nothing says it")
    parser.add_argument("--offset", type=float, help="added to stored values, where nothing says it: -1000 or 0")
    parser.add_argument("--pixel", type=float, help="side in metres that is accepted though it is not 10")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--workers", type=int, help="processes on this machine; one per core where not given")
    where.add_argument("--cluster", help="a running Dask cluster's address, such as tcp://host:8786")
    chosen = vars(parser.parse_args(arguments))
    path, workers, cluster = (chosen.pop(name) for name in ("store", "workers", "cluster"))
    try:
        build(path, GeotiffSettings(**chosen), workers, cluster)
    except BrewError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0
