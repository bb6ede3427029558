"""Stage `classification`: nearest neighbours and a linear probe on frozen pooled vectors."""

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from brew.compendium.compared_models import compared_models
from brew.compendium.kept_scores import Counts, keep_scores, primary_scores
from brew.compendium.scoring import PlannedRun, finish
from brew.compendium.stages import Stage
from brew.compendium.stages.extract_features import pooled_file
from brew.evaluation import classification
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
from brew.evaluation.result_cache import CachedResult
from brew.evaluation.scores import Run, Score, scores_of
from brew.evaluation.splits import LABEL_FRACTIONS, Split
from brew.evaluation.statistics import Interval


def evaluate(stage: Stage) -> pd.DataFrame:
    """Score every backbone on every benchmark of the scale; leaves scores and counts."""
    scores: list[Score] = []
    counts: dict[str, Counts] = {}
    finished = finish(stage, classification.__name__, planned(stage))
    for each in finished:
        for probe, suffix in (("linear", ""), ("knn", "_knn")):
            values = each.result.arrays[probe]
            rows = scores_of(each.run, values, metrics_of(each.benchmark))
            scores += [replace(row, metric=f"{row.metric}{suffix}") for row in rows]
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
    folder = stage.layout.read("features")
    for benchmark in stage.benchmarks("classification"):
        opened = open_benchmark(benchmark, stage.layout.store(benchmark.source))
        for model, fraction in product(compared_models(stage, benchmark.sensor), LABEL_FRACTIONS):
            # The probes have no random part: with all labels one of them says it all.
            for draw in range(stage.settings.evaluation.decoders if fraction < 1 else 1):
                numbers, seed = (STRENGTHS, NEIGHBOURS), model.decoder_seed(draw)
                compute = partial(_probed, opened, pooled_file(folder, benchmark, model), fraction, seed)
                labelled = len(with_label_fraction(opened, opened.split(), fraction, seed).train)
                yield PlannedRun(
                    benchmark, model.name, model.identity, model.seed, numbers, compute, fraction, labelled, draw
                )  # fmt: skip


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
