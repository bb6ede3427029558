"""Which trainings and scores a scale asks for, which of them are done or cannot be, and what they cost.

Numbers of samples come from the scale's stores, or from the miniature's settings. A benchmark whose data are absent
has none, so its cost is not counted.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from brew.compendium.plan import operations
from brew.compendium.plan.holdings import Holding
from brew.compendium.settings import Settings
from brew.compendium.stage import Stage
from brew.compendium.stages.arm_plan import plan as arm_plan
from brew.compendium.stages.training_feeds import stems_of, usable
from brew.data.store import open_store
from brew.evaluation.benchmarks import BENCHMARKS, Benchmark
from brew.evaluation.protocols import COMMON, STATES, Protocol, State
from brew.evaluation.splits import LABEL_FRACTIONS, NAMES
from brew.evaluation.zoo import backbone


@dataclass(frozen=True)
class Training:
    """One run of pretraining. flops: of all its steps. state: "done", "to run" or "impossible", with the reason."""

    run: str
    steps: int
    images: int
    flops: int
    state: str
    reason: str = ""


def trainings(stage: Stage, held: Mapping[str, Holding]) -> Iterator[Training]:
    """Every run of the scale's `arms`, in their order. held: data and weights by name."""
    for run in stage.settings.arms:
        chosen, numbers = arm_plan(stage, run)
        feeds = usable(chosen, numbers.feeds)
        step = sum(
            feed.batch * operations.of_arm(chosen, numbers.trunk, numbers.views, stems_of(feed.variables)).total
            for feed in feeds
        )
        wanted = [*(feed.source for feed in feeds), *chosen.teachers]
        absent = [name for name in wanted if not held[name].usable]
        done = (stage.layout.site / "stages" / "pretrain" / run / "student.pt").is_file()
        state = "impossible" if absent else "done" if done else "to run"
        reason = f"{', '.join(absent)} absent" if absent else ""
        steps, images = numbers.optimisation.steps, sum(feed.batch for feed in feeds)
        yield Training(run, steps, images, step * steps, state, reason)


@dataclass(frozen=True)
class Scoring:
    """What a benchmark asks for. runs: of every model, `runs_of_model`. impossible: those of absent models.

    flops: None if the numbers of samples are not known. reason: why nothing can be scored, "" if it can.
    """

    benchmark: str
    task: str
    runs: int
    impossible: int
    flops: int | None
    reason: str = ""


def scorings(stage: Stage, held: Mapping[str, Holding]) -> Iterator[Scoring]:
    """Every benchmark of the scale, in the order of BENCHMARKS."""
    absent_arms = sum(each.state == "impossible" for each in trainings(stage, held))
    for entry in BENCHMARKS.values():
        if stage.settings.data.offers(entry):
            yield _scoring(stage, entry, held, absent_arms)


def _scoring(stage: Stage, entry: Benchmark, held: Mapping[str, Holding], absent_arms: int) -> Scoring:
    settings, source = stage.settings, held[entry.source]
    fractions = LABEL_FRACTIONS if entry.task == "classification" else settings.evaluation.label_fractions
    others = [name for name in settings.backbones if name != settings.teacher]
    readable = [name for name in others if not backbone(name).lacking(entry.sensor) and not backbone(name).supervised]
    absent_others = sum(name in held and not held[name].usable for name in readable)
    each = runs_of_model(entry.task, settings.evaluation.decoders, fractions)
    models = len(settings.arms) + 2 + len(readable)  # a repeated arm is one more; two: a random trunk and the teacher
    own = COMMON in settings.evaluation.protocols
    theirs = list(_states(settings, entry))
    by_them = runs_of_model("segmentation", settings.evaluation.decoders, settings.evaluation.label_fractions)
    students = len(settings.arms) + 1  # the only ones that are trained with their decoders
    runs = models * each * own + by_them * sum(models if state.frozen else students for state in theirs)
    if not source.usable:
        return Scoring(entry.name, entry.task, runs, runs, None, f"{entry.source} is {source.state}")
    frozen = sum(state.frozen for state in theirs)
    impossible = absent_arms * (each * own + by_them * len(theirs)) + absent_others * (each * own + by_them * frozen)
    counts = samples(stage, entry)
    cost = None if counts is None else _cost(settings, entry, *counts, models=models, runs=models * each) * own
    if counts is not None and entry.protocol is not None:
        trunk = settings.pretraining.trunk
        trained = {state: (models if state.frozen else students, by_them) for state in theirs}
        cost = (cost or 0) + sum(
            _their_cost(trunk, entry, entry.protocol, state.frozen, counts[0], *trained[state]) for state in theirs
        )
    return Scoring(entry.name, entry.task, runs, impossible, cost)


