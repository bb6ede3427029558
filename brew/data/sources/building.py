"""Stores from thousands of GeoTIFFs, on many processes or machines, by Dask.

Workers read, check and resample one scene at a time and leave its pixels in a file of its own, a part, beside the
store; when every scene has its part, they are cut into tiles and written in the order of the scenes' names. So the
store is `geotiff.build`'s, byte for byte, whatever the number of workers and whoever was faster, and:

- memory holds as many scenes as there are workers, of the others only names and places;
- a build that was killed, or ended with bad scenes, goes on with those that have no part from the same files;
- problems are gathered from all scenes and listed per file and band, and the store appears when there is none.

Folders are named to workers, never sent: on a cluster of several machines they lie on a file system that all share, and
brew is installed on each. Parts need as much room as the store, until it is complete.

Left out: other sources (the largest of them is read in minutes), starting a cluster (Dask's own tools do).

    python -m brew build-store FOLDER STORE --licence "..." [--workers N | --cluster tcp://HOST:8786]
"""

import argparse
import contextlib
import csv
import fcntl
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, astuple, dataclass, fields, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from distributed import CancelledError, Client, Future, KilledWorker, LocalCluster, wait
from distributed.comm.core import CommClosedError
from tqdm.auto import tqdm

from brew.data.sources.geotiff import (
    BandFile,
    GeotiffSettings,
    Problem,
    Scene,
    SceneError,
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
from brew.files import replacing

#: Changes whenever the same files would be read into other pixels: older parts are then read again.
_FORMAT = "brew-part/1"
#: Tasks under way for each thread of the cluster: one runs, one waits, so that no worker does.
_PER_THREAD = 2
#: Files whose headers one task reads: less than a millisecond each, so one task per file would cost more than reading.
_HEADERS = 32
#: Dask's pages about itself, at any free port and seen by nobody else.
_LOCAL = {"dashboard_address": "127.0.0.1:0", "worker_dashboard_address": "127.0.0.1:0"}
#: Seconds until a cluster has to answer, and to have a worker.
_PATIENCE = 60

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def build(path: Path, settings: GeotiffSettings, workers: int | None = None, cluster: str | None = None) -> None:
    """Read every scene on a cluster, then write the store of tiles at `path`.

    workers: processes on this machine, one per core where None. cluster: address of a running cluster instead.
    Raises BrewError if `path` exists, another build of it runs, or the cluster does not answer or see the folders.
    Wrong files end in a BrewError too: `<name>.problems.csv` beside the store lists all of them, and the next build
    reads them alone.
    """
    path = path.absolute()
    settings = replace(settings, folder=Path(settings.folder).absolute())
    if path.exists():
        raise BrewError(f"{path} exists; expected no store there. Remove it to build it again")
    # Wrong settings end here, before a cluster is started.
    if workers is not None and workers < 1:
        raise BrewError(f"{workers} workers; expected 1 at least, or none named for one per core. Change `workers`")
    if cluster is not None and not cluster.strip():
        raise BrewError(
            "the cluster's address is empty; expected one such as tcp://host:8786. Name it, or leave it out"
        )
    tile_corners(settings.tile, settings.tile, settings.tile, settings.stride)
    files = list(bands_of_table(settings)) if settings.table else []
    unread = [] if settings.table else raster_files(settings)
    folder, report = path.with_name(f".parts-{path.name}"), path.with_name(f"{path.name}.problems.csv")
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder / "lock"):
        with _connected(workers, cluster) as client:
            _check_shared(client, (settings.folder, folder))
            headers = _read_headers(client, unread, settings)
            scenes = by_scene(files + headers.bands)
            problems = headers.problems + _read_scenes(client, scenes, settings, folder)
        if problems:
            raise BrewError(_reported(problems, len(scenes), report))
        parts = [_Part.of(folder, name) for name in scenes]
        write_tiles(path, settings, {part.name: part.grid() for part in parts}, (part.scene() for part in parts))
        report.unlink(missing_ok=True)
        shutil.rmtree(folder)


@contextlib.contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Keep a second build of the same store out; the system frees the lock however this process ends."""
    with file.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BrewError(f"{file} is locked by another build of this store; expected one. Wait for it") from error
        yield


@contextlib.contextmanager
def _connected(workers: int | None, cluster: str | None) -> Iterator[Client]:
    """A client of the cluster at that address, or of one of this machine's own that lasts as long."""
    if cluster is None:
        # A thread each, so that a crash costs one scene.
        with (
            LocalCluster(n_workers=workers, threads_per_worker=1, processes=True, **_LOCAL) as local,
            _client(local.scheduler_address) as client,
        ):
            yield client
            # Dask cannot close a worker that died and is just starting again.
            client.wait_for_workers(len(local.workers), timeout=_PATIENCE)
    else:
        with _client(cluster) as client:
            yield client


