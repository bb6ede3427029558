"""CKA against its definition and its invariances; the cosine against a map that is known."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brew.errors import BrewError
from brew.evaluation.representation_similarity import debiased_cka, half_samples, mapped_cosine


def features(images: int, width: int, seed: int = 0, places: int | None = None) -> np.ndarray:
    shape = (images, width) if places is None else (images, places, width)
    return np.random.default_rng(seed).normal(size=shape)


def everything(images: int) -> np.ndarray:
    return np.ones((1, images), dtype=bool)


def hsic_of_quadruples(one: np.ndarray, other: np.ndarray) -> float:
    """Unbiased HSIC as it is defined: the mean over all ordered quadruples of different images."""
    a, b = one @ one.T, other @ other.T
    terms = [a[i, j] * (b[i, j] + b[k, m] - 2 * b[i, k]) for i, j, k, m in itertools.permutations(range(len(one)), 4)]
    return float(np.mean(terms))


@given(st.integers(0, 10_000))
def test_it_is_the_ratio_of_unbiased_estimates(seed):
    one, other = features(6, 3, seed), features(6, 5, seed + 1)
    other[:, :3] += 2 * one
    expected = hsic_of_quadruples(one, other) / np.sqrt(hsic_of_quadruples(one, one) * hsic_of_quadruples(other, other))
    assert debiased_cka(one, other, everything(6))[0] == pytest.approx(expected)


@given(st.integers(0, 10_000), st.floats(0.1, 10), st.floats(-5, 5))
def test_rotation_scale_and_shift_change_nothing(seed, scale, shift):
    one, other = features(30, 4, seed), features(30, 6, seed + 1)
    rotation, _ = np.linalg.qr(features(4, 4, seed + 2))
    moved = scale * one @ rotation + shift
    assert debiased_cka(one, moved, everything(30))[0] == pytest.approx(1)
    before, after = (debiased_cka(each, other, everything(30))[0] for each in (one, moved))
    assert after == pytest.approx(before, abs=1e-9)


def test_unrelated_features_are_near_zero_however_wide_they_are():
    found = [
        debiased_cka(features(40, 400, seed), features(40, 400, seed + 99), everything(40))[0] for seed in range(8)
    ]
    assert abs(np.mean(found)) < 0.05


def test_a_choice_of_images_is_that_of_the_images_alone():
    one, other = features(20, 4), features(20, 3, 1)
    other[:, 0] += one[:, 0]
    chosen = half_samples(20, 30)
    assert chosen.shape == (31, 20) and chosen[0].all() and (chosen[1:].sum(1) == 10).all()
    found = debiased_cka(one, other, chosen)
    expected = [debiased_cka(one[row], other[row], everything(int(row.sum())))[0] for row in chosen]
    assert found == pytest.approx(expected)


def test_too_few_images_are_refused():
    with pytest.raises(BrewError, match="3 images are chosen; expected at least 4"):
        debiased_cka(features(6, 2), features(6, 2), half_samples(6, 5))


def test_the_best_linear_map_is_found_where_there_is_one_and_only_there():
    fitted, tested = features(80, 6, 0, 4), features(20, 6, 1, 4)
    truth = features(6, 3, 2)
    found = mapped_cosine((fitted, fitted @ truth + 7), (tested, tested @ truth + 7))
    assert found.shape == (20,) and found.min() > 0.99
    unrelated = mapped_cosine((fitted, features(80, 3, 3, 4)), (tested, features(20, 3, 4, 4)))
    assert abs(unrelated.mean()) < 0.2
