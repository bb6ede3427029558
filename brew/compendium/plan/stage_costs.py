"""What each stage takes of disk, memory and time, as far as arithmetic tells.

Disk: stores, students and maps of classes; what else stages leave is small. Memory: a training's weights, gradients,
moments and moving average beside its teachers, without activations; an evaluation's cached maps of one model, for each
of the processes that share the stage. A number that needs data which are not here is None.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import torch

from brew.compendium.plan import operations
from brew.compendium.plan.holdings import size_of
from brew.compendium.plan.runs import Scoring, Training, samples
from brew.compendium.stage import Stage
from brew.compendium.stages.arm_plan import plan as arm_plan
from brew.evaluation.benchmarks import Task
from brew.models.teachers import TEACHERS

_FLOAT, _HALF = 4, 2
#: Copies of a student's weights that a training holds: weights, gradients, two moments, the moving average.
_COPIES = 5


@dataclass(frozen=True)
class StageCost:
    """Of one stage, or of one run of it. flops, disk, memory: None if not known; bytes."""

    flops: int | None = 0
    disk: int | None = 0
    memory: int | None = 0


def costs(stage: Stage, trainings: Iterable[Training], scorings: Sequence[Scoring]) -> dict[str, StageCost]:
    """By the stage's name, of those that take more than a little. Pooled vectors count as the classification's."""
    found = {"data": StageCost(disk=stores(stage))}
    found |= {f"pretrain@{each.run}": _training(stage, each) for each in trainings}
    for task in ("segmentation", "change", "classification"):
        of_task = [each for each in scorings if each.task == task]
        if of_task:
            disk, memory = _maps(stage, task)
            found[task] = StageCost(_sum(each.flops for each in of_task), disk, memory)
    return found


def stores(stage: Stage) -> int:
    """Bytes of the stores that are built, and of fMoW's before it is built those of its pixels."""
    return sum(_store(stage, name) for name in stage.settings.data.present())


def _store(stage: Stage, name: str) -> int:
    path, fmow = stage.layout.store(name), stage.settings.data.fmow
    if path.is_dir():
        return size_of(path)
    if name != "fmow" or fmow is None or not fmow.count:
        return 0
    multispectral, optical = 10 * 2 * fmow.size**2, 3 * (fmow.size * fmow.zoom) ** 2
    pixels = {"pairs": multispectral + optical, "multispectral": multispectral, "optical": optical}
    return fmow.count * pixels[fmow.images]


def _training(stage: Stage, run: Training) -> StageCost:
    chosen, numbers = arm_plan(stage, run.run)
    weights = parameters(numbers.trunk, chosen.paths) * _FLOAT
    taught = sum(_of_teacher(name) for name in set(chosen.teachers)) * _FLOAT
    return StageCost(run.flops, weights * max(1, numbers.snapshots), _COPIES * weights + taught)


@cache
def parameters(trunk: str, paths: Sequence[str]) -> int:
    """Weights of a student with these stems."""
    network = operations.trunk_of(trunk)
    parts = [network, *(operations.stem_of(network, path) for path in paths)]
    return sum(each.numel() for part in parts for each in part.parameters())


@cache
def _of_teacher(name: str) -> int:
    with torch.device("meta"):
        return sum(each.numel() for each in TEACHERS[name].build(random=True).parameters())


def _maps(stage: Stage, task: Task) -> tuple[int | None, int | None]:
    """Bytes of the classes that are kept of every model's test images, and of the largest benchmark's cached maps."""
    if task == "classification":
        return 0, 0
    trunk, orientations = operations.trunk_of(stage.settings.pretraining.trunk), stage.settings.evaluation.orientations
    models = len(stage.settings.arms) + 2 + len(stage.settings.backbones)
    disk, memory = list[int | None](), list[int | None]()
    for entry in stage.benchmarks(task):
        counts = samples(stage, entry)
        if counts is None:
            return None, None
        (train, validation, test), side = counts
        values = sum(
            channels * max(side // stride, 1) ** 2
            for channels, stride in zip(trunk.channels, trunk.strides, strict=True)
        )
        dates = 2 if task == "change" else 1
        memory.append((train * orientations + validation + test) * dates * values * _HALF)
        disk.append(models * test * side**2)
    return _sum(disk), max((each for each in memory if each is not None), default=0)


def _sum(parts: Iterable[int | None]) -> int | None:
    known = list(parts)
    return None if any(each is None for each in known) else sum(each for each in known if each is not None)
