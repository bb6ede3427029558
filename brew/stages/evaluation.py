"""What the task stages share: the scale's benchmarks, the backbones at hand, and scores kept cell by cell.

A cell is one backbone on one benchmark with one seed; it is kept by the hash of all that it depends on, so that only a
failed or changed one runs again.
"""

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import xarray as xr

from brew.data.store import ArrayReader, open_store
from brew.downstream.backbones import Backbone, StudentBackbone, TeacherBackbone, random_backbone
from brew.downstream.benchmarks import BENCHMARKS, Benchmark, Task
from brew.downstream.cells import Cell, CellResult, run_cells, sources_digest
from brew.downstream.scores import Score, read_scores, write_counts, write_scores
from brew.downstream.zoo import backbone
from brew.models.student import build_student, load_student
from brew.models.teachers import OpticalTeacher, TeacherUnavailable
from brew.reporting.provenance import sha256
from brew.stages import Stage
from brew.stages.optical_teacher import ready_teacher

#: A backbone's maps of one benchmark, whatever form a task keeps them in.
T = TypeVar("T")


@dataclass(frozen=True)
class Entrant:
    """A backbone that is compared. identity: the hash of what its features depend on."""

    name: str
    identity: str
    load: Callable[[], Backbone]


def benchmarks_of(stage: Stage, task: Task) -> list[Benchmark]:
    """The benchmarks of a task whose source is part of the scale."""
    present = stage.settings.data.present()
    return [entry for entry in BENCHMARKS.values() if entry.task == task and entry.source in present]


def entrants(stage: Stage, sensor: str | None = None) -> list[Entrant]:
    """A random trunk, every arm that was run, the optical teacher itself, and the scale's backbones of others.

    A listed backbone that is the scale's teacher stands once, as the teacher; one whose weights are absent is left out,
    and so is one that cannot read images of `sensor`, where that is given (`brew.downstream.zoo` says why).
    """
    trunk = stage.settings.pretraining.backbone
    found = [Entrant("random", trunk, partial(_random, trunk))]
    for arm in stage.settings.arms:
        file = stage.layout.read(f"pretrain/{arm}") / "student.pt"
        if file.exists():
            found.append(Entrant(arm, sha256(file), partial(_student, arm, file)))
    with contextlib.suppress(TeacherUnavailable):
        teacher = ready_teacher(stage)
        found.append(Entrant("teacher", _weights_hash(teacher), partial(_teacher, teacher)))
    listed = [backbone(name) for name in stage.settings.backbones if name != stage.settings.teacher]
    frozen = [entry for entry in listed if not entry.supervised and not entry.needs()]
    able = [entry for entry in frozen if sensor is None or not entry.lacking(sensor)]
    return [*found, *(Entrant(entry.name, entry.identity(), entry.load) for entry in able)]


def _random(trunk: str) -> Backbone:
    return random_backbone("random", lambda: build_student(trunk), seed=0)


def _student(arm: str, file: Path) -> Backbone:
    return StudentBackbone(arm, load_student(file))


def _teacher(teacher: OpticalTeacher) -> Backbone:
    return TeacherBackbone("teacher", teacher)


def _weights_hash(teacher: OpticalTeacher) -> str:
    """Of all weights and centres: what the teacher's features depend on."""
    found = hashlib.sha256()
    for name, value in teacher.state_dict().items():
        found.update(name.encode())
        found.update(value.cpu().numpy().tobytes())
    return found.hexdigest()


@dataclass(frozen=True)
class Opened:
    """A benchmark's store, opened: its labels and names in memory, its images mapped."""

    benchmark: Benchmark
    dataset: xr.Dataset
    images: ArrayReader
    labels: np.ndarray
    splits: np.ndarray
    identity: str

    def text(self, name: str) -> np.ndarray:
        return self.dataset[name].values


