"""The optical teachers of a scale: which they are, where their weights and centres lie, and one that is ready."""

from pathlib import Path

import torch

from brew.compendium.stage import Stage
from brew.errors import BrewError, unknown
from brew.models.teachers import TEACHERS, OpticalTeacher, TeacherEntry, TeacherUnavailable


def teachers_of(stage: Stage) -> list[TeacherEntry]:
    """The scale's teacher, then the others that its arms may name; BrewError for an unknown one."""
    names = dict.fromkeys((stage.settings.teacher, *stage.settings.other_teachers))
    for name in names:
        if name not in TEACHERS:
            raise unknown("teacher", name, TEACHERS)
    return [TEACHERS[name] for name in names]


def weights_file(folder: Path, entry: TeacherEntry) -> Path | None:
    """Where the weights of a teacher lie that is `learned_here`; the others know where theirs are."""
    return folder / f"{entry.name}-weights.pt" if entry.learned_here else None


def with_centres(entry: TeacherEntry, folder: Path) -> OpticalTeacher:
    """The teacher with the centres that stage `optical-teacher` left in `folder`."""
    teacher = entry.build(weights=weights_file(folder, entry))
    teacher.load_centres(torch.load(folder / f"{entry.name}.pt", weights_only=True))
    return teacher


def ready_teacher(stage: Stage, name: str | None = None) -> OpticalTeacher:
    """The scale's teacher, or the named one, with its centres.

    Raises TeacherUnavailable if the stage found none, BrewError if the scale does not list it.
    """
    name = name or stage.settings.teacher
    if name not in (listed := [entry.name for entry in teachers_of(stage)]):
        raise BrewError(
            f"teacher {name!r} is not one of scale {stage.settings.scale.name!r} ({', '.join(listed)}); expected one "
            "of them: add it to the scale's `other_teachers`"
        )
    folder = stage.layout.read("optical-teacher")
    if not (folder / f"{name}.pt").exists():
        raise TeacherUnavailable((folder / f"{name}-absent.txt").read_text().strip())
    return with_centres(TEACHERS[name], folder)
