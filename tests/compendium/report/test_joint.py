"""Bold, averages and ranks come from paired replicates: nothing stands out that test samples alone could turn round."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from brew.compendium.report.joint import (
    average,
    average_ranks,
    differs,
    interval,
    leader,
    ranks,
    replicates_of,
    wald_p,
)
from brew.evaluation.benchmarks import BENCHMARKS
from brew.evaluation.metrics import f1_binary
from brew.evaluation.statistics import paired_difference

NAMES = ("a", "b", "c")
DRAWS = arrays(np.float64, (3, 40), elements=st.integers(0, 100).map(float))


def counts(accuracy: float, seed: int = 0, units: int = 60) -> np.ndarray:
    """Binary confusion counts of units with 100 places each, a share of `accuracy` right on average."""
    right = np.random.default_rng(seed).binomial(50, accuracy, (units, 2))
    return np.stack([np.stack([right[:, 0], 50 - right[:, 0]], -1), np.stack([50 - right[:, 1], right[:, 1]], -1)], 1)


def test_a_difference_is_that_of_the_paired_bootstrap():
    one, other = counts(0.8, 1), counts(0.7, 3)
    replicates = replicates_of(BENCHMARKS["new-sites"], {"one": one, "other": other})
    expected = paired_difference(one, other, f1_binary)
    assert interval(replicates["one"] - replicates["other"]) == pytest.approx((100 * expected.low, 100 * expected.high))
    assert replicates["one"][0] - replicates["other"][0] == pytest.approx(100 * expected.value)


def test_the_best_leads_only_beyond_the_interval_of_the_difference():
    close = replicates_of(BENCHMARKS["new-sites"], {"one": counts(0.8, 1), "same": counts(0.8, 2)})
    clear = replicates_of(BENCHMARKS["new-sites"], {"one": counts(0.8, 1), "worse": counts(0.6, 2)})
    assert leader(close) is None and leader(clear) == "one"
    assert leader({**close, "worse": clear["worse"]}) is None, "one of the others is within the interval"
    assert leader({"alone": close["one"]}) is None


@given(DRAWS)
def test_a_leader_differs_from_every_other_and_nobody_leads_a_tie(values):
    replicates = dict(zip(NAMES, values, strict=True))
    best = leader(replicates)
    if best is not None:
        others = [name for name in NAMES if name != best]
        assert all(
            replicates[best][0] >= replicates[name][0] and differs(replicates[best], replicates[name])
            for name in others
        )
    assert leader({"a": values[0], "b": values[0]}) is None


@given(DRAWS)
def test_ranks_are_shared_in_ties_and_add_up(values):
    found = ranks(dict(zip(NAMES, values, strict=True)))
    assert np.allclose(sum(found.values()), 6)
    best = max(range(3), key=lambda index: values[index, 0])
    assert found[NAMES[best]][0] == min(ranked[0] for ranked in found.values())
    assert (ranks({"a": values[0], "b": values[0]})["a"] == 1.5).all()


def test_averages_hold_those_that_were_scored_everywhere():
    one = {name: np.array([score, score]) for name, score in {"a": 3.0, "b": 2.0, "c": 1.0}.items()}
    two = {name: np.array([score, score]) for name, score in {"a": 1.0, "c": 5.0}.items()}
    assert {name: replicates[0] for name, replicates in average([one, two]).items()} == {"a": 2.0, "c": 3.0}
    assert {name: replicates[0] for name, replicates in average_ranks([one, two]).items()} == {"a": 1.5, "c": 1.5}
    assert average([]) == average_ranks([]) == {}


def test_the_p_of_a_difference_comes_from_its_standard_error():
    replicates = np.concatenate([[1.96], np.random.default_rng(0).normal(1.96, 1, 100_000)])
    assert wald_p(replicates) == pytest.approx(0.05, abs=2e-3)
    assert (wald_p(np.full(9, 2.0)), wald_p(np.zeros(9))) == (0, 1)
