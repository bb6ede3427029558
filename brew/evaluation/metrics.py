"""Every score of the compendium, computed from confusion counts.

Counts are kept per test sample (image, tile or whole city) and summed before a metric is taken, so that one stored
array gives every metric, every subset and every bootstrap interval. Rows are the true class, columns the predicted one.
All metrics reduce the last two axes and keep the axes before them: a whole bootstrap is one call.

A class that occurs neither in the labels nor in the predictions is left out of a macro mean, and 0 / 0 is 0. An ignored
class drops its pixels and its own term. Other classes' pixels that are predicted as it still count as misses. An
ignored label outside the classes, such as 255, has no term to drop.

What agrees with what: intersection over union and accuracy equal torchmetrics' multiclass Jaccard index and its micro
accuracy, with an ignored class or without. The paper's evaluation code uses that index. Macro and micro F1 equal
scikit-learn's over the labels that remain. They equal torchmetrics' only if no class is ignored: torchmetrics keeps an
ignored class that is predicted in its macro mean, and counts those predictions as false positives in its micro score.
Left out: threshold-free scores (`brew.evaluation.average_precision`), which need more than counts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Integer, Real, Shaped
from numpy.typing import ArrayLike

from brew.errors import BrewError, unknown

#: Sums over resampled units are floating-point numbers.
Counts = Real[np.ndarray, "*samples classes classes"]
BinaryCounts = Real[np.ndarray, "*samples 2 2"]
MultilabelCounts = Real[np.ndarray, "*samples label 2 2"]
Values = Float[np.ndarray, "*samples"]


def confusion(
    target: Integer[np.ndarray, "sample ..."],
    predicted: Shaped[np.ndarray, "..."],
    classes: int,
    ignore: int | None = None,
) -> Integer[np.ndarray, "sample classes classes"]:
    """Confusion counts of each sample; places whose label is `ignore` are not counted.

    Raises BrewError if a label or prediction lies outside 0 .. classes - 1 (an ignored label may).
    """
    target, predicted = np.asarray(target), np.asarray(predicted)
    if predicted.dtype.kind == "f" and not ((np.abs(predicted) < 2**31) & (predicted == np.rint(predicted))).all():
        raise BrewError("predictions hold numbers that are not whole; expected classes: take the likeliest class first")
    target, predicted = target.astype(np.int64), predicted.astype(np.int64)
    if target.shape != predicted.shape:
        raise BrewError(f"predictions of shape {predicted.shape} for labels of shape {target.shape}; expected the same")
    samples = len(target)
    target, predicted = target.reshape(samples, -1), predicted.reshape(samples, -1)
    counted = np.ones_like(target, dtype=bool) if ignore is None else target != ignore
    check_labels(target[counted], classes, "labels")
    check_labels(predicted[counted], classes, "predictions")
    sample = np.broadcast_to(np.arange(samples)[:, None], target.shape)
    flat = (sample * classes + target) * classes + predicted
    return np.bincount(flat[counted], minlength=samples * classes**2).reshape(samples, classes, classes)


def check_labels(labels: Integer[np.ndarray, "*any"], classes: int, what: str) -> None:
    """BrewError naming the values of `labels` outside 0 .. classes - 1."""
    outside = np.unique(labels[(labels < 0) | (labels >= classes)])
    if len(outside):
        raise BrewError(
            f"{what} hold the values {outside[:8].tolist()}; expected 0 to {classes - 1} for {classes} classes: "
            "declare the value as ignored, or correct the number of classes"
        )


def _without(counts: Counts, ignore: int | None) -> Float[np.ndarray, "*samples classes classes"]:
    counts = np.asarray(counts, dtype=np.float64)
    if _is_class(ignore, counts):
        counts = counts.copy()
        counts[..., ignore, :] = 0
    return counts


def _is_class(ignore: int | None, counts: np.ndarray) -> bool:
    return ignore is not None and 0 <= ignore < counts.shape[-1]


def _ratio(numerator: ArrayLike, denominator: ArrayLike) -> Float[np.ndarray, "..."]:
    denominator = np.asarray(denominator, dtype=np.float64)
    return np.divide(numerator, denominator, out=np.zeros_like(denominator), where=denominator > 0)


def _parts(counts: Counts, ignore: int | None) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Per class: hits, labelled, predicted, and whether the class takes part in a mean."""
    counts = _without(counts, ignore)
    hits, labelled, predicted = np.diagonal(counts, axis1=-2, axis2=-1), counts.sum(-1), counts.sum(-2)
    taking_part = np.asarray(labelled + predicted > 0)
    if _is_class(ignore, counts):
        taking_part[..., ignore] = False
    return hits, labelled, predicted, taking_part


