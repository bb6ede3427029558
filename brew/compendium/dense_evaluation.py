"""Segmentation and change by one recipe: freeze a model once, then train several decoders on its features.

From a share of the labels a single decoder is trained, on a draw of its own.

If the rate of fine-tuning is above zero, students are trained together with their decoders instead. A protocol of the
authors replaces all numbers of a fit by its own, and prepares the images (`brew.evaluation.authors`).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Any, ClassVar, Protocol, runtime_checkable

from brew.compendium.compared_models import ComparedModel, scored_models, students
from brew.compendium.scoring import Latest, PlannedRun
from brew.compendium.stage import Stage
from brew.evaluation.authors import Applied, apply
from brew.evaluation.backbones import Backbone
from brew.evaluation.benchmark_stores import OpenedBenchmark, open_benchmark, with_label_fraction
from brew.evaluation.benchmarks import Benchmark, Task
from brew.evaluation.fit import FitSettings, passes_over
from brew.evaluation.protocols import COMMON
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
    by_authors: the benchmark and the numbers of a protocol of theirs, from the benchmark as the task takes it.
    """

    name: Task
    data: Callable[[OpenedBenchmark, Sequence[int] | None], DenseData]
    freeze: Callable[..., Any]
    decode: Callable[..., Any]
    finetune: Callable[..., Any]
    cached: Callable[[Any], CachedResult]
    references: Callable[[Stage, DenseBenchmark], Iterator[PlannedRun]]
    by_authors: Callable[[Applied, Any], tuple[DenseData, DenseSettings]]


@dataclass(frozen=True)
class Way:
    """How a benchmark is run by one protocol.

    prepared: a loaded backbone -> the same, fed as the protocol says. numbers: all that decides beside the model.
    """

    protocol: str
    ready: DenseBenchmark
    settings: DenseSettings
    orientations: int
    prepared: Callable[[Backbone], Backbone]
    numbers: tuple[Any, ...]


def plan(stage: Stage, task: DenseTask, settings: DenseSettings) -> Iterator[PlannedRun]:
    """Every run of every benchmark of the scale, by its protocols: the references', then each compared model's."""
    latest = Latest()
    for benchmark in stage.benchmarks(task.name):
        opened = open_benchmark(benchmark, stage.layout.store(benchmark.source))
        for way in _ways(stage, task, settings, opened):
            if way.protocol == COMMON:
                # References take longest: they come first, so that processes that share the runs end together.
                yield from task.references(stage, way.ready)
            models = scored_models(stage, benchmark)
            for model in students(models) if way.settings.fit.finetune > 0 else models:
                yield from _runs_of(stage, task, way, model, latest)


def _ways(stage: Stage, task: DenseTask, settings: DenseSettings, opened: OpenedBenchmark) -> Iterator[Way]:
    """The scale's protocols on a benchmark, of those that were run on it."""
    evaluation = stage.settings.evaluation
    most = evaluation.samples.get(opened.benchmark.sensor)
    for protocol in evaluation.protocols:
        if protocol == COMMON:
            ready = DenseBenchmark(opened, task.data(opened, most), most)
            numbers = (evaluation.orientations, most, settings)
            yield Way(COMMON, ready, settings, evaluation.orientations, lambda backbone: backbone, numbers)
        elif applied := apply(opened, protocol):
            data, theirs = task.by_authors(applied, task.data(applied.opened, most))
            ready, orientations = DenseBenchmark(applied.opened, data, most), applied.protocol.orientations
            decisive = (orientations, most, theirs, applied.numbers)
            yield Way(protocol, ready, theirs, orientations, applied.feed, decisive)


def _runs_of(stage: Stage, task: DenseTask, way: Way, model: ComparedModel, latest: Latest) -> Iterator[PlannedRun]:
    """One model's runs on one benchmark by one protocol."""
    benchmark, whole, evaluation = way.ready.benchmark, way.ready.data, stage.settings.evaluation
    frozen = partial(latest.get, (benchmark.name, model.identity, way.protocol), partial(_frozen, task, model, way))
    for decoder, fraction in product(range(evaluation.decoders), evaluation.label_fractions):
        if decoder and fraction < 1:
            continue
        seed = model.decoder_seed(decoder)
        part = replace(whole, split=with_label_fraction(way.ready.opened, whole.split, fraction, seed))
        labelled = len(part.split.train)
        if way.settings.fit.finetune > 0:
            passes = passes_over(labelled, len(whole.split.train))
            compute = partial(_finetuned, task, model, way, part, seed, passes)
        else:
            compute = partial(_decoded, task, frozen, part, way.settings, seed)
        yield PlannedRun(
            benchmark, model.name, model.identity, model.seed, way.numbers, compute, fraction, labelled, decoder,
            way.protocol,
        )  # fmt: skip


def _frozen(task: DenseTask, model: ComparedModel, way: Way) -> Any:
    return task.freeze(way.prepared(model.load()), way.ready.data, orientations=way.orientations)


def _decoded(
    task: DenseTask, frozen: Callable[[], Any], data: DenseData, settings: DenseSettings, seed: int
) -> CachedResult:
    return task.cached(task.decode(frozen(), data, settings, seed))


def _finetuned(
    task: DenseTask, model: ComparedModel, way: Way, data: DenseData, seed: int, passes: int
) -> CachedResult:
    backbone = way.prepared(model.load())
    result = task.finetune(backbone, data, way.settings, seed, orientations=way.orientations, passes=passes)
    return task.cached(result)
