"""What the task stages share: the scale's benchmarks, the backbones at hand, and scores kept cell by cell.

A cell is one backbone on one benchmark with one seed; it is kept by the hash of all that it depends on, so that only a
failed or changed one runs again.
"""

import contextlib
import hashlib
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import xarray as xr

from brew.compendium.report.crowding import left_to_tables
from brew.compendium.scales import arm_and_seed
from brew.compendium.stages import Stage, processes
from brew.compendium.stages.prepare_teachers import ready_teacher
from brew.data.labelled import reading
from brew.data.store import ArrayReader, open_store
from brew.errors import BrewError
from brew.evaluation.backbones import Backbone, StudentBackbone, TeacherBackbone, random_backbone
from brew.evaluation.benchmark_checks import check_benchmark
from brew.evaluation.benchmarks import BENCHMARKS, Benchmark, Task
from brew.evaluation.cache_keys import digest, sources_digest
from brew.evaluation.result_cache import CachedResult, Computation, cached_results
from brew.evaluation.scores import Run, Score, read_scores, write_counts, write_scores
from brew.evaluation.splits import NAMES, Split, low_data, named_part
from brew.evaluation.zoo import backbone
from brew.files import ROOT, sha256
from brew.models.student import Student, build_student, load_student
from brew.models.teachers import OpticalTeacher, TeacherUnavailable
from brew.sensors import PAPER_PATHS, PATHS, SENSORS

#: Whatever the cells of one backbone share.
T = TypeVar("T")
#: Characters of a hash in a score's row.
_SHORT = 12


@dataclass(frozen=True)
class ComparedModel:
    """A backbone that is compared.

    identity: the hash of what its features depend on. repetition: of its arm's pretraining, where the scale repeats
    it; what is trained on its features then takes the same seed, so that seeds are as independent as they can be.
    """

    name: str
    identity: str
    load: Callable[[], Backbone]
    repetition: int | None = None

    def seeds(self, decoders: Sequence[int]) -> Sequence[int]:
        """Of what is trained on its features: those of the scale, else its own."""
        return decoders if self.repetition is None else (self.repetition,)


def benchmarks_of(stage: Stage, task: Task) -> list[Benchmark]:
    """The benchmarks of a task whose images are part of the scale."""
    return [entry for entry in BENCHMARKS.values() if entry.task == task and stage.settings.data.offers(entry)]


def compared_models(stage: Stage, sensor: str | None = None) -> list[ComparedModel]:
    """A random trunk, every arm that was run, the optical teacher itself, and the scale's backbones of others.

    A listed backbone that is the scale's teacher stands once, as the teacher; one whose weights are absent is left out,
    and so is one that cannot read images of `sensor`, where that is given (`brew.evaluation.zoo` says why).
    """
    trunk = stage.settings.pretraining.trunk
    found = [ComparedModel("random", trunk, partial(_random, trunk))]
    runs = [(run, *arm_and_seed(run)) for run in stage.settings.arms]
    repeated = {arm for _, arm, repetition in runs if repetition}
    for run, arm, repetition in runs:
        file = stage.layout.read(f"pretrain/{run}") / "student.pt"
        if file.exists():
            own = repetition if arm in repeated else None
            found.append(ComparedModel(arm, sha256(file), partial(_student, arm, file), own))
    with contextlib.suppress(TeacherUnavailable):
        teacher = ready_teacher(stage)
        found.append(ComparedModel("teacher", _weights_hash(teacher), partial(_teacher, teacher)))
    if sensor is not None and SENSORS[sensor].path not in PAPER_PATHS:
        found = [each for each in found if reads(getattr(each.load(), "student", None), sensor)]
    listed = [backbone(name) for name in stage.settings.backbones if name != stage.settings.teacher]
    frozen = [entry for entry in listed if not entry.supervised and not entry.needs()]
    able = [entry for entry in frozen if sensor is None or not entry.lacking(sensor)]
    return [*found, *(ComparedModel(entry.name, entry.identity(), entry.load) for entry in able)]


def distinct(found: Iterable[ComparedModel]) -> list[ComparedModel]:
    """One of each name, the first."""
    return list({each.name: each for each in reversed(list(found))}.values())[::-1]


