"""Whether each stage of a scale has run: what DVC would say, from its lock, in a second instead of several.

A stage is "done" if its lock names what it depends on now and all that it left is there, and "from cache" if the latter
lies in DVC's cache. It is "to run" if anything differs, or if a stage that it depends on is to run. It is "impossible"
if that one is. Folders that stages leave are taken to hold what their lock says; DVC itself hashes them.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from brew.compendium.pipeline import ARM, pipeline_file
from brew.compendium.scales import parameter_file
from brew.data.plain import read_yaml
from brew.files import ROOT

State = Literal["done", "from cache", "to run", "impossible"]


@dataclass(frozen=True)
class StageState:
    """One stage, or one run of it for an arm. reason: why it is to run or impossible, "" otherwise."""

    name: str
    state: State
    reason: str = ""


@dataclass(frozen=True)
class _Stated:
    """A stage as dvc.yaml states it."""

    deps: tuple[str, ...]
    params: Mapping[str, tuple[str, ...]]
    outs: tuple[str, ...]


def stage_states(scale: str, runs: Iterable[str], impossible: Mapping[str, str], root: Path = ROOT) -> list[StageState]:
    """Every stage of the scale, in the order of the pipeline. runs: of the scale's arms.

    impossible: stage -> why it cannot run.
    """
    file = root / pipeline_file(scale)
    lock = file.with_suffix(".lock")
    locked = read_yaml(lock)["stages"] if lock.is_file() else {}
    parameters = read_yaml(parameter_file(scale, root))
    found: dict[str, StageState] = {}
    left: dict[str, str] = {}  # path that a stage leaves -> the stage
    for name, stated in _expanded(read_yaml(file)["stages"], tuple(runs)):
        before = [found[stage] for path, stage in left.items() if any(_meet(path, dep) for dep in stated.deps)]
        found[name] = _state(name, stated, locked, parameters, before, impossible, left, root)
        left |= dict.fromkeys(stated.outs, name)
    return list(found.values())


def _expanded(stages: Mapping[str, Any], runs: tuple[str, ...]) -> Iterator[tuple[str, _Stated]]:
    for name, entry in stages.items():
        if "matrix" not in entry:
            yield name, _stated(entry, "")
        for run in runs if "matrix" in entry else ():
            yield f"{name}@{run}", _stated(entry, run)


def _stated(entry: Mapping[str, Any], run: str) -> _Stated:
    def filled(text: str) -> str:
        return text.replace(ARM, run)

    params = {
        filled(file): tuple(filled(key) for key in keys)
        for each in entry.get("params", ()) for file, keys in each.items()
    }  # fmt: skip
    outs = [next(iter(each)) if isinstance(each, dict) else each for each in (*entry.get("outs", ()),
                                                                             *entry.get("metrics", ()))]  # fmt: skip
    return _Stated(tuple(map(filled, entry.get("deps", ()))), params, tuple(map(filled, outs)))


def _state(
    name: str, stated: _Stated, locked: Mapping[str, Any], parameters: Mapping[str, Any], before: list[StageState],
    impossible: Mapping[str, str], left: Mapping[str, str], root: Path,
) -> StageState:  # fmt: skip
    if reason := impossible.get(name):
        return StageState(name, "impossible", reason)
    if stopped := [each.name for each in before if each.state == "impossible"]:
        return StageState(name, "impossible", f"after {stopped[0]}")
    if not (entry := locked.get(name)):
        return StageState(name, "to run", "never run")
    if changed := _changed(stated, entry, parameters, left, root):
        return StageState(name, "to run", f"{changed} changed")
    if waiting := [each.name for each in before if each.state == "to run"]:
        return StageState(name, "to run", f"after {waiting[0]}")
    if all((root / path).exists() for path in stated.outs):
        return StageState(name, "done")
    if all((root / each["path"]).exists() or _cached(each, root) for each in entry.get("outs", ())):
        return StageState(name, "from cache")
    return StageState(name, "to run", "what it left is gone")


def _changed(
    stated: _Stated, entry: Mapping[str, Any], parameters: Mapping[str, Any], left: Mapping[str, str], root: Path
) -> str:
    """The first file or parameter that is not as the lock has it; "" if all are."""
    hashes = {each["path"]: str(each.get("md5", "")) for each in entry.get("deps", ())}
    for path in stated.deps:
        if any(_meet(path, made) for made in left):
            continue  # its stage says
        if path not in hashes or not (root / path).exists():
            return path
        if (root / path).is_file() and _md5(root / path) != hashes[path]:
            return path
    known = {key: value for each in entry.get("params", {}).values() for key, value in each.items()}
    for keys in stated.params.values():
        for key in keys:
            if key not in known or known[key] != _value(parameters, key):
                return key
    return ""


def _value(parameters: Mapping[str, Any], key: str) -> Any:
    found: Any = parameters
    for part in key.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _meet(one: str, other: str) -> bool:
    """Whether two paths are one, or one lies in the other."""
    return one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")


def _cached(out: Mapping[str, Any], root: Path) -> bool:
    name = str(out.get("md5", ""))
    return bool(name) and (root / ".dvc" / "cache" / "files" / "md5" / name[:2] / name[2:]).exists()


@cache
def _md5(path: Path) -> str:
    """What DVC identifies a file by."""
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
