"""Stage `classification`: nearest neighbours and a linear probe on frozen pooled vectors.

By a protocol of the authors a linear head is trained instead, with the student if their code trained it.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from brew.compendium.compared_models import ComparedModel, scored_models, students
from brew.compendium.kept_scores import Counts, has_readings, keep_scores, primary_scores
from brew.compendium.scoring import Latest, PlannedRun, finish
from brew.compendium.stages import Stage
from brew.compendium.stages.extract_features import pooled_file
from brew.evaluation import classification
from brew.evaluation.authors import Applied, apply
from brew.evaluation.average_precision import average_precision_macro
from brew.evaluation.benchmark_metrics import metrics_of
from brew.evaluation.benchmark_stores import OpenedBenchmark, open_benchmark, with_label_fraction
from brew.evaluation.classification import (
    NEIGHBOURS,
    STRENGTHS,
    linear_probe,
    linear_probe_multilabel,
    neighbours,
    neighbours_multilabel,
)
from brew.evaluation.frozen_features import AtTime, extract_pooled, read_images
from brew.evaluation.protocols import COMMON
from brew.evaluation.result_cache import CachedResult
from brew.evaluation.scores import Run, Score, readings_of, scores_of
from brew.evaluation.splits import LABEL_FRACTIONS, NAMES, Split
from brew.evaluation.statistics import Interval
from brew.evaluation.trained_probe import Labelled, StudentWithHead, linear_head, train

#: Each probe, and how the names of its metrics end.
_PROBES = {"linear": "", "knn": "_knn"}


def evaluate(stage: Stage) -> pd.DataFrame:
    """Score every backbone on every benchmark of the scale; leaves scores and counts."""
    scores: list[Score] = []
    counts: dict[str, Counts] = {}
    finished = finish(stage, classification.__name__, planned(stage))
    for each in finished:
        for probe in [name for name in _PROBES if name in each.result.arrays]:
            values = each.result.arrays[probe]
            rows = scores_of(each.run, values, metrics_of(each.benchmark))
            if has_readings(stage) and each.benchmark.multilabel:
                rows += readings_of(each.run, values, each.benchmark)
            scores += [replace(row, metric=f"{row.metric}{_PROBES[probe]}") for row in rows]
            counts[f"{each.run.name}-{probe}"] = (values, [str(sample) for sample in each.result.arrays["samples"]])
        if "log_odds" in each.result.arrays:
            scores.append(_ranked(each.run, each.result))
    keep_scores(stage, "classification", finished, scores, counts)
    return primary_scores(stage, "classification")


def _ranked(run: Run, result: CachedResult) -> Score:
    """The linear probe's mean average precision. Its counts hold the truth: whether a sample has each label."""
    truth = result.arrays["linear"][:, :, 1].sum(-1)
    value = average_precision_macro(truth, result.arrays["log_odds"])
    return run.score("average_precision_macro", "all", Interval(value, math.nan, math.nan, len(truth)), "sample")


def planned(stage: Stage) -> Iterator[PlannedRun]:
    """Every run of the stage."""
    for benchmark in stage.benchmarks("classification"):
        opened = open_benchmark(benchmark, stage.layout.store(benchmark.source))
        for protocol in stage.settings.evaluation.protocols:
            yield from _probes(stage, opened) if protocol == COMMON else _by_authors(stage, opened, protocol)


def _probes(stage: Stage, opened: OpenedBenchmark) -> Iterator[PlannedRun]:
    """brew's own two probes, on the pooled vectors that the stage `features` left."""
    folder, benchmark = stage.layout.read("features"), opened.benchmark
    for model, fraction in product(scored_models(stage, benchmark), LABEL_FRACTIONS):
        # The probes have no random part: with all labels one of them says it all.
        for draw in range(stage.settings.evaluation.decoders if fraction < 1 else 1):
            numbers, seed = (STRENGTHS, NEIGHBOURS), model.decoder_seed(draw)
            compute = partial(_probed, opened, pooled_file(folder, benchmark, model), fraction, seed)
            labelled = len(with_label_fraction(opened, opened.split(), fraction, seed).train)
            yield PlannedRun(
                benchmark, model.name, model.identity, model.seed, numbers, compute, fraction, labelled, draw
            )  # fmt: skip