def shown_models(stage: Stage, sensor: str) -> list[ComparedModel]:
    """What pictures of a sensor's images show: one of each name, less the arms that are left to the tables.

    Of images that no other arm reads, such as radar's, every arm is shown.
    """
    found, left_out = distinct(compared_models(stage, sensor)), left_to_tables(stage.settings)
    kept = [each for each in found if each.name not in left_out]
    arms = {arm_and_seed(run)[0] for run in stage.settings.arms}
    return kept if any(each.name in arms for each in kept) else found


def students(found: Iterable[ComparedModel]) -> list[ComparedModel]:
    """Those that can be fine-tuned; the others are compared frozen alone."""
    return [each for each in found if isinstance(each.load(), StudentBackbone)]


def _random(trunk: str) -> Backbone:
    return random_backbone("random", lambda: build_student(trunk, tuple(PATHS)), seed=0)


def reads(network: object, sensor: str) -> bool:
    """Whether a network can read images of the sensor: those of no stem of the paper's need one of their own."""
    path = SENSORS[sensor].path
    return path in PAPER_PATHS or (isinstance(network, Student) and path in network.trained_paths)


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

    def text(self, name: str) -> np.ndarray:
        return self.dataset[name].values

    def split(self, most: Sequence[int] | None = None) -> Split:
        """The three parts. most: the first so many samples of each alone."""
        parts = [np.flatnonzero(self.splits == name) for name in NAMES]
        return Split(*(part[:count] for part, count in zip(parts, most or map(len, parts), strict=True)))


def open_benchmark(stage: Stage, benchmark: Benchmark) -> Opened:
    """Open the benchmark's store; BrewError naming the benchmark where it is absent or `check_benchmark` objects."""
    path = stage.layout.store(benchmark.source)
    with reading(f"benchmark {benchmark.name!r}"):
        dataset, images = open_store(path), ArrayReader(path, benchmark.images)
        check_benchmark(benchmark, dataset, images)
    return Opened(benchmark, dataset, images, dataset[benchmark.labels].values, dataset["split"].values)


def metrics_of(benchmark: Benchmark) -> tuple[str, ...]:
    """Every definition in use for such a benchmark, so that its numbers can stand beside any table's; primary first."""
    names = [benchmark.metric]
    if benchmark.multilabel:
        names += ["f1_multilabel_micro", "f1_multilabel_macro", "accuracy_multilabel"]
    elif benchmark.task == "classification":
        names += ["accuracy", "f1_macro", "f1_micro"]
    else:
        names += ["iou_macro", "iou_micro", "f1_macro", "f1_micro", "accuracy"]
        if len(benchmark.classes) == 2:
            names += ["f1", "precision", "recall", "iou"]
        elif benchmark.background:
            names += ["iou_macro_foreground", "iou_micro_foreground"]
        if benchmark.ignore is not None and benchmark.ignore < len(benchmark.classes):
            names += ["iou_macro_with_ignored", "iou_micro_with_ignored"]
    return tuple(dict.fromkeys(names))


def with_labels(opened: Opened, split: Split, share: float, seed: int) -> Split:
    """The split with that share of its training labels: the part that the data set names itself, else a drawn one.

    Raises BrewError where a dense task is left with one image, on which no decoder's batch norm can be trained.
    """
    named = f"partition_{share:.2f}"
    if share == 1:
        return split
    if named in opened.dataset:
        part = named_part(split, opened.dataset[named].values)
    else:
        classes = opened.labels if opened.labels.ndim == 1 else None
        part = low_data(split, share, opened.benchmark.name, seed, classes)
    least = 1 if opened.benchmark.task == "classification" else 2
    if len(part.train) < least:
        raise BrewError(
            f"benchmark {opened.benchmark.name!r}: {100 * share:g} % of its {len(split.train)} training samples are "
            f"{len(part.train)}; expected at least {least}: raise `evaluation.samples`, or leave that share out of "
            "`evaluation.label_fractions`"
        )
    return part


