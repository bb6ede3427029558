"""Soak test: the pipeline of scale `tiny` is disturbed at random moments, and run again: `make soak MOMENTS=50`.

Before each moment DVC forgets one stage of a complete tree. DVC then runs that stage and is disturbed on its way. An
undisturbed run of the whole pipeline must reach the lock and the bytes of the first run, repeat no other stage, and
leave nothing behind. Moments are keyed by their number, and each is a row of `scratch/soak/<commit>/moments.csv`: a
soak that was stopped goes on there.
"""

import argparse
import hashlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from brew.compendium import environment
from brew.compendium.notebooks.kernel import die_with_parent
from brew.data.store import open_store
from brew.errors import BrewError
from brew.files import ROOT, SCRATCH
from brew.randomness import key
from tests import disturbances

SCALE = "tiny"
#: Seconds that processes may take to end, and that a run may take in all.
_ENDING, _RUNNING = 30, 1800
#: Enough for the tree, its cache and copies of what is written; small enough to be filled at once.
_DISK = "800m"
_RAN = re.compile(r"Running stage '(?:.*?:)?([^']+)'")


@dataclass(frozen=True)
class Moment:
    """When a run is disturbed and how. share: of the stage's own seconds, after which the disturbance strikes."""

    number: int
    kind: str
    form: str
    stage: str
    share: float


@dataclass(frozen=True)
class Left:
    """What a moment left once the pipeline had run again. repeated: stages that ran again though they were complete."""

    lock_equal: bool
    bytes_lost: int
    partial_files: int
    damaged: int
    repeated: str


def moment(number: int, kinds: Sequence[str], stages: Sequence[str]) -> Moment:
    """The moment of that number; kinds take turns."""
    draw, kind = random.Random(key(number, "soak")), kinds[number % len(kinds)]
    form, stage = draw.choice(list(disturbances.DISTURBANCES[kind])), draw.choice(list(stages))
    return Moment(number, kind, form, stage, round(draw.random(), 3))


class Tree:
    """A clone in which the scale has run, undisturbed: the seconds of each stage, the lock and the files then."""

    def __init__(self, place: Path, seconds: dict[str, float]):
        self.place, self.seconds = place, seconds
        self._lock_file = place / "scales" / SCALE / "dvc.lock"
        self.lock: dict[str, Any] = yaml.safe_load(self._lock_file.read_text())
        self.files = self._found()

    def disturb(self, moment: Moment) -> tuple[int, int]:
        """Run the moment's stage alone and disturb the run: its exit status, and how many processes outlived it."""
        self._forget(moment.stage)
        run = disturbances.Run(self.place, SCALE, f"{os.getpid()}-{moment.number}")
        with self._repro(run.mark, moment.stage, "--single-item") as (running, log):
            while running.poll() is None and moment.stage not in _RAN.findall(log.read_text()):
                time.sleep(0.05)
            time.sleep(moment.share * self.seconds[moment.stage])
            undo = disturbances.DISTURBANCES[moment.kind][moment.form](run)
            try:
                status = running.wait(_RUNNING)
            finally:
                undo()
        return status, _orphans(run)

    def recover(self, stages: Sequence[str]) -> Left:
        """Run again after moments in these stages, and compare with the undisturbed run."""
        with self._repro(f"{os.getpid()}-again") as (running, log):
            status, printed = running.wait(_RUNNING), log.read_text()
        equal = status == 0 and yaml.safe_load(self._lock_file.read_text()) == self.lock
        found = self._found()
        lost = sum(size for path, (size, digest) in self.files.items() if found.get(path) != (size, digest))
        if not equal or lost:
            (self.place.parent / f"failed-{time.time():.0f}.log").write_text(printed)
        repeated = " ".join(sorted(set(_RAN.findall(printed)) - set(stages)))
        return Left(equal, lost, len(self._partial_files()), len(self._damaged()), repeated)

    def _forget(self, stage: str) -> None:
        """DVC knows no result of the stage any more, neither in its lock nor in its cache of runs.

        The empty folder of its runs stays, as DVC leaves one if it is killed while it keeps a run. Nothing that the
        stage has computed lies in scratch.
        """
        shutil.rmtree(self.place / "scratch", ignore_errors=True)
        lock = yaml.safe_load(self._lock_file.read_text())
        lock["stages"].pop(stage, None)
        self._lock_file.write_text(yaml.safe_dump(lock, sort_keys=False))
        for kept in (self.place / ".dvc" / "cache" / "runs").rglob("*"):
            if kept.is_file() and yaml.safe_load(kept.read_text())["cmd"] == self.lock["stages"][stage]["cmd"]:
                kept.unlink()

    @contextmanager
    def _repro(self, mark: str, *arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
        """The pipeline running in a group of its own, and the file of what it prints."""
        log = self.place.parent / f"{mark}.log"
        with log.open("wb") as out, _started(self.place, mark, out, *arguments) as running:
            yield running, log
        log.unlink()

    def _found(self) -> dict[str, tuple[int, str]]:
        """Size and digest of each file that the stages leave."""
        tops = (self.place / "reports" / SCALE, self.place / "data" / "stores" / SCALE)
        files = (file for top in tops for file in top.rglob("*") if file.is_file())
        return {str(file.relative_to(self.place)): (file.stat().st_size, _md5(file)) for file in files}

    def _partial_files(self) -> list[Path]:
        """Half-written files and folders outside scratch."""
        found = self.place.rglob(".partial-*")
        return [path for path in found if path.relative_to(self.place).parts[0] != "scratch"]

    def _damaged(self) -> list[Path]:
        """Stores that do not open, and files of DVC's cache that are not what their names say."""
        cached = (self.place / ".dvc" / "cache" / "files" / "md5").glob("??/*")
        stores = (self.place / "data" / "stores" / SCALE).glob("*.zarr")
        return [path for path in stores if not _opens(path)] + [
            path for path in cached if path.parent.name + path.name.removesuffix(".dir") != _md5(path)
        ]


def _started(place: Path, mark: str, out: Any, *arguments: str) -> subprocess.Popen[bytes]:
    variables = environment.pipeline(os.environ) | {disturbances.MARK: mark, "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "brew", "repro", SCALE, *arguments], cwd=place, env=variables, stdout=out, stderr=out,
        start_new_session=True, preexec_fn=_prepare,
    )  # fmt: skip


def _prepare() -> None:
    """In the run's first process: the run ends with the soak, and obeys permissions."""
    die_with_parent(signal.SIGTERM)
    disturbances.obey_permissions()


def _md5(file: Path) -> str:
    return hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()


def _opens(store: Path) -> bool:
    try:
        open_store(store)
    except BrewError:
        return False
    return True


def _orphans(run: disturbances.Run) -> int:
    """Processes of a run that has ended which do not end themselves within some seconds; they are ended then."""
    last = time.monotonic() + _ENDING
    while (alive := run.processes()) and time.monotonic() < last:
        time.sleep(0.1)
    for process in alive:
        process.kill()
    return len(alive)


def undisturbed(folder: Path) -> Tree:
    """A clone of the last commit in which the scale has run, on a small disk of its own if one can be mounted."""
    place, noted = folder / "tree", folder / "undisturbed.yaml"
    if not (place / ".git").exists() or not noted.exists():
        end(place)
        place.mkdir(parents=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={_DISK}", "tmpfs", str(place)]
        if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
            print(f"soak: no tmpfs can be mounted on {place}: full disks are left out; run as root to try them")
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(place)], check=True)
        noted.write_text(yaml.safe_dump(_seconds(place, folder / "undisturbed.log")))
    return Tree(place, yaml.safe_load(noted.read_text()))