def _mean(values: np.ndarray, taking_part: np.ndarray) -> Values:
    return _ratio((values * taking_part).sum(-1), taking_part.sum(-1).astype(np.float64))


def iou_macro(counts: Counts, ignore: int | None = None) -> Values:
    """Intersection over union, averaged over classes (the paper's mIoU)."""
    hits, labelled, predicted, taking_part = _parts(counts, ignore)
    return _mean(_ratio(hits, labelled + predicted - hits), taking_part)


def iou_micro(counts: Counts, ignore: int | None = None) -> Values:
    """Intersections summed over classes over unions summed over classes (the paper's Sen1Floods11 score)."""
    hits, labelled, predicted, taking_part = _parts(counts, ignore)
    return _ratio((hits * taking_part).sum(-1), ((labelled + predicted - hits) * taking_part).sum(-1))


def iou_macro_foreground(counts: Counts, ignore: int | None = None) -> Values:
    """`iou_macro` over all classes but class 0; its pixels still count against classes predicted there."""
    hits, labelled, predicted, taking_part = _parts(counts, ignore)
    return _mean(_ratio(hits, labelled + predicted - hits)[..., 1:], taking_part[..., 1:])


def iou_micro_foreground(counts: Counts, ignore: int | None = None) -> Values:
    """`iou_micro` over all classes but class 0."""
    hits, labelled, predicted, taking_part = _parts(counts, ignore)
    union = labelled + predicted - hits
    return _ratio((hits * taking_part)[..., 1:].sum(-1), (union * taking_part)[..., 1:].sum(-1))


def f1_macro(counts: Counts, ignore: int | None = None) -> Values:
    """F1 score, averaged over classes."""
    hits, labelled, predicted, taking_part = _parts(counts, ignore)
    return _mean(_ratio(2 * hits, labelled + predicted), taking_part)


def f1_micro(counts: Counts, ignore: int | None = None) -> Values:
    """F1 score of the classes' summed hits and misses; of one label each, without an ignored class, the accuracy."""
    hits, labelled, predicted, taking_part = _parts(counts, ignore)
    return _ratio((2 * hits * taking_part).sum(-1), ((labelled + predicted) * taking_part).sum(-1))


def accuracy(counts: Counts, ignore: int | None = None) -> Values:
    """Share of samples or pixels given their label (top-1; equals micro F1 of a single-label task)."""
    hits, labelled, _, _ = _parts(counts, ignore)
    return _ratio(hits.sum(-1), labelled.sum(-1))


def precision(counts: BinaryCounts) -> Values:
    """Share of what was predicted as class 1 that is class 1."""
    counts = np.asarray(counts, dtype=np.float64)
    return _ratio(counts[..., 1, 1], counts[..., :, 1].sum(-1))


def recall(counts: BinaryCounts) -> Values:
    """Share of class 1 that was predicted as class 1."""
    counts = np.asarray(counts, dtype=np.float64)
    return _ratio(counts[..., 1, 1], counts[..., 1, :].sum(-1))


def f1_binary(counts: BinaryCounts) -> Values:
    """F1 score of class 1; 0 if the class is neither labelled nor predicted."""
    counts = np.asarray(counts, dtype=np.float64)
    return _ratio(2 * counts[..., 1, 1], counts[..., 1, :].sum(-1) + counts[..., :, 1].sum(-1))


