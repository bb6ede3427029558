"""The pipeline as a graph: stages in columns by how late they can run, and lines from what each reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

_KINDS, _SITE = ("outs", "metrics"), "site"
#: Width of a stage's box, distance of columns and of rows, and margin, in units of the picture.
BOX, _ACROSS, _DOWN, _MARGIN = 130, 168, 44, 8


@dataclass(frozen=True)
class StageNode:
    """A stage. after, before: what it reads, and what reads it. inputs: (path, MD5) of what it read when it ran."""

    name: str
    command: str
    after: Sequence[str]
    before: Sequence[str]
    parameters: Sequence[str]
    inputs: Sequence[tuple[str, str]]


def stage_nodes(pipeline: Path) -> list[StageNode]:
    """The stages of a dvc.yaml, with the hashes of the lock beside it.

    Hashes are given of what comes before the site alone: the lock may hold those of an earlier run of the others.
    """
    reader = YAML(typ="safe")
    stages = reader.load(pipeline.read_text(encoding="utf-8"))["stages"]
    lock = pipeline.with_name("dvc.lock")
    locked = reader.load(lock.read_text(encoding="utf-8")).get("stages", {}) if lock.exists() else {}
    made = {_path(out): name for name, stage in stages.items() for kind in _KINDS for out in stage.get(kind, ())}
    after = {name: _makers(stage, made, name) for name, stage in stages.items()}
    settled = ancestors(after)[_SITE]
    return [
        StageNode(
            name,
            _plain(stage["cmd"].removeprefix("exec ")),
            after[name],
            [each for each in stages if name in after[each]],
            [_plain(key) for file in stage.get("params", ()) for keys in file.values() for key in keys],
            _hashed(name, locked) if name in settled else [(path, "") for path in stage["deps"]],
        )
        for name, stage in stages.items()
    ]


def _plain(text: str) -> str:
    """With a word in place of what DVC fills in."""
    return text.replace("${item.arm}", "ARM")


def _hashed(name: str, locked: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the runs of a stage read, once each."""
    runs = (run for key, run in locked.items() if key.split("@")[0] == name)
    return list(dict.fromkeys((dep["path"], dep.get("md5", "")) for run in runs for dep in run.get("deps", ())))


def ancestors(after: Mapping[str, Sequence[str]]) -> dict[str, set[str]]:
    """Everything that comes before each stage, however far. after: what each stage reads."""
    found: dict[str, set[str]] = {}

    def before(name: str) -> set[str]:
        if name not in found:
            found[name] = set(after[name]).union(*map(before, after[name]))
        return found[name]

    for name in after:
        before(name)
    return found


def _path(out: Any) -> str:
    return out if isinstance(out, str) else next(iter(out))


def _makers(stage: Mapping[str, Any], made: Mapping[str, str], own: str) -> list[str]:
    """The stages that made what a stage reads: the path itself, what lies in it, or what it lies in."""
    found = {
        maker
        for dependency in stage["deps"]
        for out, maker in made.items()
        for path in [out.split("/${")[0]]
        if dependency.split("/${")[0] == path or f"{path}/".startswith(f"{dependency}/")
        or dependency.startswith(f"{path}/")
    } - {own}  # fmt: skip
    return [name for name in dict.fromkeys(made.values()) if name in found]


def graph(nodes: Sequence[StageNode]) -> dict[str, Any]:
    """Places of boxes and paths of lines, as `lineage.html.j2` draws them; a line that others imply is left out."""
    columns: dict[str, int] = {}
    for node in _ordered(nodes):
        columns[node.name] = max((columns[name] + 1 for name in node.after if name in columns), default=0)
    rows: dict[int, int] = {}
    places = {}
    for name, column in columns.items():
        places[name] = (_MARGIN + column * _ACROSS, _MARGIN + rows.get(column, 0) * _DOWN)
        rows[column] = rows.get(column, 0) + 1
    earlier = ancestors({node.name: node.after for node in nodes})
    lines = [
        _line(places[name], places[node.name])
        for node in nodes
        for name in node.after
        if not any(name in earlier[other] for other in node.after)
    ]
    return {
        "box": BOX, "width": 2 * _MARGIN + max(x for x, _ in places.values()) + BOX,
        "height": 2 * _MARGIN + max(y for _, y in places.values()) + 30,
        "nodes": [{"name": name, "x": x, "y": y} for name, (x, y) in places.items()], "edges": lines,
    }  # fmt: skip


def _line(start: tuple[int, int], end: tuple[int, int]) -> str:
    """A path from the right of one box to the left of another."""
    (x, y), (to_x, to_y) = (start[0] + BOX, start[1] + 15), (end[0], end[1] + 15)
    return f"M{x} {y}C{x + 20} {y} {to_x - 20} {to_y} {to_x} {to_y}"


def _ordered(nodes: Sequence[StageNode]) -> list[StageNode]:
    """Every stage after those that it reads."""
    placed: dict[str, StageNode] = {}
    waiting = list(nodes)
    while waiting:
        ready = [node for node in waiting if set(node.after) <= placed.keys()]
        placed |= {node.name: node for node in ready}
        waiting = [node for node in waiting if node.name not in placed]
    return list(placed.values())
