"""Stores from many files by way of parts: what workers read lies in files beside the store until it is complete.

A source says by a `Plan` which items there are, how one is read, and how the parts become a store. Workers read and
check one item at a time and leave its arrays in a file of its own, a part. When all items were tried, one process
writes the store from the parts in the items' order. So neither the number of workers nor who was faster changes a
byte of the store, and:

- memory holds as many items as there are workers, of the others only names;
- a build that was killed, or ended with problems, goes on with the items that have no part from the same files;
- problems are gathered from all items and listed, and what could be read is kept.

Folders are named to workers, never sent: on a cluster of several machines they lie on a file system that all share, and
brew is installed on each. Parts need as much room as the store, until it is complete.
"""

import contextlib
import csv
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
from distributed import KilledWorker
from tqdm.auto import tqdm

from brew.data.problems import Problem
from brew.data.sources.clusters import check_choice, check_shared, connected, in_window
from brew.errors import BrewError
from brew.files import locked, replacing

_Item = TypeVar("_Item")
#: `work` of every item, in the order in which they end; Dask's error if worker after worker died on an item.
Run = Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[tuple[Any, Any]]]


@dataclass(frozen=True)
class Content:
    """What one item holds. arrays: of the part. record: all else, as JSON values. problems: of the item's files.

    An item with problems is read again by the next build; its part holds what could be read.
    """

    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    record: Mapping[str, Any] = field(default_factory=dict)
    problems: Sequence[Problem] = ()


@runtime_checkable
class Plan(Protocol[_Item]):
    """What a source tells the builder; sent to workers.

    noun: what the samples of the source are called in messages. shared: folders and files that all workers have to see.
    """

    @property
    def noun(self) -> str: ...

    @property
    def shared(self) -> Sequence[Path]: ...

    def items(self, run: Run) -> tuple[Sequence[_Item], list[Problem]]:
        """All items in the store's order, and what is wrong with files that name no item."""

    def samples(self, items: Sequence[_Item]) -> int:
        """How many of the plan's `noun` the items are."""

    def name(self, item: _Item) -> str:
        """What the item's part is known by."""

    def place(self, item: _Item) -> Path:
        """The file that is named if worker after worker dies on the item."""

    def made_from(self, item: _Item) -> Any:
        """What the item's part is valid for, as JSON values; another one is read again."""

    def read(self, item: _Item) -> Content:
        """On a worker: the item's content. No part is written if it has no array."""

    def bears(self, problems: Sequence[Problem]) -> bool:
        """Whether the store is written in spite of these problems."""

    def write(self, path: Path, parts: "Sequence[Part]", problems: Sequence[Problem]) -> None:
        """Write the store from the parts of the items that have one, in the items' order."""


def build(
    path: Path, plan: Plan[Any], workers: int | None = None, cluster: str | None = None, here: bool = False
) -> None:
    """Read every item of the plan, then write the store at `path`.

    workers: processes on this machine, one per core where None. cluster: address of a running cluster instead.
    here: read in this process, for so few items that starting others costs more.
    Raises BrewError if `path` exists, another build of it runs, the cluster does not answer or does not see the
    folders. Raises BrewError if files are wrong and the plan does not bear it: all of them are listed beside the store
    in `<name>.problems.csv`, and the next build reads them alone.
    """
    path = path.absolute()
    if path.exists():
        raise BrewError(f"{path} exists; expected no store there. Remove it to build it again")
    check_choice(workers, cluster)
    folder, report = path.with_name(f".parts-{path.name}"), path.with_name(f"{path.name}.problems.csv")
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / "lock", f"{path} is being built by another process; expected one. Wait for it"):
        with _runner(workers, cluster, (*plan.shared, folder), here) as run:
            items, problems = plan.items(run)
            wrong, lost = _read_parts(run, plan, items, folder)
        problems = problems + wrong + lost
        message = _reported(plan, problems, plan.samples(items), report) if problems else ""
        if lost or (problems and not plan.bears(problems)):
            raise BrewError(message)
        parts = [part for item in items if (part := Part.of(folder, plan.name(item))).file.is_file()]
        plan.write(path, parts, problems)
        if not problems:
            report.unlink(missing_ok=True)
        shutil.rmtree(folder)


