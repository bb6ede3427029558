"""Stage `metrics`: the numbers that `dvc metrics diff` compares between two revisions, a file per stage that measures.

Of a task: every backbone's primary metric on all test samples, the mean over seeds. Of pretraining: each run's last
loss. Of the other stages: the numbers of `TABLES`, means over seeds. Intervals and further metrics stay in
`reports/SCALE/scores` and `reports/SCALE/tables`.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import pandas as pd

from brew.compendium.settings import load
from brew.evaluation.benchmarks import BENCHMARKS
from brew.evaluation.scores import Score, read_scores
from brew.files import Layout, write_bytes

TASKS = ("segmentation", "change", "classification")
#: Stage -> the table that it leaves, the columns that name a number, outermost first, and the column of numbers.
TABLES = {
    "data": ("sources.csv", ("source", "split"), "samples"),
    "optical-teacher": ("probe.csv", ("source", "features"), "accuracy"),
    "similarity": ("similarity.csv", ("teacher", "backbone", "token", "stride"), "cka"),
    "progress": ("curves.csv", ("benchmark", "arm", "step"), "score"),
}


def primary_means(scores: list[Score]) -> dict[str, Any]:
    """Benchmark -> backbone -> share of the training labels -> primary metric, the mean over seeds."""
    values: dict[tuple[str, str, str], list[float]] = {}
    for score in scores:
        if score.plain and score.subset == "all" and score.metric == BENCHMARKS[score.benchmark].metric:
            share = f"{100 * score.label_fraction:g} % of labels"
            values.setdefault((score.benchmark, score.arm, share), []).append(score.value)
    nested: dict[str, Any] = {}
    for (benchmark, arm, share), found in sorted(values.items()):
        nested.setdefault(benchmark, {}).setdefault(arm, {})[share] = round(fmean(found), 6)
    return nested


def nested(table: pd.DataFrame, names: Sequence[str], value: str) -> dict[str, Any]:
    """The means of a column as mappings in mappings, by the columns that name them: outermost first."""
    found: dict[str, Any] = {}
    for row, number in table.groupby(list(names))[value].mean().items():
        inner, (*outer, last) = found, map(str, row)
        for name in outer:
            inner = inner.setdefault(name, {})
        inner[last] = round(number, 6)
    return found


def last_losses(layout: Layout, runs: tuple[str, ...]) -> dict[str, float]:
    """Run -> the loss of its last step; a run whose teacher was absent has none."""
    files = {run: layout.read(f"pretrain/{run}") / "history.csv" for run in runs}
    return {run: float(pd.read_csv(file)["loss"].iloc[-1]) for run, file in files.items() if file.exists()}


def write(scale: str) -> Path:
    """Write the files of a scale, and return their folder."""
    layout = Layout(scale)
    folder = layout.site / "metrics"
    content: dict[str, Any] = {
        task: primary_means(list(read_scores(layout.read(task) / "scores.csv"))) for task in TASKS
    }
    content["pretrain"] = last_losses(layout, load(scale).arms)
    for stage, (file, names, value) in TABLES.items():
        content[stage] = nested(pd.read_csv(layout.read(stage) / file), names, value)
    for name, numbers in content.items():
        write_bytes(folder / f"{name}.json", f"{json.dumps(numbers, indent=1)}\n".encode())
    return folder


def main(arguments: list[str]) -> int:
    """`brew metrics SCALE`."""
    parser = argparse.ArgumentParser(prog="brew metrics", description="Write what `dvc metrics` compares.")
    parser.add_argument("scale")
    write(parser.parse_args(arguments).scale)
    return 0
