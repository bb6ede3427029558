"""Intervals that cover what they promise, and exact tests against enumeration by hand."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import ttest_1samp

from brew.errors import BrewError
from brew.evaluation.metrics import accuracy, f1_binary
from brew.evaluation.statistics import (
    bootstrap,
    detectable_difference,
    exact_swap_test,
    holm,
    joint_replicates,
    mean_of_units,
    paired_difference,
    paired_t_p,
    resample,
    seed_spread,
    unit_values,
)

GOLDEN_REPLICATES = [[2, 0, 1, 1, 3, 0, 1, 0, 0, 2], [1, 0, 0, 0, 0, 1, 2, 0, 4, 2]]
counts_of_units = arrays(np.int64, (7, 2, 2), elements=st.integers(1, 30))


def _right_or_wrong(right: np.ndarray) -> np.ndarray:
    """Confusion counts of samples of class 1 that are right (1) or wrong (0)."""
    counts = np.zeros((*right.shape, 2, 2), dtype=np.int64)
    counts[..., 1, 1], counts[..., 1, 0] = right, 1 - right
    return counts


def test_interval_covers_the_truth_as_often_as_it_says():
    generator = np.random.default_rng(0)
    covered = []
    for _ in range(300):
        interval = bootstrap(
            {"arm": _right_or_wrong(generator.random(100) < 0.7)}, accuracy, replicates=400, level=0.9
        )["arm"]
        covered.append(interval.low <= 0.7 <= interval.high)
    # Binomial with n = 300 and p = .9: four standard deviations are .07.
    assert 0.83 < np.mean(covered) < 0.97


@given(counts_of_units, st.permutations(range(7)))
def test_value_does_not_depend_on_the_order_of_units(counts, order):
    one = bootstrap({"arm": counts}, f1_binary, replicates=20)["arm"]
    other = bootstrap({"arm": counts[order]}, f1_binary, replicates=20)["arm"]
    assert one.value == pytest.approx(other.value)
    assert one.value == pytest.approx(float(f1_binary(counts.sum(0))))
    assert one.low <= one.high


@given(counts_of_units, st.integers(0, 2**16), st.booleans())
def test_an_interval_of_a_metric_holds_its_value(counts, seed, many):
    """Percentile intervals hold it for smooth metrics; of seven units with counts above zero they do at 99 %."""
    runs = np.stack([counts, counts[::-1]]) if many else counts
    for function in (f1_binary, accuracy):
        found = bootstrap({"arm": runs}, function, seeds=many, replicates=200, seed=seed, level=0.99)["arm"]
        assert found.low - 1e-12 <= found.value <= found.high + 1e-12


@given(counts_of_units, counts_of_units, st.permutations(range(7)))
def test_the_swap_test_is_symmetric_in_its_arms_and_knows_no_order_of_units(one, other, order):
    p = exact_swap_test(one, other, f1_binary)
    assert p == exact_swap_test(other, one, f1_binary) == exact_swap_test(one[order], other[order], f1_binary)
    assert 2 / 2**7 <= p <= 1


@given(counts_of_units)
def test_an_arm_against_itself_differs_by_nothing(counts):
    difference = paired_difference(counts, counts, f1_binary, replicates=50)
    assert (difference.value, difference.low, difference.high) == (0, 0, 0)
    assert exact_swap_test(counts, counts, f1_binary) == 1


def test_joint_draws_make_a_difference_surer_than_separate_ones():
    generator = np.random.default_rng(1)
    hard = generator.random(200)
    one, other = (_right_or_wrong((hard < threshold).astype(int)) for threshold in (0.6, 0.55))
    paired = paired_difference(one, other, accuracy)
    each = bootstrap({"one": one, "other": other}, accuracy)
    assert paired.value == pytest.approx(each["one"].value - each["other"].value)
    assert paired.high - paired.low < 0.5 * (each["one"].high - each["one"].low)


def test_draws_are_whole_samples_and_repeat():
    weights = resample(10, 50, seed=3)
    assert (weights.sum(1) == 10).all()
    assert (weights == resample(10, 50, seed=3)).all()
    assert (weights != resample(10, 50, seed=4)).any()


def test_seeds_are_averaged_within_each_draw_and_their_spread_is_apart():
    runs = np.stack([_right_or_wrong(np.array([1, 1, 0, 0])), _right_or_wrong(np.array([1, 1, 1, 0]))])
    interval = bootstrap({"arm": runs}, accuracy, seeds=True)["arm"]
    assert interval.value == pytest.approx((0.5 + 0.75) / 2)
    assert interval.n == 4
    spread = seed_spread(np.array([0.5, 0.75]))
    assert (spread.mean, spread.std, spread.n) == (0.625, pytest.approx(0.25 / np.sqrt(2)), 2)
    assert np.isnan(seed_spread(np.array([0.5])).std)


def test_mean_of_single_units():
    interval = bootstrap({"arm": unit_values(np.array([0.2, 0.4, 0.9]))}, mean_of_units)["arm"]
    assert interval.value == pytest.approx(0.5)
    assert 0.2 <= interval.low < interval.high <= 0.9


def test_ten_cities_that_all_improve_give_the_smallest_possible_p():
    worse = np.tile(np.array([[80, 10], [10, 10]]), (10, 1, 1))
    better = np.tile(np.array([[85, 5], [5, 15]]), (10, 1, 1))
    assert exact_swap_test(better, worse, f1_binary) == pytest.approx(2 / 2**10)


def test_swap_test_equals_enumeration():
    generator = np.random.default_rng(2)
    one, other = generator.integers(1, 40, (2, 5, 2, 2))
    values = []
    for swapped in itertools.product((False, True), repeat=5):
        kept = np.array(swapped)[:, None, None]
        values.append(f1_binary(np.where(kept, other, one).sum(0)) - f1_binary(np.where(kept, one, other).sum(0)))
    assert exact_swap_test(one, other, f1_binary) == pytest.approx(np.mean(np.abs(values) >= abs(values[0]) - 1e-12))


def test_units_that_do_not_match_are_refused():
    with pytest.raises(BrewError, match="same"):
        bootstrap({"a": np.ones((3, 2, 2), dtype=int), "b": np.ones((4, 2, 2), dtype=int)}, f1_binary)
    with pytest.raises(BrewError, match="paired_difference"):
        exact_swap_test(*np.ones((2, 21, 2, 2)), f1_binary)
    with pytest.raises(BrewError, match="at least one seed"):
        seed_spread(np.array([]))


def test_a_difference_of_the_detectable_size_is_found_as_often_as_it_says():
    seeds = np.array([1.2, -0.4, 0.3, 2.1, 0.9])
    generator = np.random.default_rng(0)
    for power in (0.5, 0.8):
        shift = detectable_difference(seeds, power)
        drawn = shift + seeds.std(ddof=1) * generator.standard_normal((20_000, len(seeds)))
        found = ttest_1samp(drawn, 0, axis=1)
        assert np.mean((found.pvalue < 0.05) & (found.statistic > 0)) == pytest.approx(power, abs=0.015)


@given(arrays(np.float64, 5, elements=st.floats(-10, 10)), st.floats(0.1, 10))
def test_the_detectable_difference_knows_no_origin_and_has_the_unit_of_the_differences(seeds, factor):
    found = detectable_difference(seeds)
    assert detectable_difference(factor * seeds + 3) == pytest.approx(factor * found, abs=1e-6)


def test_more_seeds_detect_less_and_one_says_nothing():
    assert detectable_difference(np.array([0.0, 1.0] * 4)) < detectable_difference(np.array([0.0, 1.0]))
    with pytest.raises(BrewError, match="at least two"):
        detectable_difference(np.array([1.0]))


def test_a_difference_is_taken_on_the_replicates_that_are_named():
    generator = np.random.default_rng(3)
    one, other = generator.integers(1, 30, (2, 7, 2, 2))
    samples = joint_replicates({"one": one, "other": other}, accuracy, False)
    low, high = np.quantile((samples["one"] - samples["other"])[1:], [0.025, 0.975])
    found = paired_difference(one, other, accuracy)
    assert (found.low, found.high, found.n) == (pytest.approx(low), pytest.approx(high), 7)
    assert len(samples["one"]) == 2001
    changed = paired_difference(one, other, accuracy, seed=1)
    assert (changed.value, changed.n) == (found.value, 7) and changed.low != found.low


def test_a_difference_averages_seeds_and_counts_units():
    runs, other = np.random.default_rng(4).integers(1, 30, (2, 3, 7, 2, 2))
    found = paired_difference(runs, other, accuracy, seeds=True)
    by_hand = [float(accuracy(a.sum(0)) - accuracy(b.sum(0))) for a, b in zip(runs, other, strict=True)]
    assert found.value == pytest.approx(np.mean(by_hand)) and found.n == 7


def test_an_exact_test_takes_1_to_20_units():
    right, wrong = np.array([[3, 1], [1, 3]]), np.array([[1, 3], [3, 1]])
    assert exact_swap_test(right[None], wrong[None], f1_binary) == 1
    for units in (0, 21):
        with pytest.raises(BrewError, match=rf"^{units} test units;.* expects 1 to 20: pool the samples into whole"):
            exact_swap_test(np.ones((units, 2, 2)), np.ones((units, 2, 2)), f1_binary)


def test_replicates_are_keyed_by_seed_purpose_and_number_of_units():
    # Golden: whoever changes these draws changes every interval of the reports.
    assert resample(10, 2, seed=0).tolist() == GOLDEN_REPLICATES
    assert resample(11, 1, seed=0)[0].tolist()[:10] != GOLDEN_REPLICATES[0]


def test_an_interval_is_made_of_2000_replicates_of_seed_0():
    counts = np.random.default_rng(5).integers(1, 30, (7, 2, 2))
    sample = joint_replicates({"arm": counts}, accuracy, False)["arm"]
    assert len(sample) == 2001 and sample[0] == pytest.approx(float(accuracy(counts.sum(0))))
    by_hand = [accuracy((weights[:, None, None] * counts).sum(0)) for weights in resample(7, 2000, 0)]
    np.testing.assert_allclose(sample[1:], by_hand)
    found = bootstrap({"arm": counts}, accuracy)["arm"]
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(by_hand, [0.025, 0.975])))


def test_one_unit_is_enough_and_none_is_refused():
    (score, *_) = joint_replicates({"arm": np.ones((1, 2, 2), dtype=int)}, accuracy, False)["arm"]
    assert score == 0.5
    with pytest.raises(BrewError, match="not empty"):
        joint_replicates({"arm": np.ones((0, 2, 2), dtype=int)}, accuracy, False)


def test_holm_corrects_step_by_step_and_leaves_out_what_was_not_tested():
    p = np.array([0.01, np.nan, 0.04, 0.03, 0.005])
    expected = [0.03, np.nan, 0.06, 0.06, 0.02]  # 4 x .005, 3 x .01, 2 x .03, and 1 x .04 raised to the one before
    np.testing.assert_allclose(holm(p), expected)
    assert holm(np.array([])).shape == (0,) and holm(np.array([0.9, 0.8])).tolist() == [1, 1]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_lies_between_the_raw_p_and_bonferroni_s_in_the_same_order(values):
    p = np.array(values)
    found = holm(p)
    assert ((found >= p).all() and (found <= np.minimum(1, len(p) * p) + 1e-12).all()) or len(set(values)) < len(values)
    assert (np.diff(found[np.argsort(p, kind="stable")]) >= 0).all()


def test_the_p_of_paired_differences_is_the_t_test_s():
    assert paired_t_p(np.array([1.0, 2.0, 4.0])) == pytest.approx(ttest_1samp([1.0, 2.0, 4.0], 0).pvalue)
    assert (paired_t_p(np.array([2.0, 2.0])), paired_t_p(np.array([0.0, 0.0]))) == (0, 1)
