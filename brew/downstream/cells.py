"""Cells of a table: each result is kept by a hash of everything that it depends on.

A cell's key names its settings, the hashes of its model and data, and of the brew sources it runs (`sources_digest`). A
changed or failed cell runs again, all others are read back. A cell that crashes leaves no trace of itself and does not
stop its neighbours (`run_cells`).

    sources = sources_digest("brew.downstream.change")
    key = {"model": file_digest(model), "settings": asdict(settings), "sources": sources}
    result = cell("change@deo", key, lambda: CellResult({"epoch": 3}, {"counts": counts}))

Left out: removal of old cells (the folder is scratch), and locks: two processes that compute one cell both may, and
store the same.
"""

import ast
import hashlib
import json
import math
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from brew import paths
from brew.downstream.scores import write_arrays, write_atomically
from brew.errors import BrewError

_SHOWN = 16


@dataclass(frozen=True)
class CellResult:
    """values: what JSON can hold, by name. arrays: NumPy arrays, by name."""

    values: dict[str, Any]
    arrays: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Cell:
    """One cell of a table: a name to read, a key that decides, and how to compute it."""

    name: str
    key: Mapping[str, Any]
    compute: Callable[[], CellResult]


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


def file_digest(path: Path) -> str:
    """SHA-256 of a file, or of a folder's files with their relative names (such as a store)."""
    if not path.exists():
        raise BrewError(f"{path} does not exist; expected a file or folder to hash")
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    names = sorted(inner.relative_to(path).as_posix() for inner in path.rglob("*") if inner.is_file())
    return digest([[name, file_digest(path / name)] for name in names])


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
    base = paths.ROOT.joinpath(*module.split("."))
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)


def _source(module: str) -> Path:
    path = _source_or_none(module)
    if path is None:
        raise BrewError(f"module {module!r} has no source below {paths.ROOT}; expected a module of brew")
    return path


def cell(
    name: str, key: Mapping[str, Any], compute: Callable[[], CellResult], folder: Path | None = None
) -> CellResult:
    """The kept result of this key, else `compute()`, which is then kept whole or not at all.

    folder: where cells are kept, ``scratch/cells`` where it is None.
    """
    place = (folder or paths.SCRATCH / "cells") / name / digest(key)[:_SHOWN]
    if place.is_dir():
        return _read(place, key)
    result = compute()
    text = canonical(result.values)
    place.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(dir=place.parent, prefix=".partial-"))
    try:
        write_atomically(partial / "key.json", canonical(dict(key)).encode())
        write_atomically(partial / "values.json", text.encode())
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


def _read(place: Path, key: Mapping[str, Any]) -> CellResult:
    if (place / "key.json").read_text() != canonical(dict(key)):
        raise BrewError(f"{place} was kept for another key; delete it")
    with np.load(place / "arrays.npz", allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    return CellResult(json.loads((place / "values.json").read_text()), arrays)


def run_cells(cells: Iterable[Cell], folder: Path | None = None) -> dict[str, CellResult]:
    """All cells' results by name. A crashed cell does not stop the others; BrewError at the end names every crash."""
    results: dict[str, CellResult] = {}
    crashes: list[tuple[str, Exception]] = []
    for one in cells:
        if one.name in results or any(one.name == name for name, _ in crashes):
            raise BrewError(f"two cells are named {one.name!r}; expected a name each")
        try:
            results[one.name] = cell(one.name, one.key, one.compute, folder)
        except Exception as error:  # any crash belongs to its own cell
            crashes.append((one.name, error))
    if crashes:
        listed = "; ".join(f"{name}: {type(error).__name__}: {error}" for name, error in crashes)
        raise BrewError(
            f"{len(crashes)} of {len(crashes) + len(results)} cells failed ({listed}); the others are kept: "
            "run again after the cause is removed"
        ) from crashes[0][1]
    return results


def number(value: float) -> float | None:
    """A number for JSON: ten significant digits, None for NaN and infinity."""
    return float(f"{value:.10g}") if math.isfinite(value) else None
