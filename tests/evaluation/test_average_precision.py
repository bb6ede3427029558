"""Mean average precision against torchmetrics, at its ends, and without labels to rank."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchmetrics.functional.classification import multilabel_average_precision

from brew.evaluation.average_precision import average_precision_macro
from brew.evaluation.classification import linear_probe_multilabel, neighbours_multilabel

from .conftest import thirds


@given(st.integers(0, 2**16), st.integers(2, 30), st.integers(2, 5))
def test_it_equals_torchmetrics(seed: int, samples: int, labels: int) -> None:
    generator = np.random.default_rng(seed)
    present = generator.integers(0, 2, (samples, labels))
    present[0] = 1
    scores = generator.normal(0, 2, (samples, labels))
    scores = 1 / (1 + np.exp(-scores.round(1)))  # torchmetrics reads probabilities; rounding makes ties
    theirs = multilabel_average_precision(torch.from_numpy(scores), torch.from_numpy(present), labels)
    assert average_precision_macro(present, scores) == pytest.approx(float(theirs), abs=1e-6)


def test_its_ends_and_a_label_that_no_sample_has() -> None:
    present = np.array([[1, 0], [1, 0], [0, 0], [0, 0]])
    scores = np.array([[4.0, 1], [3, 2], [2, 3], [1, 4]])
    assert average_precision_macro(present, scores) == 1
    assert average_precision_macro(present, -scores) == pytest.approx((1 / 3 + 2 / 4) / 2)
    assert math.isnan(average_precision_macro(np.zeros((4, 2), int), scores))
    certain = np.where(present == 1, np.inf, -np.inf)
    assert average_precision_macro(present, certain) == 1


def test_the_linear_probe_ranks_by_its_log_odds() -> None:
    generator = np.random.default_rng(0)
    features = generator.normal(0, 1, (90, 6)).astype(np.float32)
    present = (features[:, :2] + 0.3 * generator.normal(0, 1, (90, 2)) > 0).astype(np.int64)
    linear = linear_probe_multilabel(features, present, thirds(90))
    assert linear.log_odds is not None and linear.log_odds.shape == (30, 2)
    assert ((linear.log_odds > 0) == linear.predicted).all()
    assert average_precision_macro(present[60:], linear.log_odds) > 0.9
    assert neighbours_multilabel(features, present, thirds(90)).log_odds is None
