"""The result cache: each result is kept under the hash of all that it depends on (`brew.evaluation.cache_keys`).

A changed or failed computation runs again, all others are read back. One that crashes leaves no trace of itself and
does not stop the others (`cached_results`).

    result = cached("change@deo", key, lambda: CachedResult({"epoch": 3}, {"counts": counts}))

Left out: removal of old results (the folder is scratch), and locks. Two processes may compute the same result, and then
store the same.
"""

import json
import multiprocessing
import shutil
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm.auto import tqdm

from brew import files
from brew.errors import BrewError
from brew.evaluation.cache_keys import canonical, digest
from brew.evaluation.scores import read_arrays, write_arrays
from brew.files import write_bytes

_SHOWN = 16


@dataclass(frozen=True)
class CachedResult:
    """values: what JSON can hold, by name. arrays: NumPy arrays, by name."""

    values: dict[str, Any]
    arrays: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Computation:
    """What is computed once: a name to read, a key that decides, and how to compute it.

    group: computations of one group run in one process, after each other, since they share something costly.
    """

    name: str
    key: Mapping[str, Any]
    compute: Callable[[], CachedResult]
    group: Hashable = None


def cached(
    name: str, key: Mapping[str, Any], compute: Callable[[], CachedResult], folder: Path | None = None
) -> CachedResult:
    """The kept result of this key, else `compute()`, which is then kept whole or not at all.

    folder: where results are kept; ``scratch/results`` if it is None.
    """
    place = _place(name, key, folder)
    if place.is_dir():
        return _read(place, key)
    result = compute()
    text = canonical(result.values)
    place.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(dir=place.parent, prefix=".partial-"))
    try:
        write_bytes(partial / "key.json", canonical(dict(key)).encode())
        write_bytes(partial / "values.json", text.encode())
        write_arrays(partial / "arrays.npz", result.arrays)
        try:
            partial.rename(place)
        except OSError:
            # Another process has kept the same result meanwhile.
            if not place.is_dir():
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    # Read back, so that a first run and a repeated one return the same types.
    return _read(place, key)


def _place(name: str, key: Mapping[str, Any], folder: Path | None) -> Path:
    return (folder or files.SCRATCH / "results") / name / digest(key)[:_SHOWN]


def _read(place: Path, key: Mapping[str, Any]) -> CachedResult:
    try:
        kept, values = (place / "key.json").read_text(), json.loads((place / "values.json").read_text())
    except (OSError, ValueError) as error:
        raise BrewError(f"{place} is damaged ({error}); expected a whole result; delete it") from error
    if kept != canonical(dict(key)):
        raise BrewError(f"{place} was kept for another key; delete it")
    return CachedResult(values, read_arrays(place / "arrays.npz"))


def cached_results(
    computations: Iterable[Computation], folder: Path | None = None, processes: int = 1
) -> dict[str, CachedResult]:
    """All results by name. A crash does not stop the other computations; BrewError at the end names every crash.

    processes: that share the computations, a group at a time. A result does not show which one computed it.
    """
    listed = list(computations)
    for name, count in Counter(one.name for one in listed).items():
        if count > 1:
            raise BrewError(f"two computations are named {name!r}; expected a name each")
    groups: dict[Hashable, list[Computation]] = {}
    for one in listed:
        if not _place(one.name, one.key, folder).is_dir():
            groups.setdefault(one.name if one.group is None else one.group, []).append(one)
    waiting = list(groups.values())
    crashes = _forked(waiting, folder, processes) if processes > 1 < len(waiting) else _in_turn(waiting, folder)
    if crashes:
        told = "; ".join(f"{crash.name}: {crash.error}" for crash in crashes)
        raise BrewError(
            f"{len(crashes)} of {len(listed)} computations failed ({told}); the results of the others "
            "are kept: run again after the cause is removed"
        ) from RuntimeError(crashes[0].trace)
    return {one.name: _read(_place(one.name, one.key, folder), one.key) for one in listed}


@dataclass(frozen=True)
class _Crash:
    """A computation that failed, in words that one process can send to another."""

    name: str
    error: str
    trace: str


def _in_turn(groups: Sequence[Sequence[Computation]], folder: Path | None) -> list[_Crash]:
    return [crash for group in groups for crash in _compute(group, folder)]


def _compute(group: Sequence[Computation], folder: Path | None) -> list[_Crash]:
    crashes = []
    for one in group:
        try:
            cached(one.name, one.key, one.compute, folder)
        except Exception as error:  # any crash belongs to its own computation
            crashes.append(_Crash(one.name, f"{type(error).__name__}: {error}", traceback.format_exc()))
    return crashes


#: What forked processes are to compute. They inherit it: computations that hold opened stores cannot be sent.
_inherited: list[Sequence[Computation]] = []


def _forked(groups: Sequence[Sequence[Computation]], folder: Path | None, processes: int) -> list[_Crash]:
    """`_in_turn` by several processes, each with one thread. A process that dies takes along what it had begun."""
    _inherited[:] = groups
    crashes: list[_Crash] = []
    try:
        with ProcessPoolExecutor(
            min(processes, len(groups)), multiprocessing.get_context("fork"), torch.set_num_threads, (1,)
        ) as pool:
            begun = {pool.submit(_compute_inherited, index, folder): group for index, group in enumerate(groups)}
            for future in tqdm(as_completed(begun), desc="results", unit="group", total=len(groups)):
                try:
                    crashes += future.result()
                except BrokenProcessPool as broken:
                    error = f"its process died, often for lack of memory; BREW_PROCESSES=1 needs less ({broken})"
                    crashes += [
                        _Crash(one.name, error, traceback.format_exc())
                        for one in begun[future] if not _place(one.name, one.key, folder).is_dir()
                    ]  # fmt: skip
    finally:
        _inherited.clear()
    return crashes


def _compute_inherited(index: int, folder: Path | None) -> list[_Crash]:
    return _compute(_inherited[index], folder)