@dataclass(frozen=True)
class Evaluation:
    """One cell to be: what is scored on what, with which seed and share of the training labels.

    identity: of the backbone or reference. settings: all numbers that the result depends on. labelled: training samples
    whose labels it may use, where that is told apart.
    """

    benchmark: Benchmark
    arm: str
    identity: str
    seed: int
    settings: tuple[Any, ...]
    compute: Callable[[], CachedResult]
    label_fraction: float = 1.0
    labelled: int | None = None


@dataclass(frozen=True)
class Evaluated:
    """A cell's result, and what all rows made of it share."""

    benchmark: Benchmark
    run: Run
    result: CachedResult
    labelled: int | None = None


class Latest:
    """What was computed last, by its key: one backbone's cells follow each other, and the next one needs the memory.

    Nothing is computed where all cells of a key are kept.
    """

    def __init__(self) -> None:
        self._held: dict[Any, Any] = {}

    def get(self, key: Hashable, compute: Callable[[], T]) -> T:
        if key not in self._held:
            self._held.clear()
            self._held[key] = compute()
        return self._held[key]


def run(stage: Stage, module: str, evaluations: Iterable[Evaluation]) -> list[Evaluated]:
    """Run cells that `module` computes, in their order."""
    code = sources_digest(module, "brew.models.student", "brew.models.teachers")
    environment = sha256(ROOT / "requirements.lock")
    cells, planned = [], {}
    for each in evaluations:
        settings = _plain([_as_json(part) for part in each.settings])
        store = _store_hash(stage, each.benchmark)
        shared = Run(
            each.benchmark.name, each.benchmark.task, each.arm, each.seed, digest(settings)[:_SHORT],
            each.label_fraction, each.identity[:_SHORT], store[:_SHORT], environment[:_SHORT],
        )  # fmt: skip
        key = {
            "benchmark": _plain(each.benchmark.decisive()), "model": each.identity, "store": store, "seed": each.seed,
            "label_fraction": each.label_fraction, "settings": settings, "code": code, "environment": environment,
        }  # fmt: skip
        name = f"{stage.settings.scale.name}-{shared.name}"
        # Cells of one backbone on one benchmark share its features.
        cells.append(Computation(name, key, each.compute, (each.benchmark.name, each.identity)))
        planned[name] = (each, shared)
    results = cached_results(cells, processes=processes())
    return [Evaluated(each.benchmark, shared, results[name], each.labelled) for name, (each, shared) in planned.items()]


def _store_hash(stage: Stage, benchmark: Benchmark) -> str:
    """The hash of the benchmark's store, as the data stage wrote it down."""
    file = stage.layout.read("data") / "sources.csv"
    listed = pd.read_csv(file, dtype=str).drop_duplicates("source").set_index("source")["store"]
    if benchmark.source not in listed:
        raise BrewError(
            f"benchmark {benchmark.name!r}: {file} lists {', '.join(listed.index)}; expected {benchmark.source!r} "
            "among them. Run the data stage"
        )
    return listed[benchmark.source]


def _as_json(part: Any) -> Any:
    return asdict(part) if is_dataclass(part) and not isinstance(part, type) else part


def _plain(value: Any) -> Any:
    """Tuples as lists, as JSON has them."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def keep(
    stage: Stage,
    task: Task,
    evaluated: Sequence[Evaluated],
    scores: Sequence[Score],
    counts: dict[str, tuple[np.ndarray, Sequence[str]]],
) -> None:
    """Write the task's scores and, per benchmark, arm and seed, the counts that they come from.

    Also how many samples each share of the labels is.
    """
    folder = stage.layout.write(task)
    sizes = {
        (each.benchmark.name, each.run.label_fraction): each.labelled for each in evaluated if each.labelled is not None
    }
    rows = [(benchmark, fraction, samples) for (benchmark, fraction), samples in sizes.items()]
    pd.DataFrame(rows, columns=["benchmark", "label_fraction", "samples"]).to_csv(folder / "labelled.csv", index=False)
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
                "label fraction": f"{100 * score.label_fraction:g} %",
                "score": f"{100 * score.value:.1f}", "95 % over test": interval, "n": f"{score.n} {score.unit}s",
            })  # fmt: skip
    return pd.DataFrame(rows)
