"""Stage `classification`: nearest neighbours and a linear probe on frozen pooled vectors."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from brew.downstream.cells import CellResult
from brew.downstream.classification import NEIGHBOURS, STRENGTHS, linear_probe, neighbours
from brew.downstream.scores import Score, scores_of
from brew.downstream.splits import NAMES, Split
from brew.stages import Stage
from brew.stages.evaluation import (
    Entrant,
    Evaluation,
    Opened,
    benchmarks_of,
    entrants,
    keep,
    open_benchmark,
    primary,
    run,
)
from brew.stages.features import pooled_file

_METRICS = ("accuracy", "f1_macro")


def evaluate(stage: Stage) -> pd.DataFrame:
    """Score every backbone on every benchmark of the scale; leaves scores and counts."""
    scores: list[Score] = []
    counts: dict[str, tuple[np.ndarray, Sequence[str]]] = {}
    for each in run(stage, "brew.downstream.classification", _planned(stage)):
        for probe, suffix in (("linear", ""), ("knn", "_knn")):
            values = each.result.arrays[probe]
            scores += [replace(row, metric=f"{row.metric}{suffix}") for row in scores_of(each.run, values, _METRICS)]
            counts[f"{each.run.name}-{probe}"] = (values, [str(sample) for sample in each.result.arrays["samples"]])
    keep(stage, "classification", scores, counts)
    return primary(stage, "classification")


def _planned(stage: Stage) -> Iterator[Evaluation]:
    for benchmark in benchmarks_of(stage, "classification"):
        opened = open_benchmark(stage, benchmark)
        for entrant in entrants(stage):
            compute = partial(_cell, opened, entrant, stage.layout.read("features"))
            yield Evaluation(benchmark, entrant.name, entrant.identity, 0, (STRENGTHS, NEIGHBOURS), compute)


def _cell(opened: Opened, entrant: Entrant, folder: Path) -> CellResult:
    """Both probes; neither has a random part, so there is one seed."""
    benchmark = opened.benchmark
    with np.load(pooled_file(folder, benchmark.name, entrant.name)) as stored:
        features, used = stored["features"], stored["samples"]
    split = Split(*(np.flatnonzero(opened.splits[used] == name) for name in NAMES))
    labels, classes = opened.labels[used].astype(np.int64), len(benchmark.classes)
    linear, nearest = linear_probe(features, labels, classes, split), neighbours(features, labels, classes, split)
    values = {"strength": linear.chosen, "neighbours": nearest.chosen}
    return CellResult(values, {"linear": linear.counts, "knn": nearest.counts, "samples": used[split.test]})
