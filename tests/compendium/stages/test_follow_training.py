"""What the stage `progress` makes of counts: curves, gains, and when an arm has converged."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brew import files
from brew.compendium.report.style import caption_of
from brew.compendium.report.training_progress import summary
from brew.compendium.settings import load
from brew.compendium.stages import Stage, follow_training, write_tables
from brew.files import Layout

BENCHMARK, OTHER = "scenes", "roofs"


def counts(right: int, images: int = 40) -> np.ndarray:
    """Of so many images in `images` the one label is right."""
    found = np.zeros((images, 2, 2), int)
    found[:right, 0, 0] = found[right:, 0, 1] = 1
    return found


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setattr(files, "REPORTS", tmp_path)
    found = {("scenes", "random", 0, 0): counts(10)}
    for seed in (0, 1):
        for step, right in ((2, 20), (4, 28 + 2 * seed), (6, 30)):
            found["scenes", "deo", seed, step] = counts(right)
    found |= {("scenes", "masked", 0, step): counts(right) for step, right in ((2, 10), (4, 10), (6, 20))}
    monkeypatch.setattr(follow_training, "counts", lambda stage: found)
    return Stage(load("tiny"), Layout("tiny"))


def test_gains_are_taken_since_the_untrained_trunk_and_since_two_thirds(stage: Stage) -> None:
    table = follow_training.compute(stage).set_index("arm")
    assert table.loc["deo", "over the untrained trunk"] == "+50.0 [+50.0, +50.0]"
    assert table.loc["deo", "in the last third"] == "+2.5 [-29.3, +34.3]"
    assert table.loc["masked", "in the last third"] == "+25.0"
    assert table["convergence"].to_dict() == {"deo": "cannot tell", "masked": "not converged, by one seed"}
    assert table["seeds"].to_dict() == {"deo": 2, "masked": 1}


def test_an_arm_has_converged_if_its_last_third_brought_no_more_than_a_point() -> None:
    gains = pd.DataFrame({"benchmark": ["scenes", "roofs"] * 2, "arm": "deo", "seed": [0, 0, 1, 1]})
    gains = gains.assign(since="two thirds", gain=[0.006, 0.03, 0.0062, -0.01])

    def verdicts(found: pd.DataFrame, points: float = 1.0) -> dict[str, str]:
        return summary(found, points).set_index("benchmarks")["convergence"].to_dict()

    assert verdicts(gains) == {"multispectral": "converged", "optical": "cannot tell"}
    assert set(verdicts(gains.assign(gain=0.011)).values()) == {"not converged"}
    assert set(verdicts(gains.assign(gain=0.011), points=1.2).values()) == {"converged"}
    assert verdicts(gains[gains["seed"] == 0]) == {
        "multispectral": "converged, by one seed",
        "optical": "not converged, by one seed",
    }


def test_curves_tables_and_figure_say_the_same(stage: Stage) -> None:
    follow_training.compute(stage)
    curves = pd.read_csv(stage.layout.read("progress") / "curves.csv")
    assert curves[curves["arm"] == "masked"]["score"].tolist() == [0.25, 0.25, 0.5]
    figure = follow_training.show(stage)
    (axis,) = figure.axes
    lines = {line.get_label(): line.get_ydata() for line in axis.get_lines()}
    assert np.allclose(lines["DEO (both teachers)"], [25, 50, 72.5, 75])
    assert "Test images are not looked at" in caption_of(stage.layout.read("progress") / "progress.png")
    shown = write_tables.progress_by_benchmark(stage)
    assert shown is not None and len(shown.frame) == 3
    assert shown.frame.loc[shown.frame["seed"] == 1, "over the untrained trunk"].item().startswith("+50.0 [")


def test_a_scale_that_keeps_nothing_says_so(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow_training, "counts", lambda stage: {})
    assert follow_training.compute(stage).empty
    assert write_tables.progress(stage) is None and write_tables.progress_by_benchmark(stage) is None
    assert "pretraining.snapshots is 0" in follow_training.show(stage).axes[0].texts[0].get_text()
