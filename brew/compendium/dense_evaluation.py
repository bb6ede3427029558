"""Segmentation and change by one recipe: freeze a model once, then train several decoders on its features.

From a share of the labels a single decoder is trained, on a draw of its own.

If the rate of fine-tuning is above zero, students are trained together with their decoders instead.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Any, ClassVar, Protocol, runtime_checkable

from brew.compendium.compared_models import ComparedModel, compared_models, students
from brew.compendium.scoring import Latest, PlannedRun
from brew.compendium.stage import Stage
from brew.evaluation.benchmark_stores import OpenedBenchmark, open_benchmark, with_label_fraction
from brew.evaluation.benchmarks import Benchmark, Task
from brew.evaluation.fit import FitSettings, passes_over
from brew.evaluation.result_cache import CachedResult
from brew.evaluation.splits import Split


@runtime_checkable
class DenseData(Protocol):
    """A task's images, labels and split, as a dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def split(self) -> Split: ...


@runtime_checkable
class DenseSettings(Protocol):
    """A task's numbers."""

    @property
    def fit(self) -> FitSettings: ...


@dataclass(frozen=True)
class DenseBenchmark:
    """A benchmark, opened, and as its task takes it. most: samples of each split that are used at most, if not all."""

    opened: OpenedBenchmark
    data: Any
    most: Sequence[int] | None

    @property
    def benchmark(self) -> Benchmark:
        return self.opened.benchmark


@dataclass(frozen=True)
class DenseTask:
    """What tells one dense task from the other.

    data: an opened benchmark, with so many samples of each split at most, as the task takes it.
    freeze, decode, finetune: of the task's module in `brew.evaluation`. decode trains a decoder on frozen features.
    cached: what is kept of their results.
    references: the runs of a benchmark beside those of the compared models.
    """

    name: Task
    data: Callable[[OpenedBenchmark, Sequence[int] | None], DenseData]
    freeze: Callable[..., Any]
    decode: Callable[..., Any]
    finetune: Callable[..., Any]
    cached: Callable[[Any], CachedResult]
    references: Callable[[Stage, DenseBenchmark], Iterator[PlannedRun]]


def plan(stage: Stage, task: DenseTask, settings: DenseSettings) -> Iterator[PlannedRun]:
    """Every run of every benchmark of the scale: the references', then each compared model's."""
    latest = Latest()
    for benchmark in stage.benchmarks(task.name):
        opened = open_benchmark(benchmark, stage.layout.store(benchmark.source))
        most = stage.settings.evaluation.samples.get(benchmark.sensor)
        ready = DenseBenchmark(opened, task.data(opened, most), most)
        # References take longest: they come first, so that processes that share the runs end together.
        yield from task.references(stage, ready)
        models = compared_models(stage, benchmark.sensor)
        for model in students(models) if settings.fit.finetune > 0 else models:
            yield from _runs_of(stage, task, settings, ready, model, latest)


def _runs_of(
    stage: Stage, task: DenseTask, settings: DenseSettings, ready: DenseBenchmark, model: ComparedModel, latest: Latest
) -> Iterator[PlannedRun]:
    """One model's runs on one benchmark."""
    benchmark, whole, evaluation = ready.benchmark, ready.data, stage.settings.evaluation
    numbers = (evaluation.orientations, ready.most, settings)
    freeze = partial(_frozen, task, model, whole, evaluation.orientations)
    frozen = partial(latest.get, (benchmark.name, model.identity), freeze)
    for decoder, fraction in product(range(evaluation.decoders), evaluation.label_fractions):
        if decoder and fraction < 1:
            continue
        seed = model.decoder_seed(decoder)
        part = replace(whole, split=with_label_fraction(ready.opened, whole.split, fraction, seed))
        labelled = len(part.split.train)
        if settings.fit.finetune > 0:
            passes = passes_over(labelled, len(whole.split.train))
            compute = partial(_finetuned, task, model, part, settings, seed, evaluation.orientations, passes)
        else:
            compute = partial(_decoded, task, frozen, part, settings, seed)
        yield PlannedRun(
            benchmark, model.name, model.identity, model.seed, numbers, compute, fraction, labelled, decoder
        )  # fmt: skip


def _frozen(task: DenseTask, model: ComparedModel, data: DenseData, orientations: int) -> Any:
    return task.freeze(model.load(), data, orientations=orientations)


def _decoded(
    task: DenseTask, frozen: Callable[[], Any], data: DenseData, settings: DenseSettings, seed: int
) -> CachedResult:
    return task.cached(task.decode(frozen(), data, settings, seed))


def _finetuned(
    task: DenseTask,
    model: ComparedModel,
    data: DenseData,
    settings: DenseSettings,
    seed: int,
    orientations: int,
    passes: int,
) -> CachedResult:
    result = task.finetune(model.load(), data, settings, seed, orientations=orientations, passes=passes)
    return task.cached(result)
