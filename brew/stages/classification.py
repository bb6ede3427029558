"""Stage `classification`: nearest neighbours and a linear probe on frozen pooled vectors."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from brew.downstream.cells import CellResult
from brew.downstream.classification import linear_probe, neighbours
from brew.downstream.scores import Run, Score, scores_of
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
    planned = []
    for benchmark in benchmarks_of(stage, "classification"):
        opened = open_benchmark(stage, benchmark)
        for entrant in entrants(stage):
            compute = partial(_cell, opened, entrant, stage.layout.read("features"))
            planned.append(Evaluation(benchmark, entrant.name, entrant.identity, 0, compute))
    results = run(stage, "classification", "brew.downstream.classification", (), planned)
    scores: list[Score] = []
    counts: dict[str, tuple[np.ndarray, Sequence[str]]] = {}
    for (name, arm, seed), result in results.items():
        for probe, suffix in (("linear", ""), ("knn", "_knn")):
            values = result.arrays[probe]
            rows = scores_of(Run(name, "classification", arm, seed, result.values["settings"]), values, _METRICS)
            scores += [replace(row, metric=f"{row.metric}{suffix}") for row in rows]
            counts[f"{name}-{arm}-{probe}"] = (values, [str(each) for each in result.arrays["samples"]])
    keep(stage, "classification", scores, counts)
    return primary(stage, "classification")


def _cell(opened: Opened, entrant: Entrant, folder: Path) -> CellResult:
    """Both probes; neither has a random part, so there is one seed."""
    benchmark = opened.benchmark
    with np.load(pooled_file(folder, benchmark.name, entrant.name)) as stored:
        features, used = stored["features"], stored["samples"]
    split = Split(*(np.flatnonzero(opened.splits[used] == name) for name in NAMES))
    labels, classes = opened.labels[used].astype(np.int64), len(benchmark.classes)
    linear, nearest = linear_probe(features, labels, classes, split), neighbours(features, labels, classes, split)
    values = {"strength": linear.chosen, "neighbours": nearest.chosen, "settings": entrant.identity[:12]}
    return CellResult(values, {"linear": linear.counts, "knn": nearest.counts, "samples": used[split.test]})
