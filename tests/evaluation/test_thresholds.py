"""Thresholds against exhaustion, and where nothing can be chosen."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brew.errors import BrewError
from brew.evaluation.metrics import f1_binary
from brew.evaluation.thresholds import Threshold, best_threshold, otsu


def test_otsu_separates_two_modes_and_is_best_by_exhaustion():
    generator = np.random.default_rng(0)
    values = np.concatenate([generator.normal(1, 0.1, 900), generator.normal(3, 0.2, 100)])
    cut = otsu(values)
    assert 1.25 < cut < 2.4

    def within(threshold: float) -> float:
        low, high = values[values <= threshold], values[values > threshold]
        return len(low) * low.var() + len(high) * high.var()

    candidates = np.linspace(values.min(), values.max(), 400)[1:-1]
    assert within(cut) <= min(within(one) for one in candidates) * 1.01
    with pytest.raises(BrewError, match="differ"):
        otsu(np.ones(5))


def test_otsu_known_case():
    # A common textbook example: six grey levels of 8 7 2 6 9 4 pixels, best cut after level 2.
    values = np.repeat(np.arange(6), [8, 7, 2, 6, 9, 4]).astype(float)
    low, high = values[values <= otsu(values, bins=6)], values[values > otsu(values, bins=6)]
    assert (len(low), len(high)) == (17, 19)


@given(st.integers(0, 2**16))
def test_best_threshold_equals_exhaustion(seed):
    generator = np.random.default_rng(seed)
    probabilities, labels = generator.random(60).astype(np.float32), generator.integers(0, 2, 60)
    found = best_threshold(probabilities, labels)

    thresholds = np.array([found.threshold, *np.arange(1001) / 1000])
    predicted = probabilities.astype(np.float64) >= thresholds[:, None]
    counts = np.array([[((labels == t) & (predicted == p)).sum(1) for p in (0, 1)] for t in (0, 1)]).transpose(2, 0, 1)
    scores = f1_binary(counts)
    assert found.f1 == pytest.approx(scores[0])
    assert found.f1 == pytest.approx(scores.max())


@pytest.mark.parametrize(("label", "f1"), [(0, 0.0), (1, 4 / 5)])
def test_pixels_of_one_class_choose_no_threshold(label, f1):
    probabilities = np.array([0.1, 0.6, 0.7], dtype=np.float32)
    assert best_threshold(probabilities, np.full(3, label)) == Threshold(0.5, f1, undecided=True)


def test_equal_scores_choose_no_threshold():
    always = best_threshold(np.ones(2, dtype=np.float32), np.array([0, 1]))
    assert always == Threshold(0.5, 2 / 3, undecided=True)
    assert not best_threshold(np.array([0.2, 0.7], dtype=np.float32), np.array([0, 1])).undecided