@contextlib.contextmanager
def _client(address: str) -> Iterator[Client]:
    with contextlib.ExitStack() as stack:
        try:
            client = stack.enter_context(Client(address, timeout=_PATIENCE))
            client.wait_for_workers(1, timeout=_PATIENCE)
        except (OSError, ValueError) as error:
            raise BrewError(
                f"{address}: no cluster with a worker answered in {_PATIENCE} s ({error}); expected a scheduler's "
                "address such as tcp://host:8786. Start `dask scheduler` and `dask worker`, or leave the address out"
            ) from error
        try:
            yield client
        except (CancelledError, CommClosedError) as error:
            raise BrewError(
                f"{address}: the scheduler was lost ({error}); expected it until the end. Start it again and run "
                "again: what was read is kept"
            ) from error


def _check_shared(client: Client, folders: Sequence[Path]) -> None:
    for folder in folders:
        blind = sorted(worker for worker, seen in client.run(os.path.isdir, str(folder)).items() if not seen)
        if blind:
            raise BrewError(
                f"{folder} does not exist for worker {blind[0]} and {len(blind) - 1} others; expected a folder that "
                "all machines share. Check the path, or mount it there"
            )


def in_window(
    client: Client, work: Callable[[_Item], _Result], items: Iterable[_Item]
) -> Iterator[tuple[_Item, _Result | KilledWorker]]:
    """`work` of every item on the cluster, in the order in which they end; a few per thread are under way at a time.

    An item on which worker after worker dies (out of memory, a crash while decoding) comes back as Dask's error that
    says so; another exception of `work` is raised here. The window grows with the cluster.
    """
    waiting = iter(items)
    under_way: dict[Future, _Item] = {}
    suspects: list[_Item] = []
    while True:
        room = _PER_THREAD * max(1, _threads(client)) - len(under_way)
        under_way |= {client.submit(work, item, pure=False): item for item in islice(waiting, max(0, room))}
        if not under_way:
            break
        for future in _ended(client, under_way):
            item, result = under_way.pop(future), _result(client, future)
            if isinstance(result, KilledWorker):
                suspects.append(item)
            else:
                yield item, result
    # Dask blames all that a dying worker had been given. Each is tried alone: one that kills again is at fault.
    for item in suspects:
        yield item, _result(client, client.submit(work, item, pure=False))


def _threads(client: Client) -> int:
    try:
        return sum(client.nthreads().values())
    except OSError as error:  # after a while of asking again; elsewhere Dask says so itself
        raise CommClosedError(str(error)) from error


def _ended(client: Client, futures: Iterable[Future]) -> set[Future]:
    """Those of the futures that have ended, one at least."""
    while True:
        try:
            return wait(list(futures), timeout=_PATIENCE, return_when="FIRST_COMPLETED").done
        except TimeoutError:
            _check_alive(client)


def _result(client: Client, future: Future) -> Any:
    while True:
        try:
            return future.result(timeout=_PATIENCE)
        except KilledWorker as error:
            return error
        except TimeoutError:
            if future.status == "error":  # the work's own
                raise
            _check_alive(client)  # else what had ended was lost with its worker, and Dask does it again


def _check_alive(client: Client) -> None:
    """BrewError where the cluster has no worker any more: Dask would wait for one, however long."""
    try:
        client.wait_for_workers(1, timeout=_PATIENCE)
    except OSError as error:
        raise BrewError(
            f"the cluster has had no worker for {_PATIENCE} s; expected at least one. Look at the workers' logs and "
            "run again: what was read is kept"
        ) from error


@dataclass(frozen=True)
class _Headers:
    """What files say they hold, and those that could not be read."""

    bands: list[BandFile]
    problems: list[Problem]


def _read_headers(client: Client, paths: Sequence[Path], settings: GeotiffSettings) -> _Headers:
    """What all files say they hold, in the order of their names."""
    found = _Headers([], [])
    batches = (paths[start : start + _HEADERS] for start in range(0, len(paths), _HEADERS))
    with tqdm(desc="headers", unit="file", total=len(paths), disable=None) as progress:
        for batch, headers in in_window(client, partial(_headers, settings=settings), batches):
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


def _read_scenes(
    client: Client, scenes: dict[str, list[BandFile]], settings: GeotiffSettings, folder: Path
) -> list[Problem]:
    """See to it that every scene has a part; what is wrong with those that cannot have one."""
    problems: list[Problem] = []
    work = partial(_read_scene, settings=settings, folder=folder)
    with tqdm(desc="scenes", unit="scene", total=len(scenes), disable=None) as progress:
        for files, wrong in in_window(client, work, scenes.values()):
            if isinstance(wrong, KilledWorker):
                wrong = [Problem(files[0].scene, str(files[0].path), "", f"reading this scene: {wrong}")]
            problems += wrong
            progress.update()
    return problems


