"""Guesses are scored like maps: on the test's own frequencies, by the benchmark's own metric."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from brew.compendium.report.chance import by_frequency, chance_replicates, commonest
from brew.compendium.report.columns import NOT_RUN
from brew.compendium.report.tables.radar_tables import beside_chance
from brew.evaluation.benchmarks import BENCHMARKS
from brew.evaluation.metrics import iou_macro

COUNTS = arrays(np.int64, (6, 4, 4), elements=st.integers(0, 50)).filter(lambda counts: counts.sum() > 0)


@given(COUNTS)
def test_guesses_keep_every_label(counts):
    for guessed in (commonest(counts), by_frequency(counts)):
        assert np.allclose(guessed.sum(axis=2), counts.sum(axis=2))


@given(COUNTS)
def test_the_commonest_class_is_one_column_and_drawn_classes_do_not_look_at_the_label(counts):
    (column,) = np.flatnonzero(commonest(counts).sum(axis=(0, 1)))
    truth = counts.sum(axis=(0, 2))
    assert truth[column] == truth.max()
    drawn = by_frequency(counts).sum(axis=0)
    assert np.allclose(drawn, np.outer(truth, truth) / truth.sum())


def test_two_even_classes_have_known_scores():
    counts = np.full((3, 2, 2), 25)
    assert iou_macro(commonest(counts).sum(axis=0)) == pytest.approx(0.25)
    assert iou_macro(by_frequency(counts).sum(axis=0)) == pytest.approx(1 / 3)


def test_backbones_stand_beside_guesses_and_the_untrained_trunk():
    counts = np.stack([np.eye(4, dtype=int) * 60 + np.ones((4, 4), dtype=int) * 10] * 8)
    guesses = chance_replicates(BENCHMARKS["roofs"], counts)
    replicates = {"random": np.full(2001, 40.0), "deo+sar": np.linspace(49, 51, 2001)}
    replicates["deo+sar"][0] = 50.0
    ahead = {"deo+sar": replicates["deo+sar"] - replicates["random"], "deo": None}
    replicates["deo"] = np.full(2001, 45.0)
    table = beside_chance(replicates, guesses, {"random": 0.5}, ahead).set_index("backbone")
    assert table.index.tolist() == [
        "commonest class", "classes drawn by frequency", "random trunk", "DEO (both teachers)",
        "DEO with a radar teacher",
    ]  # fmt: skip
    assert table.loc["random trunk"].tolist() == ["40.0 +/- 0.5 [40.0, 40.0]", ""]
    assert table.loc["DEO with a radar teacher", "less random trunk"] == "**+10.0 [+9.1, +11.0]**, Holm p < .001"
    assert table.loc["commonest class", "less random trunk"].startswith("**-")
    assert table.loc["DEO (both teachers)", "less random trunk"] == NOT_RUN, "no seed is shared"
