"""Keys of the result cache: hashes of numbers, and of the code that makes a result of them.

Equal inputs give equal keys on every machine: no path, no order of a folder and no file that Python writes enters.

    key = {"model": sha256(model), "settings": asdict(settings), "sources": sources_digest("brew.evaluation.fit")}
    digest(key)
"""

import ast
import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from brew import files
from brew.errors import BrewError


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


def sources_digest(*modules: str, past: frozenset[str] = frozenset()) -> str:
    """Hash of the code of these brew modules and of every brew module that they import.

    What decides nothing does not count: comments, docstrings, layout, and where the checkout lies. past: modules that
    are left out, with what they alone import.
    """
    seen: dict[str, str] = dict.fromkeys(past, "")
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        if module in seen:
            continue
        imported, seen[module] = _read(_source(module).read_text())
        waiting += [name for name in imported if name.split(".")[0] == "brew" and _source_or_none(name)]
    return digest(seen)


@cache
def _read(source: str) -> tuple[tuple[str, ...], str]:
    """What a module's source imports, and the hash of its code."""
    tree = ast.parse(source)
    imported = tuple(_imported(tree))
    return imported, hashlib.sha256(ast.dump(_without_docstrings(tree)).encode()).hexdigest()


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        match node:
            case ast.Module() | ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                if ast.get_docstring(node, clean=False) is not None:
                    del node.body[0]
    return tree


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