def open_benchmark(stage: Stage, benchmark: Benchmark) -> Opened:
    """Open the benchmark's store; samples outside its three splits (pretraining images) are named "unused"."""
    path = stage.layout.store(benchmark.source)
    dataset = open_store(path)
    splits = dataset["split"].values
    sources = pd.read_csv(stage.layout.read("data") / "sources.csv")
    identity = str(sources.loc[sources["source"] == benchmark.source, "store"].iloc[0])
    return Opened(
        benchmark, dataset, ArrayReader(path, benchmark.images), dataset[benchmark.labels].values, splits, identity
    )


@dataclass(frozen=True)
class Evaluation:
    """One cell to be: what is scored on what, with which seed. identity: of the backbone or reference."""

    benchmark: Benchmark
    arm: str
    identity: str
    seed: int
    compute: Callable[[], CellResult]


def per_seed(
    benchmark: Benchmark,
    entrant: Entrant,
    seeds: Sequence[int],
    freeze: Callable[[Backbone], T],
    score: Callable[[T, int], CellResult],
) -> list[Evaluation]:
    """One cell per seed; the backbone's maps are computed when a cell first needs them and shared by its seeds.

    freeze: backbone -> its maps. score: maps and seed -> the cell's result.
    """
    maps: list[T] = []

    def compute(seed: int) -> CellResult:
        if not maps:
            maps.append(freeze(entrant.load()))
        try:
            return score(maps[0], seed)
        finally:
            if seed == seeds[-1]:
                maps.clear()  # the next backbone's maps need the memory

    return [Evaluation(benchmark, entrant.name, entrant.identity, seed, partial(compute, seed)) for seed in seeds]


def run(
    stage: Stage,
    task: Task,
    module: str,
    settings: Sequence[Any],
    evaluations: Iterable[Evaluation],
) -> dict[tuple[str, str, int], CellResult]:
    """Run the cells of a task; results by (benchmark, arm, seed). settings: the numbers that they depend on."""
    code = sources_digest(module, "brew.models.student", "brew.models.teachers")
    cells, names = [], {}
    for planned in evaluations:
        benchmark, arm, seed = planned.benchmark, planned.arm, planned.seed
        sources = pd.read_csv(stage.layout.read("data") / "sources.csv")
        store = sorted(set(sources.loc[sources["source"] == benchmark.source, "store"]))
        key = {
            "benchmark": asdict(benchmark) | {"classes": list(benchmark.classes), "left_out": list(benchmark.left_out)},
            "entrant": planned.identity,
            "store": store, "seed": seed, "settings": [_as_json(part) for part in settings], "code": code,
        }  # fmt: skip
        name = f"{stage.settings.scale.name}-{benchmark.name}-{arm}-{seed}"
        cells.append(Cell(name, _plain(key), planned.compute))
        names[name] = (benchmark.name, arm, seed)
    results = run_cells(cells)
    return {names[name]: result for name, result in results.items()}


def _as_json(part: Any) -> Any:
    return asdict(part) if is_dataclass(part) and not isinstance(part, type) else part


def _plain(value: Any) -> Any:
    """Tuples as lists, as JSON has them."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def keep(
    stage: Stage, task: Task, scores: Sequence[Score], counts: dict[str, tuple[np.ndarray, Sequence[str]]]
) -> None:
    """Write the task's scores and, per benchmark, arm and seed, the counts that they come from."""
    folder = stage.layout.write(task)
    (folder / "scores.csv").unlink(missing_ok=True)
    write_scores(folder / "scores.csv", scores)
    for name, (values, units) in counts.items():
        write_counts(folder / "counts" / f"{name}.npz", values, units)


def primary(stage: Stage, task: Task) -> pd.DataFrame:
    """The primary metric of every benchmark of a task, arm by arm, with the interval over test samples."""
    rows = []
    for score in read_scores(stage.layout.write(task) / "scores.csv"):
        if score.subset == "all" and score.metric == BENCHMARKS[score.benchmark].metric:
            interval = f"{100 * score.low:.1f} to {100 * score.high:.1f}"
            rows.append({
                "benchmark": score.benchmark, "metric": score.metric, "backbone": score.arm, "seed": score.seed,
                "score": f"{100 * score.value:.1f}", "95 % over test": interval, "n": f"{score.n} {score.unit}s",
            })  # fmt: skip
    return pd.DataFrame(rows)
