"""Stage `metrics`: the numbers that `dvc metrics diff` compares between two revisions, a file per task.

Of a task: every backbone's primary metric on all test samples, the mean over seeds. Of pretraining: each run's last
loss. The scores' intervals and further metrics stay in `reports/SCALE/scores`.
"""

import argparse
import json
from pathlib import Path
from statistics import fmean
from typing import Any

import pandas as pd

from brew.compendium.settings import load
from brew.evaluation.benchmarks import BENCHMARKS
from brew.evaluation.scores import Score, read_scores
from brew.files import Layout, write_bytes

TASKS = ("segmentation", "change", "classification")


def primary_means(scores: list[Score]) -> dict[str, Any]:
    """Benchmark -> backbone -> share of the training labels -> primary metric, the mean over seeds."""
    values: dict[tuple[str, str, str], list[float]] = {}
    for score in scores:
        if score.subset == "all" and score.metric == BENCHMARKS[score.benchmark].metric:
            share = f"{100 * score.label_fraction:g} % of labels"
            values.setdefault((score.benchmark, score.arm, share), []).append(score.value)
    nested: dict[str, Any] = {}
    for (benchmark, arm, share), found in sorted(values.items()):
        nested.setdefault(benchmark, {}).setdefault(arm, {})[share] = round(fmean(found), 6)
    return nested


def last_losses(layout: Layout, runs: tuple[str, ...]) -> dict[str, float]:
    """Run -> the loss of its last step; a run whose teacher was absent has none."""
    files = {run: layout.read(f"pretrain/{run}") / "history.csv" for run in runs}
    return {run: float(pd.read_csv(file)["loss"].iloc[-1]) for run, file in files.items() if file.exists()}


def write(scale: str) -> Path:
    """Write the files of a scale, and return their folder."""
    layout = Layout(scale)
    folder = layout.site / "metrics"
    content = {task: primary_means(list(read_scores(layout.read(task) / "scores.csv"))) for task in TASKS}
    for name, numbers in (content | {"pretraining": last_losses(layout, load(scale).arms)}).items():
        write_bytes(folder / f"{name}.json", f"{json.dumps(numbers, indent=1)}\n".encode())
    return folder


def main(arguments: list[str]) -> int:
    """`brew metrics SCALE`."""
    parser = argparse.ArgumentParser(prog="brew metrics", description="Write what `dvc metrics` compares.")
    parser.add_argument("scale")
    write(parser.parse_args(arguments).scale)
    return 0