def iou_binary(counts: BinaryCounts) -> Values:
    """Intersection over union of class 1."""
    counts = np.asarray(counts, dtype=np.float64)
    union = counts[..., 1, :].sum(-1) + counts[..., :, 1].sum(-1) - counts[..., 1, 1]
    return _ratio(counts[..., 1, 1], union)


def f1_multilabel_micro(counts: MultilabelCounts) -> Values:
    """Micro F1 of a multi-label task: the binary F1 of the labels' summed counts."""
    return f1_binary(np.asarray(counts).sum(-3))


def f1_multilabel_macro(counts: MultilabelCounts) -> Values:
    """Macro F1 of a multi-label task: the labels' binary F1, averaged over all labels."""
    return np.asarray(f1_binary(counts).mean(-1))


def accuracy_multilabel(counts: MultilabelCounts) -> Values:
    """Share of the yes-or-no answers that are right, over all samples and labels."""
    counts = np.asarray(counts, dtype=np.float64)
    return _ratio(np.trace(counts, axis1=-2, axis2=-1).sum(-1), counts.sum((-3, -2, -1)))


@dataclass(frozen=True)
class Metric:
    """A named score. function: counts -> values; axes: how many trailing axes of the counts it reduces.

    definition: what it is, in one line. ignores: it leaves an ignored class out; other metrics count it as any class.
    """

    name: str
    function: Callable[[np.ndarray], np.ndarray]
    axes: int
    definition: str
    ignores: bool = False

    def __call__(self, counts: np.ndarray, ignore: int | None = None) -> np.ndarray:
        if ignore is None:
            return self.function(counts)
        if not self.ignores:
            raise BrewError(f"metric {self.name!r} has no ignored class, but class {ignore} is to be ignored")
        function: Callable[..., np.ndarray] = self.function
        return function(counts, ignore=ignore)


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("iou_macro", iou_macro, 2, "intersection over union, mean over classes", ignores=True),
        Metric("iou_micro", iou_micro, 2, "summed intersections over summed unions of all classes", ignores=True),
        Metric(
            "iou_macro_foreground", iou_macro_foreground, 2,
            "intersection over union, mean over classes without the background", ignores=True,
        ),
        Metric(
            "iou_micro_foreground", iou_micro_foreground, 2,
            "summed intersections over summed unions of all classes without the background", ignores=True,
        ),
        Metric("iou_macro_with_ignored", iou_macro, 2, "iou_macro with the ignored class as a class like all"),
        Metric("iou_micro_with_ignored", iou_micro, 2, "iou_micro with the ignored class as a class like all"),
        Metric("f1_macro", f1_macro, 2, "F1, mean over classes", ignores=True),
        Metric("f1_micro", f1_micro, 2, "F1 of hits and misses summed over classes", ignores=True),
        Metric("accuracy", accuracy, 2, "share of samples or pixels given their label", ignores=True),
        Metric("precision", precision, 2, "share of predicted class 1 that is class 1"),
        Metric("recall", recall, 2, "share of class 1 that is predicted"),
        Metric("f1", f1_binary, 2, "F1 of class 1"),
        Metric("iou", iou_binary, 2, "intersection over union of class 1"),
        Metric("f1_multilabel_micro", f1_multilabel_micro, 3, "F1 of hits and misses summed over labels"),
        Metric("f1_multilabel_macro", f1_multilabel_macro, 3, "F1, mean over labels"),
        Metric("accuracy_multilabel", accuracy_multilabel, 3, "share of right answers over samples and labels"),
    )
}  # fmt: skip


def metric(name: str) -> Metric:
    """The metric of that name; BrewError with the nearest known one where there is none."""
    if name not in METRICS:
        raise unknown("metric", name, METRICS)
    return METRICS[name]


def all_alike(scores: Sequence[float]) -> bool:
    """Whether there are several scores, all equal: nothing can then be chosen by them."""
    return len(scores) > 1 and all(score == scores[0] for score in scores)
