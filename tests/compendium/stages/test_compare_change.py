"""Differences in change: over the seeds that both have, and all of the reference's against what has no decoder."""

from pathlib import Path

import numpy as np
import pytest

from brew import files
from brew.compendium.compared_models import ComparedModel
from brew.compendium.settings import load
from brew.compendium.stages import Stage, compare_change
from brew.evaluation.scores import write_counts
from brew.files import Layout

#: F1 of every scene by backbone and seed.
F1 = {"ms-only": {0: 0.8, 1: 0.4}, "masked": {0: 0.9}, "cva": {0: 0.3}, "fc-siam-diff": {0: 0.5}}


def compared(name: str, repetition: int | None) -> ComparedModel:
    return ComparedModel(name, f"{name}-{repetition}", lambda: pytest.fail("no backbone is needed"), repetition)


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setattr(files, "REPORTS", tmp_path)
    found = [compared("ms-only", 0), compared("ms-only", 1), compared("masked", None)]
    monkeypatch.setattr(compare_change, "compared_models", lambda stage, sensor: found)
    stage = Stage(load("real"), Layout("real"))
    for name, seeds in F1.items():
        for seed, value in seeds.items():
            right = round(100 * value)
            counts = np.array([[[900, 100 - right], [100 - right, right]]] * 10)
            write_counts(stage.layout.write("change") / "counts" / f"oscd-{name}-{seed}.npz", counts, range(10))
    return stage


def test_seeds_are_paired(stage: Stage) -> None:
    table = compare_change.differences(stage).set_index("backbone")["difference in F1"]
    assert table["masked"] == pytest.approx(10), "against the same seed, not against the mean of both"
    assert table["cva"] == pytest.approx(-30) and table["fc-siam-diff"] == pytest.approx(-10)
