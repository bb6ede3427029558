"""Gains keep their two doubts apart: decoder seeds of one model never pass for seeds of pretraining."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_rel

from brew.downstream.scores import Score
from brew.reporting.comparison import Scored
from brew.reporting.gains import by_seed, gain, over_seeds
from brew.reporting.summary import summarise

VALUES = st.floats(0, 1)


def rows(arm: str, values: dict[int, float], benchmark: str = "roofs", models: dict[int, str] | None = None):
    return [
        Score(benchmark, "segmentation", arm, seed, 1.0, "iou_macro", "all", value, 0.0, 1.0, "sample", 8, "s",
              (models or {}).get(seed, f"{arm}-{seed}"), "d", "e")
        for seed, value in values.items()
    ]  # fmt: skip


def scored(*parts) -> Scored:
    """With draws that lie up to a point on either side of each arm's mean."""
    flat = [row for part in parts for row in part]
    draws = {}
    for row in flat:
        mean = 100 * np.mean([each.value for each in flat if (each.arm, each.benchmark) == (row.arm, row.benchmark)])
        draws.setdefault((row.benchmark, 1.0), {})[row.arm] = np.concatenate([[mean], mean + np.linspace(-1, 1, 41)])
    return Scored(draws, summarise(flat, draws))


@given(st.lists(st.tuples(VALUES, VALUES), min_size=2, max_size=6))
def test_the_interval_over_seeds_is_that_of_the_paired_t_test(pairs):
    ours, theirs = np.array(pairs).T
    found = over_seeds(ours - theirs)
    assert found.seeds == len(pairs) and found.mean == pytest.approx((ours - theirs).mean())
    if np.std(ours - theirs) > 1e-9:
        expected = ttest_rel(ours, theirs).confidence_interval(0.95)
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
        assert found.detectable > found.mean - found.low, "what is just significant is missed half of the time"
    else:
        assert found.high - found.low < 1e-6


def test_only_seeds_that_both_share_are_paired():
    here = scored(rows("deo", {0: 0.5, 1: 0.7, 3: 0.9}), rows("ms-only", {0: 0.4, 1: 0.5, 2: 0.1}))
    found = gain(here, ["roofs"], "deo", "ms-only")
    assert (found.over_seeds.seeds, found.over_seeds.mean) == (2, pytest.approx(15))
    assert found.points == pytest.approx(100 * (0.7 - 1 / 3)), "over test samples all seeds count"


def test_decoder_seeds_of_one_model_are_one_pretraining():
    one_model = dict.fromkeys(range(3), "deo")
    here = scored(rows("deo", {0: 0.5, 1: 0.6, 2: 0.7}, models=one_model), rows("ms-only", {0: 0.4, 1: 0.4, 2: 0.4}))
    assert by_seed(here, ["roofs"], "deo") == {0: pytest.approx(60)}
    found = gain(here, ["roofs"], "deo", "ms-only")
    assert found.exploratory and math.isnan(found.over_seeds.low) and found.over_seeds.seeds == 1


def test_a_group_is_averaged_within_each_seed():
    here = scored(
        rows("deo", {0: 0.5, 1: 0.7}), rows("deo", {0: 0.1, 1: 0.2, 2: 0.9}, "new-sites-rgb"),
        rows("ms-only", {0: 0.5, 1: 0.7}),
    )  # fmt: skip
    assert by_seed(here, ["roofs", "new-sites-rgb"], "deo") == {0: pytest.approx(30), 1: pytest.approx(45)}
    assert gain(here, ["roofs", "new-sites-rgb"], "deo", "ms-only") is None, "the reference lacks one of them"
    assert gain(here, [], "deo", "ms-only") is None and by_seed(here, [], "deo") == {}
