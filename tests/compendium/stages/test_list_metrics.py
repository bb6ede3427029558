"""What `dvc metrics diff` compares: primary metrics, a mean over seeds, and last losses."""

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from brew import files
from brew.compendium.pipeline import STAGES
from brew.compendium.settings import load
from brew.compendium.stages import list_metrics
from brew.evaluation.benchmarks import BENCHMARKS
from brew.evaluation.scores import Score, write_scores
from brew.files import Layout

_SCORE = Score(
    "roofs", "segmentation", "deo", 0, 1.0, BENCHMARKS["roofs"].metric, "all",
    0.5, 0.4, 0.6, "sample", 10, "x", "m", "d", "e",
)  # fmt: skip


def test_primary_metrics_are_means_over_seeds() -> None:
    scores = [
        _SCORE,
        replace(_SCORE, seed=1, value=0.7),
        replace(_SCORE, label_fraction=0.1, value=0.25),
        replace(_SCORE, subset="one city", value=0.9),
        replace(_SCORE, metric="accuracy", value=0.9),
    ]
    assert list_metrics.primary_means(scores) == {"roofs": {"deo": {"10 % of labels": 0.25, "100 % of labels": 0.6}}}


def test_a_scale_leaves_a_file_per_task_and_its_last_losses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "REPORTS", tmp_path)
    layout, runs = Layout("tiny"), load("tiny").arms
    for task in list_metrics.TASKS:
        write_scores(layout.write(task) / "scores.csv", [replace(_SCORE, task=task)])
    for run in runs:
        folder = layout.write(f"pretrain/{run}")
        text = "step,loss\n0,2.0\n1,1.25\n"
        (folder / "not-run.txt" if run == "ms-only" else folder / "history.csv").write_text(text)
    for stage, (file, names, value) in list_metrics.TABLES.items():
        rows = pd.DataFrame([["a"] * len(names) + [0.5], ["a"] * len(names) + [0.25]], columns=[*names, value])
        rows.to_csv(layout.write(stage) / file, index=False)
    folder = list_metrics.write("tiny")
    found = {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")}
    declared = {Path(each).stem for entry in STAGES for each in entry.metrics}
    assert set(found) == declared == {*list_metrics.TASKS, *list_metrics.TABLES, "pretrain"}
    assert found["progress"] == {"a": {"a": {"a": 0.375}}}
    assert found["change"] == {"roofs": {"deo": {"100 % of labels": 0.5}}}
    assert found["pretrain"] == {run: 1.25 for run in runs if run != "ms-only"}
