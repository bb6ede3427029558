"""SUPERVISED_TASKS: what labels can teach a student beside its teachers, one entry each.

The heads are thrown away after pretraining. Labels come from the split that is pretrained on. A benchmark that reads
the labels of an entry is not scored on students that saw them (`scored_too`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from brew.errors import BrewError, unknown

#: Of the finest map that a dense head gives: pixels of a view per label and side.
LABEL_STRIDE = 4
#: A label that does not count.
UNLABELLED = 255


@dataclass(frozen=True)
class SupervisedTask:
    """A task with labels. source, variable: the store and its variable that hold them. classes: how many.

    reveals: other variables of the source that say the same. A variable with a time dimension is read on the image's
    own date; the miniature has materials of every date in a year alone.

    kind: "segmentation" labels places, "change" labels places by what happened between the first and the last date,
    "scene" labels images.
    """

    name: str
    source: str
    variable: str
    classes: int
    kind: Literal["segmentation", "change", "scene"]
    reveals: tuple[str, ...] = ()

    @property
    def dense(self) -> bool:
        return self.kind != "scene"


SUPERVISED_TASKS: dict[str, SupervisedTask] = {
    entry.name: entry
    for entry in (
        SupervisedTask("materials", "miniature", "materials_by_date", 19, "segmentation", ("materials",)),
        SupervisedTask("scenes", "miniature", "scene", 8, "scene"),
        SupervisedTask("changes", "miniature", "change", 5, "change"),
        SupervisedTask("aerial-scenes", "rsscn7", "scene", 7, "scene"),
        SupervisedTask("aerial-buildings", "hot_buildings", "buildings", 2, "segmentation"),
    )
}


def supervised_task(name: str) -> SupervisedTask:
    """The task of that name; BrewError with the nearest known one if there is none."""
    if name not in SUPERVISED_TASKS:
        raise unknown("supervised task", name, SUPERVISED_TASKS)
    return SUPERVISED_TASKS[name]


def scored_too(tasks: Iterable[str], scored: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """The tasks whose labels are also scored. scored: source and variable of the labels of each benchmark."""
    read = set(scored)
    found = {name: supervised_task(name) for name in tasks}
    return tuple(
        name for name, task in found.items() if {(task.source, told) for told in (task.variable, *task.reveals)} & read
    )


def check_classes(task: SupervisedTask, lowest: int, highest: int) -> None:
    """BrewError for labels outside the task's classes."""
    if lowest < 0 or (highest >= task.classes and highest != UNLABELLED):
        raise BrewError(
            f"labels {task.variable!r} of task {task.name!r} reach from {lowest} to {highest}; expected 0 to "
            f"{task.classes - 1}, or {UNLABELLED} for places without one. Correct the store, or the task's classes"
        )