def _states(settings: Settings, entry: Benchmark) -> Iterator[State]:
    """The states of the authors' code by which the scale scores the benchmark."""
    if entry.protocol is not None:
        yield from (STATES[name] for name in settings.evaluation.protocols if name != COMMON)


def _their_cost(
    trunk: str, entry: Benchmark, protocol: Protocol, frozen: bool, counts: Sequence[int], models: int, runs: int
) -> int:
    """As `_cost`, by a protocol of the authors, of so many models of so many runs each. Linear heads cost nothing."""
    train, rest = counts[0], sum(counts[1:])
    dates = 2 if entry.task == "change" else 1
    each = dates * operations.features(trunk, entry.sensor, protocol.size)
    passes = operations.TRAINING * protocol.epochs * train + protocol.epochs * counts[1] + counts[2]
    features = (train * protocol.orientations + rest) * each if frozen else runs * passes * each
    if entry.task == "classification":
        return models * features
    decoded = operations.decoder(trunk, protocol.size, len(entry.classes), protocol.width)
    return models * (features + runs * passes * decoded)


def runs_of_model(task: str, decoders: int, fractions: Sequence[float]) -> int:
    """A dense task has several decoders from all labels, one from fewer; a probe one from all, and draws of fewer."""
    fewer = sum(fraction < 1 for fraction in fractions)
    whole = len(fractions) - fewer
    return whole + decoders * fewer if task == "classification" else decoders * whole + fewer


def samples(stage: Stage, entry: Benchmark) -> tuple[Sequence[int], int] | None:
    """How many training, validation and test samples a benchmark has, and their pixels per side; None if unknown."""
    store, rendered = stage.layout.store(entry.source), stage.settings.data.miniature
    if store.is_dir():
        dataset = open_store(store)
        named = dataset["split"].values
        counts, side = [int(np.count_nonzero(named == name)) for name in NAMES], dataset[entry.images].shape[-1]
    elif entry.source == "miniature" and rendered is not None:
        counts, side = [rendered.train, rendered.validation, rendered.test], rendered.size
    else:
        return None
    most = stage.settings.evaluation.samples.get(entry.sensor, counts) if entry.task != "classification" else counts
    return [min(pair) for pair in zip(counts, most, strict=True)], side


def _dates(settings: Settings, entry: Benchmark) -> int:
    """Images of each sample that are read."""
    world = settings.data.miniature
    if entry.over_time and world is not None and world.year is not None:
        return len(world.year.days)
    return 2 if entry.task == "change" else 1


def _cost(settings: Settings, entry: Benchmark, counts: Sequence[int], side: int, models: int, runs: int) -> int:
    """Features of every model, each taken to cost what the student's do; a decoder for every run of a dense task."""
    trunk, evaluation, dates = settings.pretraining.trunk, settings.evaluation, _dates(settings, entry)
    train, rest = counts[0], sum(counts[1:])
    each = dates * operations.features(trunk, entry.sensor, side)
    if entry.task == "classification":
        return models * (train + rest) * each
    numbers = evaluation.change if entry.task == "change" else evaluation.segmentation
    decoded = operations.decoder(trunk, side, len(entry.classes), numbers.width)
    passes = operations.TRAINING * numbers.fit.epochs * train * numbers.fit.crop**2 + rest
    return round(models * (train * evaluation.orientations + rest) * each + runs * passes * decoded)
