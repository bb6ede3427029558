"""Scene classification on frozen pooled features: nearest neighbours and a linear probe.

Features are standardised with the training set's mean and deviation. Both classifiers choose their one number on the
validation set, train on the training set alone, and are tested once. Counts per test sample are one-hot confusions, so
that scores and intervals come from the same functions as for dense tasks.
Left out: augmentation, and fine-tuning.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int64, Integer
from sklearn.linear_model import LogisticRegression

from brew.downstream.metrics import check_labels, confusion, f1_multilabel_micro, metric
from brew.downstream.splits import Split
from brew.errors import BrewError

#: Inverse strengths of the L2 penalty that validation chooses among.
STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
NEIGHBOURS = (1, 5, 10, 20)
#: Weight of a neighbour is exp(cosine / .07), as in DINO's evaluation (Caron et al. 2021; Wu et al. 2018).
_TEMPERATURE = 0.07

Features = Float[np.ndarray, "_sample width"]


@dataclass(frozen=True)
class ClassificationResult:
    """counts: (test, classes, classes), or (test, label, 2, 2) for many labels. chosen: neighbours or penalty strength.

    samples: the test samples' indices; predicted: their classes, or a 0/1 row per sample.
    """

    samples: Int64[np.ndarray, " test"]
    counts: Integer[np.ndarray, "test *classes"]
    predicted: Integer[np.ndarray, "test *label"]
    chosen: float
    validation: float


def _standardised(features: Features, split: Split) -> tuple[Features, Features, Features]:
    if not np.isfinite(features).all():
        raise BrewError("features hold NaN or infinity; expected finite values: look at the backbone's inputs")
    training = features[split.train].astype(np.float64)
    mean, std = training.mean(0), training.std(0)
    scale = np.divide(1.0, std, out=np.zeros_like(std), where=std > 1e-12 * max(std.max(), 1e-300))
    train, validation, test = (
        (features[part].astype(np.float64) - mean) * scale for part in (split.train, split.validation, split.test)
    )
    return train, validation, test


def _check(features: Features, labels: Integer[np.ndarray, "..."], split: Split, classes: int) -> None:
    last = max(part.max() for part in (split.train, split.validation, split.test))
    if len(features) != len(labels) or last >= len(labels):
        raise BrewError(
            f"{len(features)} features, {len(labels)} labels, samples up to {last} in the split; expected one each"
        )
    check_labels(labels, classes, "labels")


def neighbours(
    features: Features,
    labels: Int64[np.ndarray, " _sample"],
    classes: int,
    split: Split,
    *,
    grid: tuple[int, ...] = NEIGHBOURS,
    score: str = "accuracy",
) -> ClassificationResult:
    """k nearest training samples by cosine, votes weighted by similarity; k chosen on validation by `score`."""
    _check(features, labels, split, classes)
    train, validation, test = (_unit(part) for part in _standardised(features, split))
    votes_of = np.eye(classes)[labels[split.train]]

    def vote(queries: Features, count: int) -> Int64[np.ndarray, " query"]:
        similarity = queries @ train.T
        nearest = np.argsort(-similarity, axis=1, kind="stable")[:, :count]
        weight = np.exp((np.take_along_axis(similarity, nearest, 1) - 1) / _TEMPERATURE)
        return (weight[..., None] * votes_of[nearest]).sum(1).argmax(1)

    def validated(count: int) -> float:
        counts = confusion(labels[split.validation], vote(validation, count), classes)
        return float(metric(score)(counts.sum(0)))

    chosen, best = _choose(grid, validated)
    predicted = vote(test, int(chosen))
    return ClassificationResult(split.test, confusion(labels[split.test], predicted, classes), predicted, chosen, best)


def _unit(features: Features) -> Features:
    return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)


def _choose(grid: Sequence[int | float], validated: Callable[[Any], float]) -> tuple[float, float]:
    """The first grid value of highest validation score, and that score."""
    scores = [validated(value) for value in grid]
    best = int(np.argmax(scores))
    return float(grid[best]), scores[best]


def linear_probe(
    features: Features,
    labels: Int64[np.ndarray, " _sample"],
    classes: int,
    split: Split,
    *,
    strengths: tuple[float, ...] = STRENGTHS,
    score: str = "accuracy",
) -> ClassificationResult:
    """Multinomial logistic regression (L-BFGS); the penalty's strength is chosen on validation by `score`."""
    _check(features, labels, split, classes)
    train, validation, test = _standardised(features, split)
    if len(np.unique(labels[split.train])) < 2:
        raise BrewError("training labels of one class; a linear probe needs at least two: enlarge the training split")
    models = {strength: _regression(strength).fit(train, labels[split.train]) for strength in strengths}

    def validated(strength: float) -> float:
        counts = confusion(labels[split.validation], models[strength].predict(validation), classes)
        return float(metric(score)(counts.sum(0)))

    chosen, best = _choose(strengths, validated)
    predicted = models[chosen].predict(test).astype(np.int64)
    return ClassificationResult(split.test, confusion(labels[split.test], predicted, classes), predicted, chosen, best)


def _regression(strength: float) -> LogisticRegression:
    return LogisticRegression(C=strength, solver="lbfgs", max_iter=1000)


def linear_probe_multilabel(
    features: Features,
    labels: Integer[np.ndarray, "..."],
    split: Split,
    *,
    strengths: tuple[float, ...] = STRENGTHS,
) -> ClassificationResult:
    """One logistic regression per label (present above probability one half); one strength for all, by micro F1.

    A label that every or no training sample has is predicted as in training.
    """
    if labels.ndim != 2:
        raise BrewError(f"labels of shape {labels.shape}; expected (sample, label) with 0 or 1")
    _check(features, labels, split, 2)
    train, validation, test = _standardised(features, split)
    models = {strength: [_one(strength, train, column) for column in labels[split.train].T] for strength in strengths}

    def predict(strength: float, queries: Features) -> Integer[np.ndarray, "query label"]:
        return np.stack([model(queries) for model in models[strength]], axis=1).astype(np.int64)

    def counted(truth: np.ndarray, predicted: np.ndarray) -> Integer[np.ndarray, "query label 2 2"]:
        return confusion(truth.reshape(-1, 1), predicted.reshape(-1, 1), 2).reshape(*truth.shape, 2, 2)

    def validated(strength: float) -> float:
        return float(f1_multilabel_micro(counted(labels[split.validation], predict(strength, validation)).sum(0)))

    chosen, best = _choose(strengths, validated)
    predicted = predict(chosen, test)
    return ClassificationResult(split.test, counted(labels[split.test], predicted), predicted, chosen, best)


def _one(strength: float, features: Features, present: np.ndarray) -> Callable[[Features], np.ndarray]:
    """A function features -> 0/1 for one label."""
    values = np.unique(present)
    if len(values) == 1:
        return lambda queries: np.full(len(queries), values[0])
    return _regression(strength).fit(features, present).predict
