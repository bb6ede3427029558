"""Nearest neighbours and linear probes on features whose answer is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brew.downstream.classification import linear_probe, linear_probe_multilabel, neighbours
from brew.downstream.metrics import accuracy, f1_multilabel_micro
from brew.errors import BrewError

from .conftest import thirds

PROBES = {"neighbours": neighbours, "linear": linear_probe}


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


def test_many_labels():
    generator = np.random.default_rng(0)
    features = generator.normal(0, 1, (90, 6)).astype(np.float32)
    labels = (features[:, :4] > 0).astype(int)
    labels[:, 3] = 0
    result = linear_probe_multilabel(features, labels, thirds(90))
    assert result.counts.shape == (30, 4, 2, 2)
    assert f1_multilabel_micro(result.counts.sum(0)) > 0.85
    assert (result.predicted[:, 3] == 0).all()
    assert result.counts.sum(0)[0, 1].sum() == labels[60:, 0].sum()


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
