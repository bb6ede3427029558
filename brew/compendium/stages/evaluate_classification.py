"""Stage `classification`: nearest neighbours and a linear probe on frozen pooled vectors."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from brew.compendium.stages import Stage
from brew.compendium.stages.extract_features import pooled_file
from brew.compendium.stages.task_stage import (
    Evaluation,
    Opened,
    benchmarks_of,
    compared_models,
    keep,
    metrics_of,
    open_benchmark,
    primary,
    run,
    with_labels,
)
from brew.evaluation.average_precision import average_precision_macro
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
    counts: dict[str, tuple[np.ndarray, Sequence[str]]] = {}
    evaluated = run(stage, "brew.evaluation.classification", _planned(stage))
    for each in evaluated:
        for probe, suffix in (("linear", ""), ("knn", "_knn")):
            values = each.result.arrays[probe]
            rows = scores_of(each.run, values, metrics_of(each.benchmark))
            scores += [replace(row, metric=f"{row.metric}{suffix}") for row in rows]
            counts[f"{each.run.name}-{probe}"] = (values, [str(sample) for sample in each.result.arrays["samples"]])
        if "log_odds" in each.result.arrays:
            scores.append(_ranked(each.run, each.result))
    keep(stage, "classification", evaluated, scores, counts)
    return primary(stage, "classification")


def _ranked(shared: Run, result: CachedResult) -> Score:
    """The linear probe's mean average precision. Its counts hold the truth: whether a sample has each label."""
    truth = result.arrays["linear"][:, :, 1].sum(-1)
    value = average_precision_macro(truth, result.arrays["log_odds"])
    return shared.score("average_precision_macro", "all", Interval(value, math.nan, math.nan, len(truth)), "sample")


def _planned(stage: Stage) -> Iterator[Evaluation]:
    folder = stage.layout.read("features")
    for benchmark in benchmarks_of(stage, "classification"):
        opened = open_benchmark(stage, benchmark)
        for compared, share in product(compared_models(stage, benchmark.sensor), LABEL_FRACTIONS):
            # The probes have no random part: with all labels one seed says it all.
            for seed in compared.seeds(stage.settings.evaluation.seeds if share < 1 else (0,)):
                compute = partial(_cell, opened, pooled_file(folder, benchmark, compared), share, seed)
                numbers = (STRENGTHS, NEIGHBOURS)
                labelled = len(with_labels(opened, opened.split(), share, seed).train)
                yield Evaluation(benchmark, compared.name, compared.identity, seed, numbers, compute, share, labelled)


def _cell(opened: Opened, pooled: Path, share: float, seed: int) -> CachedResult:
    with np.load(pooled) as stored:
        features, used = stored["features"], stored["samples"]
    kept = with_labels(opened, opened.split(), share, seed)
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