def end(place: Path) -> None:
    """Remove the tree and its disk."""
    if place.is_mount():
        subprocess.run(["umount", str(place)], check=True)
    shutil.rmtree(place, ignore_errors=True)


def _commit() -> str:
    command = ["git", "rev-parse", "--short=12", "HEAD"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def _seconds(place: Path, log: Path) -> dict[str, float]:
    """Run the scale in the clone; the seconds of each stage."""
    started: list[tuple[str, float]] = []
    with log.open("wb") as out, _started(place, "undisturbed", out) as running:
        while running.poll() is None:
            names = _RAN.findall(log.read_text())
            started += [(name, time.monotonic()) for name in names[len(started) :]]
            time.sleep(0.05)
    if running.returncode:
        raise SystemExit(log.read_text())
    ends = [*[begin for _, begin in started[1:]], time.monotonic()]
    return {name: round(end - begin, 1) for (name, begin), end in zip(started, ends, strict=True)}


def held(rows: pd.DataFrame) -> pd.Series:
    """Of each row, whether the pipeline recovered and nothing of the disturbance is left."""
    left = rows[["orphans", "bytes_lost", "partial_files", "damaged"]].sum(axis=1)
    return rows["lock_equal"] & (left == 0) & (rows["repeated"].fillna("") == "")


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """A row per kind: moments that were tried, those that held, equal locks, bytes lost and processes left."""
    found = rows.assign(held=held(rows)).groupby("kind", sort=False)
    counts = found[["held", "lock_equal", "bytes_lost", "orphans", "partial_files", "damaged"]].sum()
    counts.insert(0, "tried", found.size())
    return counts.rename(columns={"lock_equal": "locks_equal"})


def main() -> int:
    """Try the moments that the table lacks; exit status 1 if one of the table's moments does not hold."""
    parser = argparse.ArgumentParser(description="Disturb the pipeline at random moments.")
    parser.add_argument("--moments", type=int, default=50, help="how many of each kind the table is to have")
    moments = parser.parse_args().moments
    folder = SCRATCH / "soak" / _commit()
    tree, table = undisturbed(folder), folder / "moments.csv"
    kinds = [
        kind for kind in disturbances.DISTURBANCES
        if kind != disturbances.FULL_DISK or disturbances.on_own_disk(tree.place)
    ]  # fmt: skip
    tried = len(pd.read_csv(table)) if table.exists() else 0
    for number in range(tried, moments * len(kinds)):
        each, start = moment(number, kinds, list(tree.lock["stages"])), time.monotonic()
        status, orphans = tree.disturb(each)
        left = tree.recover([each.stage])
        row = pd.DataFrame([asdict(each) | {"status": status, "orphans": orphans} | asdict(left)])
        row["seconds"] = round(time.monotonic() - start, 1)
        row.to_csv(table, mode="a", header=not table.exists(), index=False)
        print(f"{number}: {each.kind}, {each.form}, in {each.stage}: {'held' if held(row)[0] else left}", flush=True)
    rows = pd.read_csv(table)
    end(tree.place)
    print(summary(rows).to_string())
    return 0 if held(rows).all() else 1


if __name__ == "__main__":
    sys.exit(main())
