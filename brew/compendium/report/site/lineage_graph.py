"""The pipeline as a graph: stages in columns by how late they can run, and lines from what each reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

_KINDS = ("outs", "metrics")
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
    """The stages of a dvc.yaml, with the hashes of the lock beside it, as far as they have run."""
    reader = YAML(typ="safe", pure=True)
    stages = reader.load(pipeline.read_text(encoding="utf-8"))["stages"]
    lock = pipeline.with_name("dvc.lock")
    locked = reader.load(lock.read_text(encoding="utf-8")).get("stages", {}) if lock.exists() else {}
    made = {_path(out): name for name, stage in stages.items() for kind in _KINDS for out in stage.get(kind, ())}
    after = {name: _makers(stage, made, name) for name, stage in stages.items()}
    return [
        StageNode(
            name, stage["cmd"].removeprefix("exec "), after[name], [each for each in stages if name in after[each]],
            [key for file in stage.get("params", ()) for keys in file.values() for key in keys],
            [(dep["path"], dep.get("md5", "")) for key, run in locked.items() if key.split("@")[0] == name
             for dep in run.get("deps", ())],
        )
        for name, stage in stages.items()
    ]  # fmt: skip


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
    """Places of boxes and paths of lines, as the template `lineage` draws them."""
    columns: dict[str, int] = {}
    for node in _ordered(nodes):
        columns[node.name] = max((columns[name] + 1 for name in node.after if name in columns), default=0)
    rows: dict[int, int] = {}
    places = {}
    for name, column in columns.items():
        places[name] = (_MARGIN + column * _ACROSS, _MARGIN + rows.get(column, 0) * _DOWN)
        rows[column] = rows.get(column, 0) + 1
    lines = [
        f"M{places[name][0] + BOX} {places[name][1] + 15}C{places[name][0] + BOX + 20} {places[name][1] + 15} "
        f"{places[node.name][0] - 20} {places[node.name][1] + 15} {places[node.name][0]} {places[node.name][1] + 15}"
        for node in nodes for name in node.after
    ]  # fmt: skip
    return {
        "box": BOX, "width": 2 * _MARGIN + max(x for x, _ in places.values()) + BOX,
        "height": 2 * _MARGIN + max(y for _, y in places.values()) + 30,
        "nodes": [{"name": name, "x": x, "y": y} for name, (x, y) in places.items()], "edges": lines,
    }  # fmt: skip


def _ordered(nodes: Sequence[StageNode]) -> list[StageNode]:
    """Every stage after those that it reads."""
    placed: dict[str, StageNode] = {}
    waiting = list(nodes)
    while waiting:
        ready = [node for node in waiting if set(node.after) <= placed.keys()]
        placed |= {node.name: node for node in ready}
        waiting = [node for node in waiting if node.name not in placed]
    return list(placed.values())
