"""Cells of a table: each result is kept by a hash of everything that it depends on.

A cell's key names its settings, the hashes of its model and data, and of the brew sources it runs (`sources_digest`). A
changed or failed cell runs again, all others are read back. A cell that crashes leaves no trace of itself and does not
stop its neighbours (`run_cells`).

    sources = sources_digest("brew.evaluation.change_detection")
    key = {"model": sha256(model), "settings": asdict(settings), "sources": sources}
    result = cell("change@deo", key, lambda: CellResult({"epoch": 3}, {"counts": counts}))

Left out: removal of old cells (the folder is scratch), and locks: two processes that compute one cell both may, and
store the same.
"""

import ast
import hashlib
import json
import math
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
from brew.evaluation.scores import write_arrays
from brew.files import write_bytes

_SHOWN = 16


@dataclass(frozen=True)
class CachedResult:
    """values: what JSON can hold, by name. arrays: NumPy arrays, by name."""

    values: dict[str, Any]
    arrays: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Computation:
    """One cell of a table: a name to read, a key that decides, and how to compute it.

    group: cells of one group are computed by one process, after each other: they share something costly.
    """

    name: str
    key: Mapping[str, Any]
    compute: Callable[[], CachedResult]
    group: Hashable = None


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces; BrewError for what JSON cannot hold (paths, arrays, NaN)."""
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise BrewError(
            f"{value!r} cannot be written as JSON ({error}); expected numbers, strings, lists and dictionaries"
        ) from error


def digest(value: Any) -> str:
    """SHA-256 of the canonical JSON."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def sources_digest(*modules: str) -> str:
    """Hash of these brew modules and of every brew module that they import, comments and layout aside."""
    seen: dict[str, str] = {}
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        if module in seen:
            continue
        tree = ast.parse(_source(module).read_text())
        seen[module] = hashlib.sha256(ast.dump(tree).encode()).hexdigest()
        waiting += [name for name in _imported(tree) if name.split(".")[0] == "brew" and _source_or_none(name)]
    return digest(seen)


def _imported(tree: ast.Module) -> list[str]:
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return names


def _source_or_none(module: str) -> Path | None:
    base = files.ROOT.joinpath(*module.split("."))
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)


def _source(module: str) -> Path:
    path = _source_or_none(module)
    if path is None:
        raise BrewError(f"module {module!r} has no source below {files.ROOT}; expected a module of brew")
    return path


def cell(
    name: str, key: Mapping[str, Any], compute: Callable[[], CachedResult], folder: Path | None = None
) -> CachedResult:
    """The kept result of this key, else `compute()`, which is then kept whole or not at all.

    folder: where cells are kept, ``scratch/cells`` where it is None.
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
            # Another process has kept the same cell meanwhile.
            if not place.is_dir():
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    # Read back, so that a first run and a repeated one return the same types.
    return _read(place, key)


def _place(name: str, key: Mapping[str, Any], folder: Path | None) -> Path:
    return (folder or files.SCRATCH / "cells") / name / digest(key)[:_SHOWN]


def _read(place: Path, key: Mapping[str, Any]) -> CachedResult:
    if (place / "key.json").read_text() != canonical(dict(key)):
        raise BrewError(f"{place} was kept for another key; delete it")
    with np.load(place / "arrays.npz", allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    return CachedResult(json.loads((place / "values.json").read_text()), arrays)


def cached_results(
    cells: Iterable[Computation], folder: Path | None = None, processes: int = 1
) -> dict[str, CachedResult]:
    """All cells' results by name. A crashed cell does not stop the others; BrewError at the end names every crash.

    processes: that share the cells, a group at a time. Which one computes a cell does not show in it.
    """
    listed = list(cells)
    for name, count in Counter(one.name for one in listed).items():
        if count > 1:
            raise BrewError(f"two cells are named {name!r}; expected a name each")
    groups: dict[Hashable, list[Computation]] = {}
    for one in listed:
        if not _place(one.name, one.key, folder).is_dir():
            groups.setdefault(one.name if one.group is None else one.group, []).append(one)
    waiting = list(groups.values())
    crashes = _forked(waiting, folder, processes) if processes > 1 < len(waiting) else _in_turn(waiting, folder)
    if crashes:
        told = "; ".join(f"{crash.name}: {crash.error}" for crash in crashes)
        raise BrewError(
            f"{len(crashes)} of {len(listed)} cells failed ({told}); the others are kept: "
            "run again after the cause is removed"
        ) from RuntimeError(crashes[0].trace)
    return {one.name: _read(_place(one.name, one.key, folder), one.key) for one in listed}


@dataclass(frozen=True)
class _Crash:
    """A cell that failed, in words that one process can send to another."""

    name: str
    error: str
    trace: str


def _in_turn(groups: Sequence[Sequence[Computation]], folder: Path | None) -> list[_Crash]:
    return [crash for group in groups for crash in _compute(group, folder)]


def _compute(group: Sequence[Computation], folder: Path | None) -> list[_Crash]:
    crashes = []
    for one in group:
        try:
            cell(one.name, one.key, one.compute, folder)
        except Exception as error:  # any crash belongs to its own cell
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
            for future in tqdm(as_completed(begun), desc="cells", unit="group", total=len(groups)):
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


def number(value: float) -> float | None:
    """A number for JSON: ten significant digits, None for NaN and infinity."""
    return float(f"{value:.10g}") if math.isfinite(value) else None
