"""Nearest neighbours and linear probes on features whose answer is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brew.errors import BrewError
from brew.evaluation import classification
from brew.evaluation.classification import (
    NEIGHBOURS,
    STRENGTHS,
    linear_probe,
    linear_probe_multilabel,
    neighbours,
    neighbours_multilabel,
)
from brew.evaluation.metrics import accuracy, f1_multilabel_micro

from .conftest import thirds

PROBES = {"neighbours": neighbours, "linear": linear_probe}
MULTILABEL = {"neighbours": neighbours_multilabel, "linear": linear_probe_multilabel}


def _clusters(count: int = 90, width: int = 12, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 3, count)
    centres = generator.normal(0, 1, (3, width))
    return (centres[labels] + 0.3 * generator.normal(0, 1, (count, width))).astype(np.float32), labels


@pytest.mark.parametrize("name", sorted(PROBES))
def test_clusters_are_recognised(name):
    features, labels = _clusters()
    result = PROBES[name](features, labels, 3, thirds(90))
    assert accuracy(result.counts.sum(0)) > 0.95
    assert result.counts.shape == (30, 3, 3)
    assert (result.counts.sum((1, 2)) == 1).all()
    assert (result.predicted == result.counts.sum(1).argmax(-1)).all()


@pytest.mark.parametrize("name", sorted(PROBES))
@settings(max_examples=10)
@given(seed=st.integers(0, 100))
def test_scale_and_offset_of_features_do_not_matter(name, seed):
    features, labels = _clusters(45, 4)
    generator = np.random.default_rng(seed)
    scale, offset = 10.0 ** generator.uniform(-2, 2, 4), generator.normal(0, 5, 4)
    one, other = (
        PROBES[name](values, labels, 3, thirds(45)) for values in (features, (features * scale + offset).astype("f8"))
    )
    assert (one.predicted == other.predicted).mean() > 0.9


def test_test_labels_do_not_change_predictions():
    features, labels = _clusters()
    changed = labels.copy()
    changed[60:] = (labels[60:] + 1) % 3
    for probe in PROBES.values():
        one, other = (probe(features, truth, 3, thirds(90)) for truth in (labels, changed))
        assert (one.predicted == other.predicted).all()
        assert one.chosen == other.chosen


def test_nearest_neighbour_of_a_training_sample_is_itself():
    features, labels = _clusters()
    features[60:90] = features[:30]
    result = neighbours(features, labels, 3, thirds(90), grid=(1,))
    assert (result.predicted == labels[:30]).all()


@given(
    values=st.integers(1, 30).flatmap(
        lambda width: st.lists(st.lists(st.integers(0, 4), min_size=width, max_size=width), min_size=1, max_size=4)
    ),
    count=st.integers(1, 32),
)
def test_the_largest_are_the_head_of_a_stable_sort(values, count):
    rows = np.array(values, dtype=np.float64)
    expected = np.argsort(-rows, axis=1, kind="stable")[:, :count]
    np.testing.assert_array_equal(classification.largest(rows, count), expected)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), block=st.integers(1, 40), grid=st.sampled_from([(1, 5, 10, 20), (3,), (1, 100)]))
def test_neighbours_are_those_of_a_full_sort(seed, block, grid):
    """Every k alone, on one full matrix of similarities."""
    features, labels = _clusters(90, 5, seed)
    features += np.random.default_rng(seed).normal(0, 1.5, features.shape).astype("f4")
    train, validation, test = np.split((features - features[:30].mean(0)) / features[:30].std(0), 3)

    def plain(queries: np.ndarray, count: int) -> np.ndarray:
        similarity = _unit(queries.astype("f8")) @ _unit(train.astype("f8")).T
        nearest = np.argsort(-similarity, axis=1, kind="stable")[:, :count]
        weight = np.exp((np.take_along_axis(similarity, nearest, 1) - 1) / 0.07)
        return (weight[..., None] * np.eye(3)[labels[:30][nearest]]).sum(1).argmax(1)

    scores = [(plain(validation, count) == labels[30:60]).mean() for count in grid]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classification, "_BLOCK", block)
        result = neighbours(features, labels, 3, thirds(90), grid=grid)
    assert result.chosen == grid[int(np.argmax(scores))]
    assert result.validation == pytest.approx(max(scores))
    np.testing.assert_array_equal(result.predicted, plain(test, int(result.chosen)))


def _unit(values: np.ndarray) -> np.ndarray:
    return values / np.linalg.norm(values, axis=1, keepdims=True)


def test_neighbours_of_classes_as_labels_agree_with_neighbours_of_classes():
    """With one neighbour, and of two classes, the majority is the class."""
    features, labels = _clusters()
    one = neighbours(features, labels, 3, thirds(90), grid=(1,))
    many = neighbours_multilabel(features, np.eye(3, dtype=int)[labels], thirds(90), grid=(1,))
    assert (many.predicted == np.eye(3)[one.predicted]).all()
    two = labels % 2
    one = neighbours(features, two, 2, thirds(90), grid=(7,))
    many = neighbours_multilabel(features, two[:, None], thirds(90), grid=(7,))
    assert (many.predicted[:, 0] == one.predicted).all()


@pytest.mark.parametrize("name", sorted(MULTILABEL))
def test_many_labels(name):
    generator = np.random.default_rng(0)
    features = generator.normal(0, 1, (300, 4)).astype(np.float32)
    labels = (features > 0).astype(int)
    labels[:, 3] = 0
    result = MULTILABEL[name](features, labels, thirds(300))
    assert result.counts.shape == (100, 4, 2, 2)
    assert f1_multilabel_micro(result.counts.sum(0)) > 0.85
    assert (result.predicted[:, 3] == 0).all()
    assert (result.predicted == result.counts.sum(-2).argmax(-1)).all()
    assert result.counts.sum(0)[0, 1].sum() == labels[200:, 0].sum()


def test_bad_input_is_refused():
    features, labels = _clusters()
    split = thirds(90)
    for probe in PROBES.values():
        with pytest.raises(BrewError, match=r"\[2\]"):
            probe(features, labels, 2, split)
        with pytest.raises(BrewError, match="one each"):
            probe(features[:80], labels, 3, split)
        with pytest.raises(BrewError, match="NaN"):
            probe(np.full_like(features, np.nan), labels, 3, split)
    with pytest.raises(BrewError, match="at least two"):
        linear_probe(features, np.zeros(90, dtype=int), 3, split)
    with pytest.raises(BrewError, match="label"):
        linear_probe_multilabel(features, labels, split)
    with pytest.raises(BrewError, match="label"):
        neighbours_multilabel(features, labels, split)


@pytest.mark.parametrize("probe", PROBES.values(), ids=PROBES)
def test_a_validation_that_cannot_choose_keeps_the_first_of_the_grid_and_says_so(probe):
    labels = np.tile([0, 1], 45)
    far = np.random.default_rng(0).standard_normal((90, 4)) + 50.0 * labels[:, None]
    result = probe(far, labels, 2, thirds(90))
    assert (result.validation, result.undecided) == (1.0, True)
    assert result.chosen in (NEIGHBOURS[0], STRENGTHS[0])