def _read_scene(files: Sequence[BandFile], settings: GeotiffSettings, folder: Path) -> list[Problem]:
    """On a worker: read and check a scene and write its part, unless it has one from the same files."""
    part, made_from = _Part.of(folder, files[0].scene), _made_from(files, settings)
    if part.is_made_from(made_from):
        return []
    try:
        part.write(read_checked_scene(scene_bands(files), settings), made_from)
    except SceneError as error:
        return list(error.problems)
    return []


def _made_from(files: Sequence[BandFile], settings: GeotiffSettings) -> dict[str, Any]:
    """What a part is valid for: files by size and time of change, and the tiles for which they were checked."""
    seen = []
    for file in files:
        status = os.stat(file.path) if file.path.exists() else None  # reading it says that it is absent
        seen.append(
            [str(file.path), file.band, file.index, file.split, status and [status.st_size, status.st_mtime_ns]]
        )
    return {"format": _FORMAT, "tile": settings.tile, "stride": settings.stride, "files": seen}


@dataclass(frozen=True)
class _Part:
    """One scene that was read and checked, in a file of its own: its pixels, and a record of all else as JSON.

    NumPy's archive: one file that appears in one step, with a checksum that tells a damaged one.
    """

    name: str
    file: Path

    @classmethod
    def of(cls, folder: Path, name: str) -> "_Part":
        # A scene's name may be a path, and longer than a file's may be.
        return cls(name, folder / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.npz")

    def write(self, scene: Scene, made_from: dict[str, Any]) -> None:
        record = {"made from": made_from, "split": scene.split, "hash": scene.hash, "grid": scene.grid}
        # Dask may have lost sight of a worker that still runs, and ask another for the same scene.
        with replacing(self.file) as partial, partial.open("wb") as file:
            np.savez(file, values=scene.values, record=np.array(json.dumps(record)))

    def is_made_from(self, made_from: dict[str, Any]) -> bool:
        return self.file.is_file() and self._load("record")["made from"] == made_from

    def grid(self) -> dict[str, Any]:
        """`Scene.grid`, equal coordinate systems as one text in memory: it is the longest part, and few differ."""
        grid: dict[str, Any] = self._load("record")["grid"]
        return grid | {"crs": sys.intern(grid["crs"])}

    def scene(self) -> Scene:
        record = self._load("record")
        grid = record["grid"]
        return Scene(
            self.name, record["split"], self._load("values"), grid["crs"], tuple(grid["transform"]), record["hash"]
        )

    def _load(self, member: str) -> Any:
        """An array, or the record; BrewError where the part is damaged, which is then removed."""
        try:
            with self.file.open("rb") as file, np.load(file) as archive:
                values = archive[member]
            return json.loads(str(values)) if member == "record" else values
        except Exception as error:  # NumPy and its archives raise many kinds for damaged bytes
            self.file.unlink(missing_ok=True)
            raise BrewError(
                f"{self.file}, the part of scene {self.name!r}, is damaged ({error}) and was removed; expected what "
                "was written. Run again: the scene is read anew"
            ) from error


def _reported(problems: Sequence[Problem], scenes: int, report: Path) -> str:
    """Write all problems as CSV, sorted, and say so in one message."""
    ordered = sorted(problems, key=astuple)
    with report.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, [field.name for field in fields(Problem)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(problem) for problem in ordered)
    bad = len({problem.scene for problem in ordered if problem.scene})
    return (
        f"{len(ordered)} problems in the files, and {bad} of {scenes} scenes without a part; expected none. The first: "
        f"{ordered[0].error}. All are listed in {report}: correct the files, or take them away, and run again; "
        "what could be read is kept"
    )


def main(arguments: list[str] | None = None) -> int:
    """`brew build-store FOLDER STORE --licence TEXT [options]`."""
    defaults = {field.name: field.default for field in fields(GeotiffSettings)}
    parser = argparse.ArgumentParser(prog="brew build-store", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="of the GeoTIFFs, with its subfolders")
    parser.add_argument("store", type=Path, help="to write; must not exist")
    parser.add_argument("--licence", required=True, help="of the images, kept in the store")
    parser.add_argument("--table", help="CSV or YAML below FOLDER that names bands, scenes, splits")
    parser.add_argument("--split", default=defaults["split"], help="of scenes for which the table names none")
    parser.add_argument("--tile", type=int, default=defaults["tile"], help="side in 10 m pixels")
    parser.add_argument("--stride", type=int, default=defaults["stride"], help="between tiles, in 10 m pixels")
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
