"""Stage `progress`: what each arm has learned along its training, and whether more steps would have helped.

If a scale keeps its students on the way (`pretraining.snapshots`), a linear probe reads each of them, beside the
untrained trunk and the student of the last step. The test sets are left to the tables.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import get_args

import pandas as pd
from matplotlib.figure import Figure

from brew.compendium.compared_models import compared_models, reads
from brew.compendium.report.crowding import left_to_tables
from brew.compendium.report.figures.learning_curves import learning_curves
from brew.compendium.report.figures.panels import message
from brew.compendium.report.training_progress import Counts, curves, learned, summary
from brew.compendium.scales import arm_and_seed
from brew.compendium.scoring import PlannedRun, finish
from brew.compendium.stages import Stage
from brew.compendium.stages.optical_images import spread
from brew.evaluation.backbones import Backbone, StudentBackbone
from brew.evaluation.benchmark_stores import OpenedBenchmark, open_benchmark
from brew.evaluation.benchmarks import BENCHMARKS, Task
from brew.evaluation.result_cache import CachedResult
from brew.evaluation.validation_probe import ProbedImages, ProbeSettings, probe
from brew.files import sha256
from brew.models.student import load_student


@dataclass(frozen=True)
class Kept:
    """A student on its way. step: after how many updates; 0 is the untrained trunk, the same for every arm."""

    arm: str
    seed: int
    step: int
    identity: str
    load: Callable[[], Backbone]

    @property
    def name(self) -> str:
        return f"{self.arm}@{self.step}"


def compute(stage: Stage) -> pd.DataFrame:
    """Probe every kept student on every benchmark; leaves the curves, and the gains by which they are judged."""
    folder = stage.layout.write("progress")
    found = counts(stage) if stage.settings.pretraining.snapshots else {}
    curves(found).to_csv(folder / "curves.csv", index=False)
    gains = learned(found)
    gains.round(6).to_csv(folder / "gains.csv", index=False)
    table = summary(gains, stage.settings.progress.converged)
    table.to_csv(folder / "summary.csv", index=False)
    return table


def show(stage: Stage) -> Figure:
    """The figure of what `compute` left, or why there is none."""
    folder, images = stage.layout.write("progress"), stage.settings.progress.probe.images
    found = learning_curves(pd.read_csv(folder / "curves.csv"), images, left_to_tables(stage.settings))
    nothing = "this scale keeps no student on its way: pretraining.snapshots is 0"
    return found.write(folder) if found else message(nothing)


def counts(stage: Stage) -> Counts:
    """Counts per validation image of every kept student on every benchmark of the scale that it can read."""
    planned, places, numbers = [], [], stage.settings.progress.probe
    every = [each for task in get_args(Task) for each in stage.benchmarks(task)]
    benchmarks = [each for each in BENCHMARKS.values() if each in every and not each.over_time]
    able = {sensor: list(_kept(stage, sensor)) for sensor in dict.fromkeys(each.sensor for each in benchmarks)}
    for benchmark in benchmarks:
        opened = open_benchmark(benchmark, stage.layout.store(benchmark.source))
        for kept in able[benchmark.sensor]:
            compute = partial(_probe, opened, kept.load, numbers)
            planned.append(PlannedRun(benchmark, kept.name, kept.identity, kept.seed, (numbers,), compute))
            places.append((benchmark.name, kept.arm, kept.seed, kept.step))
    found = finish(stage, "brew.evaluation.validation_probe", planned)
    return {place: each.result.arrays["counts"] for place, each in zip(places, found, strict=True)}


def _kept(stage: Stage, sensor: str) -> Iterator[Kept]:
    """The untrained trunk and every arm's students, of those that read images of `sensor`."""
    untrained = next(each for each in compared_models(stage, sensor) if each.name == "random")
    yield Kept("random", 0, 0, untrained.identity, untrained.load)
    for name in stage.settings.arms:
        folder, (arm, seed) = stage.layout.read(f"pretrain/{name}"), arm_and_seed(name)
        kept = sorted(folder.glob("snapshots/*.pt"), key=lambda file: int(file.stem))
        for file in (*kept, *folder.glob("student.pt")):
            student = load_student(file)
            if reads(student, sensor):
                step = int(student.provenance["steps"])
                yield Kept(arm, seed, step, sha256(file), partial(_student, arm, file))


def _student(arm: str, file: Path) -> Backbone:
    return StudentBackbone(arm, load_student(file))


def _probe(opened: OpenedBenchmark, load: Callable[[], Backbone], numbers: ProbeSettings) -> CachedResult:
    split, images = opened.split(), numbers.images_of(*opened.images.shape[-2:])
    train, validation = spread(split.train, images), spread(split.validation, images)
    probed = ProbedImages(opened.benchmark, opened.images, opened.labels)
    found = probe(probed, load(), train, validation, numbers.cells // images)
    return CachedResult({}, {"counts": found, "samples": validation})