def _by_authors(stage: Stage, opened: OpenedBenchmark, protocol: str) -> Iterator[PlannedRun]:
    """The runs of a protocol of the authors on a benchmark, if they ran it."""
    applied, latest = apply(opened, protocol), Latest()
    if applied is None:
        return
    benchmark, evaluation = applied.opened.benchmark, stage.settings.evaluation
    models = scored_models(stage, benchmark)
    for model in models if applied.state.frozen else students(models):
        read = partial(latest.get, model.identity, partial(_vectors, applied, model)) if applied.state.frozen else None
        for fraction, decoder in product(evaluation.label_fractions, range(evaluation.decoders)):
            if decoder and fraction < 1:
                continue
            seed = model.decoder_seed(decoder)
            split = with_label_fraction(applied.opened, applied.opened.split(), fraction, seed)
            compute = partial(_trained, applied, model, read, split, seed)
            yield PlannedRun(
                benchmark, model.name, model.identity, model.seed, (applied.fit, applied.numbers), compute, fraction,
                len(split.train), decoder, protocol,
            )  # fmt: skip


def _vectors(applied: Applied, model: ComparedModel) -> torch.Tensor:
    """Pooled vectors of every sample, by its index; those of no split are zero."""
    opened = applied.opened
    used = np.flatnonzero(np.isin(opened.splits, NAMES))
    found = extract_pooled(applied.feed(model.load()), AtTime(opened.images), used, opened.benchmark.sensor)
    vectors = torch.zeros(len(opened.splits), found.shape[1])
    vectors[torch.from_numpy(used)] = torch.from_numpy(found)
    return vectors


def _trained(
    applied: Applied, model: ComparedModel, vectors: Callable[[], torch.Tensor] | None, split: Split, seed: int
) -> CachedResult:
    """A linear head's result, on frozen vectors, or together with its student if there are none."""
    opened = applied.opened
    benchmark = opened.benchmark
    classes = len(benchmark.classes)
    data = Labelled(opened.labels, classes, split)
    if vectors is not None:
        held = vectors()
        network: torch.nn.Module = linear_head(held.shape[1], classes, seed)

        def read(samples: np.ndarray) -> torch.Tensor:
            return held[torch.from_numpy(samples)]
    else:
        fed, images = applied.feed(model.load()), AtTime(opened.images)
        width = fed.pooled(read_images(images, split.train[:1], "cpu"), benchmark.sensor).shape[1]
        network = StudentWithHead(fed, benchmark.sensor, width, classes, seed, "cpu")

        def read(samples: np.ndarray) -> torch.Tensor:
            return read_images(images, samples, "cpu")

    result = train(network, read, data, applied.fit, applied.chosen_by, seed)
    ranked = {} if result.log_odds is None else {"log_odds": result.log_odds}
    return CachedResult({"rate": result.chosen}, {"linear": result.counts, "samples": result.samples} | ranked)


def _probed(opened: OpenedBenchmark, pooled: Path, fraction: float, seed: int) -> CachedResult:
    with np.load(pooled) as stored:
        features, used = stored["features"], stored["samples"]
    kept = with_label_fraction(opened, opened.split(), fraction, seed)
    split = Split(*(np.searchsorted(used, part) for part in (kept.train, kept.validation, kept.test)))
    labels, classes = opened.labels[used].astype(np.int64), len(opened.benchmark.classes)
    if opened.benchmark.multilabel:
        linear = linear_probe_multilabel(features, labels, split)
        nearest = neighbours_multilabel(features, labels, split)
    else:
        linear = linear_probe(features, labels, classes, split)
        nearest = neighbours(features, labels, classes, split)
    values = {"strength": linear.chosen, "neighbours": nearest.chosen}
    ranked = {} if linear.log_odds is None else {"log_odds": linear.log_odds}
    arrays = {"linear": linear.counts, "knn": nearest.counts, "samples": used[split.test]}
    return CachedResult(values, arrays | ranked)