@contextlib.contextmanager
def _runner(workers: int | None, cluster: str | None, shared: Sequence[Path], here: bool) -> Iterator[Run]:
    if here:
        yield lambda work, items: ((item, work(item)) for item in items)
        return
    with connected(workers, cluster) as client:
        check_shared(client, shared)
        yield partial(in_window, client)


def _read_parts(run: Run, plan: Plan[Any], items: Sequence[Any], folder: Path) -> tuple[list[Problem], list[Problem]]:
    """See to it that every item has a part; what is wrong with its files, and items on which workers died."""
    problems: list[Problem] = []
    lost: list[Problem] = []
    with tqdm(desc=f"{plan.noun}s", unit=plan.noun, total=plan.samples(items), disable=None) as progress:
        for item, wrong in run(partial(read_part, plan=plan, folder=folder), items):
            if isinstance(wrong, KilledWorker):
                why = f"reading this {plan.noun}: {wrong}"
                lost.append(Problem(plan.name(item), str(plan.place(item)), "", why))
            else:
                problems += wrong
            progress.update(plan.samples([item]))
    return problems, lost


def read_part(item: Any, plan: Plan[Any], folder: Path) -> list[Problem]:
    """On a worker: read and check an item and write its part, unless it has a whole one from the same files."""
    part, made_from = Part.of(folder, plan.name(item)), plan.made_from(item)
    if part.is_made_from(made_from):
        return []
    content = plan.read(item)
    if content.arrays:
        part.write(content, made_from)
    else:
        part.file.unlink(missing_ok=True)
    return list(content.problems)


def seen(file: Path) -> list[int] | None:
    """Size and time of change of a file, None if it is absent: what tells a changed file."""
    status = os.stat(file) if file.exists() else None
    return status and [status.st_size, status.st_mtime_ns]


@dataclass(frozen=True)
class Part:
    """One item that was read and checked, in a file of its own: its arrays, and a record of all else as JSON.

    NumPy's archive: one file that appears in one step, with a checksum that tells a damaged one.
    """

    name: str
    file: Path

    @classmethod
    def of(cls, folder: Path, name: str) -> "Part":
        # A name may be a path, and longer than a file's may be.
        return cls(name, folder / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.npz")

    def write(self, content: Content, made_from: Any) -> None:
        record = {"made from": made_from, "whole": not content.problems, **content.record}
        # Dask may have lost sight of a worker that still runs, and ask another for the same item.
        with replacing(self.file) as partial_file, partial_file.open("wb") as file:
            np.savez(file, **content.arrays, record=np.array(json.dumps(record)))  # type: ignore[arg-type]

    def is_made_from(self, made_from: Any) -> bool:
        """Whether the part is whole and from these files."""
        if not self.file.is_file():
            return False
        record = self.record()
        return bool(record["whole"]) and record["made from"] == made_from

    def record(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(str(self.array("record")))
        return found

    def array(self, name: str) -> np.ndarray:
        """One array; BrewError if the part is damaged, which is then removed."""
        return self._load(name)[name]

    def arrays(self) -> dict[str, np.ndarray]:
        """All arrays; BrewError as `array`."""
        return {name: values for name, values in self._load().items() if name != "record"}

    def _load(self, *names: str) -> dict[str, np.ndarray]:
        """The members of these names, all if there is none."""
        try:
            with self.file.open("rb") as file, np.load(file) as archive:
                return {name: archive[name] for name in names or archive.files}
        except Exception as error:  # NumPy and its archives raise many kinds for damaged bytes
            self.file.unlink(missing_ok=True)
            raise BrewError(
                f"{self.file}, the part of {self.name!r}, is damaged ({error}) and was removed; expected what "
                "was written. Run again: its files are read anew"
            ) from error


def _reported(plan: Plan[Any], problems: Sequence[Problem], samples: int, report: Path) -> str:
    """Write all problems as CSV, sorted, and say so in one message."""
    ordered = sorted(problems, key=astuple)
    with report.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, [each.name for each in fields(Problem)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(problem) for problem in ordered)
    bad = len({problem.scene for problem in ordered if problem.scene})
    return (
        f"{len(ordered)} problems in the files, and {bad} of {samples} {plan.noun}s could not be read; expected none. "
        f"The first: {ordered[0].error}. All are listed in {report}: correct the files, or take them away, and run "
        "again; what could be read is kept"
    )
