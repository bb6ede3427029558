"""Regressions fitted together against scikit-learn's, one at a time and to a strict tolerance."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from brew.errors import BrewError
from brew.evaluation import logistic
from brew.evaluation.classification import STRENGTHS
from brew.evaluation.logistic import fit_path


def _problem(seed: int, samples: int = 80, width: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Correlated standardised features, and labels from noise alone to nearly separable ones."""
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(samples, width)) @ generator.normal(size=(width, width))
    features = (features - features.mean(0)) / features.std(0)
    scores = features @ generator.normal(size=(width, 4)) * [0, 0.2, 1, 20] + generator.logistic(size=(samples, 4))
    labels = (scores > np.quantile(scores, generator.uniform(0.2, 0.8, 4), axis=0).diagonal()).astype(np.int64)
    return features, labels


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), samples=st.integers(20, 120), width=st.integers(1, 40))
def test_the_optimum_is_that_of_scikit_learn(seed, samples, width):
    features, labels = _problem(seed, samples, width)
    models = fit_path(features, labels, STRENGTHS)
    for strength in (STRENGTHS[0], STRENGTHS[3], STRENGTHS[-1]):
        ours = expit(models[strength].log_odds(features))
        for probability, label in zip(ours.T, labels.T, strict=True):
            reference = LogisticRegression(C=strength, tol=1e-8, max_iter=20_000).fit(features, label)
            theirs = reference.predict_proba(features)[:, 1]
            np.testing.assert_allclose(probability, theirs, atol=1e-3)
            clear = np.abs(theirs - 0.5) > 1e-3
            assert ((probability > 0.5) == reference.predict(features))[clear].all()


def test_a_loose_tolerance_stops_elsewhere():
    """The agreement above is the tolerance's doing, not the data's."""
    features, labels = _problem(0)
    strict, loose = (fit_path(features, labels, (10.0,), tolerance=each)[10.0] for each in (1e-6, 0.3))
    assert np.abs(expit(strict.log_odds(features)) - expit(loose.log_odds(features))).max() > 1e-3


def test_strengths_and_labels_do_not_depend_on_their_company():
    features, labels = _problem(1)
    together = fit_path(features, labels, (1.0, 0.01, 10.0), tolerance=1e-6)
    assert sorted(together) == [0.01, 1.0, 10.0]
    for strength, model in together.items():
        for column in range(4):
            alone = fit_path(features, labels[:, [column]], (strength,), tolerance=1e-6)[strength]
            np.testing.assert_allclose(model.log_odds(features)[:, [column]], alone.log_odds(features), atol=2e-3)


@pytest.mark.parametrize("columns", ([0, 1], [0, 1, 2, 3]))
def test_a_label_that_never_varies_is_certain(columns):
    features, labels = _problem(2)
    labels[:, 0], labels[:, 1] = 0, 1
    odds = fit_path(features, labels[:, columns], (1.0,))[1.0].log_odds(features)
    assert (odds[:, 0] == -np.inf).all()
    assert (odds[:, 1] == np.inf).all()
    assert np.isfinite(odds[:, 2:]).all()


def test_constant_and_doubled_features_are_no_obstacle():
    features, labels = _problem(3)
    plain = fit_path(features, labels, (1.0,), tolerance=1e-6)[1.0]
    wider = np.concatenate([features / np.sqrt(2), features / np.sqrt(2), np.zeros((80, 3))], axis=1)
    doubled = fit_path(wider, labels, (1.0,), tolerance=1e-6)[1.0]
    np.testing.assert_allclose(doubled.log_odds(wider), plain.log_odds(features), atol=2e-3)
    assert (doubled.weights[-3:] == 0).all()


def test_a_fit_that_does_not_arrive_is_an_error(monkeypatch):
    features, labels = _problem(4)
    monkeypatch.setattr(logistic, "_NEWTON", 1)
    with pytest.raises(BrewError, match=r"strength 10: after 1 Newton steps .* expected at most 1\.0e-04"):
        fit_path(features, labels, (10.0,))
