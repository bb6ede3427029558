"""A lock that DVC wrote, as results: which bytes every stage left, and the first stage that left others.

What a report says of its commit is no result, so the page of a scale is left out (`brew.compendium.report.provenance`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brew.compendium.pipeline import STAGES, pipeline_file
from brew.compendium.scales import read_yaml
from brew.errors import BrewError
from brew.files import ROOT

#: Stages that are the first to be asked, in the order of the pipeline.
_ORDER = {entry.name: place for place, entry in enumerate(STAGES)}


@dataclass(frozen=True)
class Run:
    """One stage's entry of a lock: path -> hash of what it depended on, and of what it left; its parameters."""

    deps: Mapping[str, str]
    outs: Mapping[str, str]
    params: Mapping[str, Any]


@dataclass(frozen=True)
class Difference:
    """A run that left other bytes: its name, the paths, and what it depended on that was not the same either."""

    run: str
    outs: tuple[str, ...]
    because: tuple[str, ...]

    def __str__(self) -> str:
        cause = f"depended on other {', '.join(self.because)}" if self.because else "depended on the same files"
        return f"{self.run} left other {', '.join(self.outs)} and {cause}"


def lock_file(scale: str, root: Path = ROOT) -> Path:
    """Where DVC keeps the lock of a scale."""
    return (root / pipeline_file(scale)).with_suffix(".lock")


def read_lock(path: Path) -> dict[str, Run]:
    """Every run of a lock in the order of the pipeline; BrewError if there is no lock."""
    if not path.is_file():
        raise BrewError(f"{path} does not exist; expected what DVC writes after a run. `brew lock SCALE` writes it")
    stages = read_yaml(path).get("stages")
    if not isinstance(stages, dict):
        raise BrewError(f"{path} holds no stages; expected what DVC writes after a run. Run the scale, or restore it")
    names = sorted(stages, key=lambda name: (_ORDER.get(name.partition("@")[0], len(_ORDER)), name))
    return {name: _run(stages[name]) for name in names}


def _run(entry: Mapping[str, Any]) -> Run:
    deps, outs = ({each["path"]: str(each["md5"]) for each in entry.get(kind, ())} for kind in ("deps", "outs"))
    return Run(deps, {path: found for path, found in outs.items() if not _is_page(path)}, entry.get("params", {}))


def _is_page(path: str) -> bool:
    """Whether it is the page of a scale, `reports/index.html` or `reports/<scale>/index.html`."""
    return path.startswith("reports/") and path.endswith("/index.html")


def differences(expected: Mapping[str, Run], found: Mapping[str, Run]) -> list[Difference]:
    """Runs that left other bytes than expected, in the order of the pipeline, those of one side alone included."""
    unlike = []
    for name in [*expected, *(name for name in found if name not in expected)]:
        one, other = expected.get(name), found.get(name)
        if one is None or other is None:
            side = "found" if one is None else "expected"
            unlike.append(Difference(name, (f"outputs: it is {side} alone",), ()))
        elif outs := _unlike(one.outs, other.outs):
            unlike.append(Difference(name, outs, _unlike(one.deps, other.deps)))
    return unlike


def _unlike(one: Mapping[str, str], other: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(sorted(path for path in one.keys() | other.keys() if one.get(path) != other.get(path)))
