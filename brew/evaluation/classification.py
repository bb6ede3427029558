"""Scene classification on frozen pooled features: nearest neighbours and a linear probe (logistic regression).

Features are standardised with the training set's mean and deviation. Both classifiers choose their one number on the
validation set, train on the training set alone, and are tested once. Counts per test sample are one-hot confusions, so
that scores and intervals come from the same functions as for dense tasks.
Left out: augmentation, fine-tuning, and the faster probe that follows a training (`brew.evaluation.ridge_probe`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float, Int64, Integer
from sklearn.linear_model import LogisticRegression

from brew.errors import BrewError
from brew.evaluation.logistic import fit_path
from brew.evaluation.metrics import all_alike, check_labels, confusion, f1_multilabel_micro, metric
from brew.evaluation.splits import Split

#: Inverse strengths of the L2 penalty that validation chooses among.
STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
NEIGHBOURS = (1, 5, 10, 20)
#: Weight of a neighbour is exp(cosine / .07), as in DINO's evaluation (Caron et al. 2021; Wu et al. 2018).
_TEMPERATURE = 0.07
#: Queries compared with all training samples at a time: 40 MB of similarities for 20,000 of them.
_BLOCK = 256

Features = Float[np.ndarray, "_sample width"]


@dataclass(frozen=True)
class ClassificationResult:
    """counts: (test, classes, classes), or (test, label, 2, 2) for many labels. chosen: neighbours or penalty strength.

    samples: the test samples' indices; predicted: their classes, or a 0/1 row per sample. log_odds: of each
    label of the test samples, if the probe has them. undecided: validation scored all of the grid alike.
    """

    samples: Int64[np.ndarray, " test"]
    counts: Integer[np.ndarray, "test *classes"]
    predicted: Integer[np.ndarray, "test *label"]
    chosen: float
    validation: float
    log_odds: Float[np.ndarray, "test label"] | None = None
    undecided: bool = False


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


def _check_multilabel(features: Features, labels: Integer[np.ndarray, "..."], split: Split) -> None:
    if labels.ndim != 2:
        raise BrewError(f"labels of shape {labels.shape}; expected (sample, label) with 0 or 1")
    _check(features, labels, split, 2)


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
    votes = np.eye(classes)[labels[split.train]]
    validation, test = _nearest(features, split, max(grid))

    def predict(nearest: _Nearest, count: int) -> Int64[np.ndarray, " query"]:
        return nearest.votes(votes, count).argmax(1)

    def counted(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
        return confusion(truth, predicted, classes)

    return _chosen(grid, labels, split, partial(predict, validation), partial(predict, test), counted, metric(score))


def neighbours_multilabel(
    features: Features,
    labels: Integer[np.ndarray, "..."],
    split: Split,
    *,
    grid: tuple[int, ...] = NEIGHBOURS,
) -> ClassificationResult:
    """As `neighbours`; a label is present with over half of the votes' weight. One k for all labels, by micro F1."""
    _check_multilabel(features, labels, split)
    for_and_against = 2.0 * labels[split.train] - 1
    validation, test = _nearest(features, split, max(grid))

    def predict(nearest: _Nearest, count: int) -> Int64[np.ndarray, "query label"]:
        return (nearest.votes(for_and_against, count) > 0).astype(np.int64)

    choices = partial(predict, validation), partial(predict, test)
    return _chosen(grid, labels, split, *choices, counted_per_label, f1_multilabel_micro)


@dataclass(frozen=True)
class _Nearest:
    """Each query's nearest training samples, nearest first, and the weights of their votes."""

    samples: Int64[np.ndarray, "query neighbour"]
    weights: Float[np.ndarray, "query neighbour"]

    def votes(self, votes: Float[np.ndarray, "train class"], count: int) -> Float[np.ndarray, "query class"]:
        """Weighted sum of the first `count` neighbours' votes."""
        return (self.weights[:, :count, None] * votes[self.samples[:, :count]]).sum(1)


def _nearest(features: Features, split: Split, count: int) -> tuple[_Nearest, _Nearest]:
    """The `count` nearest training samples of every validation and every test sample."""
    train, validation, test = (_unit(part) for part in _standardised(features, split))

    def nearest(queries: Features) -> _Nearest:
        samples, similarities = [], []
        for start in range(0, len(queries), _BLOCK):
            similarity = queries[start : start + _BLOCK] @ train.T
            samples.append(largest(similarity, count))
            similarities.append(np.take_along_axis(similarity, samples[-1], 1))
        return _Nearest(np.concatenate(samples), np.exp((np.concatenate(similarities) - 1) / _TEMPERATURE))

    return nearest(validation), nearest(test)


def _unit(features: Features) -> Features:
    return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)


def largest(values: Float[np.ndarray, "row column"], count: int) -> Int64[np.ndarray, "row largest"]:
    """Columns of each row's `count` largest values (all, if there are fewer), falling; equal ones by column.

    The head of a stable sort, without sorting the rest.
    """
    count = min(count, values.shape[1])
    least = np.partition(values, -count, axis=1)[:, -count]
    heads = []
    for row, bound in zip(values, least, strict=True):
        candidates = np.flatnonzero(row >= bound)  # more than `count` if values equal the bound
        heads.append(candidates[np.argsort(-row[candidates], kind="stable")[:count]])
    return np.stack(heads)


def _chosen(
    grid: Sequence[int | float],
    labels: Integer[np.ndarray, "sample ..."],
    split: Split,
    validated: Callable[[Any], np.ndarray],
    tested: Callable[[Any], np.ndarray],
    counted: Callable[[np.ndarray, np.ndarray], np.ndarray],
    score: Callable[[np.ndarray], np.ndarray],
) -> ClassificationResult:
    """Test the first grid value of highest validation score. validated, tested: a grid value's predictions.

    If all values score the same, the first is kept: the fewest neighbours, or the strongest penalty.
    """
    truth = labels[split.validation]
    scores = [float(score(counted(truth, validated(value)).sum(0))) for value in grid]
    best = int(np.argmax(scores))
    predicted = tested(grid[best])
    counts = counted(labels[split.test], predicted)
    return ClassificationResult(
        split.test, counts, predicted, float(grid[best]), scores[best], undecided=all_alike(scores)
    )


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
    models = {
        strength: LogisticRegression(C=strength, solver="lbfgs", max_iter=1000).fit(train, labels[split.train])
        for strength in strengths
    }

    def predict(queries: Features, strength: float) -> Int64[np.ndarray, " query"]:
        return models[strength].predict(queries).astype(np.int64)

    def counted(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
        return confusion(truth, predicted, classes)

    choices = partial(predict, validation), partial(predict, test)
    return _chosen(strengths, labels, split, *choices, counted, metric(score))


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
    _check_multilabel(features, labels, split)
    train, validation, test = _standardised(features, split)
    models = fit_path(train, labels[split.train], strengths)

    def predict(queries: Features, strength: float) -> Int64[np.ndarray, "query label"]:
        return (models[strength].log_odds(queries) > 0).astype(np.int64)

    choices = partial(predict, validation), partial(predict, test)
    result = _chosen(strengths, labels, split, *choices, counted_per_label, f1_multilabel_micro)
    return replace(result, log_odds=models[result.chosen].log_odds(test))


def counted_per_label(
    truth: Integer[np.ndarray, "query label"], predicted: Integer[np.ndarray, "query label"]
) -> Integer[np.ndarray, "query label 2 2"]:
    return confusion(truth.reshape(-1, 1), predicted.reshape(-1, 1), 2).reshape(*truth.shape, 2, 2)
