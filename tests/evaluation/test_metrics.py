"""Metrics against torchmetrics and by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import f1_score
from torchmetrics.functional.classification import (
    binary_f1_score,
    multiclass_accuracy,
    multiclass_f1_score,
    multiclass_jaccard_index,
    multilabel_accuracy,
    multilabel_f1_score,
)

from brew.errors import BrewError
from brew.evaluation.metrics import (
    METRICS,
    accuracy,
    confusion,
    f1_binary,
    f1_macro,
    f1_micro,
    f1_multilabel_macro,
    f1_multilabel_micro,
    iou_macro,
    iou_macro_foreground,
    iou_micro,
    iou_micro_foreground,
    metric,
    precision,
    recall,
)

CLASSES = 4
labels = arrays(np.int64, (3, 20), elements=st.integers(0, CLASSES - 1))


@given(labels, labels, st.sampled_from([None, 0, 2, 255]))
def test_iou_and_accuracy_equal_torchmetrics_and_so_does_f1_without_an_ignored_class(target, predicted, ignore):
    counts = confusion(target, predicted, CLASSES, ignore).sum(0)
    if counts.sum() == 0:
        return
    one, other = torch.from_numpy(predicted), torch.from_numpy(target)
    for average, ours in (("macro", iou_macro), ("micro", iou_micro)):
        theirs = multiclass_jaccard_index(one, other, CLASSES, average=average, ignore_index=ignore)
        assert ours(counts, ignore) == pytest.approx(float(theirs), abs=1e-6)
    theirs = multiclass_accuracy(one, other, CLASSES, average="micro", ignore_index=ignore)
    assert accuracy(counts, ignore) == pytest.approx(float(theirs), abs=1e-6)
    if ignore not in (0, 2):
        theirs = multiclass_f1_score(one, other, CLASSES, average="macro", ignore_index=ignore)
        assert f1_macro(counts, ignore) == pytest.approx(float(theirs), abs=1e-6)
        theirs = multiclass_f1_score(one, other, CLASSES, average="micro", ignore_index=ignore)
        assert f1_micro(counts, ignore) == pytest.approx(float(theirs), abs=1e-6)


@given(labels, labels, st.permutations(range(3)), st.sampled_from(sorted(METRICS)), st.sampled_from([None, 0, 255]))
def test_no_metric_knows_the_order_of_samples_or_of_their_pixels(target, predicted, order, name, ignore):
    target, predicted, chosen = target % 2, predicted % 2, metric(name)
    if chosen.axes == 3:  # twenty labels of three samples
        each = confusion(target.reshape(-1, 1), predicted.reshape(-1, 1), 2).reshape(3, 20, 2, 2)
        assert chosen(each.sum(0)) == pytest.approx(chosen(each[order][:, ::-1].sum(0)), abs=1e-12)
        return
    left_out = ignore if chosen.ignores else None
    each = confusion(target, predicted, 2, left_out)
    turned = confusion(target[order, ::-1], predicted[order, ::-1], 2, left_out)
    assert (turned == each[order]).all()
    assert chosen(each.sum(0), left_out) == chosen(turned.sum(0), left_out)


@given(labels, labels, st.sampled_from([0, 2]))
def test_f1_with_an_ignored_class_equals_scikit_learn_over_the_remaining_labels(target, predicted, ignore):
    kept = target != ignore
    remaining = [
        value
        for value in range(CLASSES)
        if value != ignore and (target == value).any() | (predicted[kept] == value).any()
    ]
    if not remaining:
        return
    counts = confusion(target, predicted, CLASSES, ignore).sum(0)
    for average, ours in (("macro", f1_macro), ("micro", f1_micro)):
        theirs = f1_score(target[kept], predicted[kept], labels=remaining, average=average, zero_division=0)
        assert ours(counts, ignore) == pytest.approx(theirs, abs=1e-12)


def test_torchmetrics_f1_with_an_ignored_class_is_another_number():
    """It keeps the ignored class in the mean, with an F1 of 0, if a counted pixel is predicted as that class."""
    target, predicted = np.array([0, 1, 1, 1, 2, 2]), np.array([1, 1, 0, 1, 2, 1])
    counts = confusion(target[None], predicted[None], 3, 0)[0]
    theirs = multiclass_f1_score(torch.from_numpy(predicted), torch.from_numpy(target), 3, "macro", ignore_index=0)
    assert f1_macro(counts, 0) == pytest.approx(2 / 3)
    assert float(theirs) == pytest.approx(4 / 9)
    theirs = multiclass_f1_score(torch.from_numpy(predicted), torch.from_numpy(target), 3, "micro", ignore_index=0)
    assert (f1_micro(counts, 0), float(theirs)) == (pytest.approx(2 / 3), pytest.approx(3 / 5))


@given(labels, labels)
def test_foreground_scores_leave_class_0_out_of_the_mean_alone(target, predicted):
    counts = confusion(target, predicted, CLASSES).sum(0)
    one, other = torch.from_numpy(predicted), torch.from_numpy(target)
    each = multiclass_jaccard_index(one, other, CLASSES, average="none").numpy()[1:]
    occurs = (counts.sum(0) + counts.sum(1) > 0)[1:]
    expected = each[occurs].mean() if occurs.any() else 0
    assert iou_macro_foreground(counts) == pytest.approx(expected, abs=1e-6)
    hits = ((target == predicted) & (target > 0)).sum()
    union = sum(((target == value) | (predicted == value)).sum() for value in range(1, CLASSES))
    assert iou_micro_foreground(counts) == pytest.approx(hits / union if union else 0)


def test_an_ignored_class_can_be_counted_from_the_same_counts():
    target, predicted = np.array([[0, 0, 1, 2, 2]]), np.array([[0, 1, 1, 2, 0]])
    counts = confusion(target, predicted, 3)[0]
    assert metric("iou_macro_with_ignored")(counts) == pytest.approx((1 / 3 + 1 / 2 + 1 / 2) / 3)
    assert metric("iou_macro")(counts, 0) == pytest.approx((1 + 1 / 2) / 2)
    assert metric("iou_macro")(counts, 0) == iou_macro(confusion(target, predicted, 3, ignore=0)[0], 0)


def test_every_metric_says_what_it_is_in_its_own_words():
    definitions = [each.definition for each in METRICS.values()]
    assert all(definitions) and len(set(definitions)) == len(definitions)


def test_binary_scores_by_hand():
    counts = np.array([[90, 4], [2, 6]])
    assert precision(counts) == pytest.approx(6 / 10)
    assert recall(counts) == pytest.approx(6 / 8)
    assert f1_binary(counts) == pytest.approx(12 / 18)
    assert metric("iou")(counts) == pytest.approx(6 / 12)
    assert f1_binary(np.array([[5, 0], [0, 0]])) == 0
    assert float(binary_f1_score(torch.zeros(5), torch.zeros(5))) == 0


def test_multilabel_scores_equal_torchmetrics():
    generator = np.random.default_rng(0)
    target, predicted = (generator.integers(0, 2, (30, 5)) for _ in range(2))
    counts = confusion(target.reshape(-1, 1), predicted.reshape(-1, 1), 2).reshape(30, 5, 2, 2).sum(0)
    one, other = torch.from_numpy(predicted), torch.from_numpy(target)
    for average, ours in (("micro", f1_multilabel_micro), ("macro", f1_multilabel_macro)):
        assert ours(counts) == pytest.approx(float(multilabel_f1_score(one, other, 5, average=average)), abs=1e-6)
    theirs = multilabel_accuracy(one, other, 5, average="micro")
    assert metric("accuracy_multilabel")(counts) == pytest.approx(float(theirs), abs=1e-6)


def test_confusion_is_per_sample_with_rows_true_and_columns_predicted():
    counts = confusion(np.array([[0, 1], [2, 2]]), np.array([[1, 1], [2, 0]]), 3)
    assert counts[0].tolist() == [[0, 1, 0], [0, 1, 0], [0, 0, 0]]
    assert counts[1].tolist() == [[0, 0, 0], [0, 0, 0], [1, 0, 1]]


@pytest.mark.parametrize("name", sorted(METRICS))
def test_every_metric_keeps_leading_axes(name):
    chosen = metric(name)
    generator = np.random.default_rng(1)
    counts = generator.integers(1, 50, (6, *((3,) if chosen.axes == 3 else ()), 2, 2))
    assert np.allclose(chosen(counts), [chosen(part) for part in counts])
    assert chosen(counts).shape == (6,)


def test_a_class_that_occurs_nowhere_is_left_out_of_the_mean():
    counts = np.array([[3, 1, 0], [0, 4, 0], [0, 0, 0]])
    assert iou_macro(counts) == pytest.approx((3 / 4 + 4 / 5) / 2)


def test_ignored_class_still_counts_as_a_miss_of_others():
    counts = confusion(np.array([[0, 1, 1, 1]]), np.array([[0, 0, 1, 1]]), 2, ignore=0)[0]
    assert iou_micro(counts, ignore=0) == pytest.approx(2 / 3)
    assert iou_macro(counts, ignore=0) == pytest.approx(2 / 3)


@pytest.mark.parametrize("odd", [0.5, np.nan, np.inf, -np.inf, 2.0**31, -(2.0**31)])
def test_predictions_that_are_no_whole_numbers_are_refused(odd):
    with pytest.raises(BrewError, match=r"^predictions hold numbers that are not whole; expected classes: take the "):
        confusion(np.array([[0, 1]]), np.array([[1.0, odd]]), 2)


def test_whole_predictions_may_be_floats():
    target, predicted = np.array([[0, 1, 1], [1, 0, 0]]), np.array([[1, 1, 0], [1, 1, 0]])
    assert np.array_equal(confusion(target, predicted.astype(np.float32), 2), confusion(target, predicted, 2))


def test_labels_outside_the_classes_are_named():
    with pytest.raises(BrewError, match=r"labels hold the values \[7\]"):
        confusion(np.array([[7, 0]]), np.array([[0, 0]]), 3)
    with pytest.raises(BrewError, match="same"):
        confusion(np.array([[1, 0]]), np.array([[0]]), 3)
    assert confusion(np.array([[255, 0]]), np.array([[0, 0]]), 3, ignore=255).sum() == 1


def test_unknown_metric_names_the_nearest():
    with pytest.raises(BrewError, match=r"^metric 'iou_makro' is unknown; did you mean 'iou_macro'"):
        metric("iou_makro")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("iou_macro_foreground", 2 / 4),
        ("iou_micro_foreground", 2 / 4),
        ("f1_macro", (2 * 3 / (7 + 3) + 2 * 2 / (3 + 3)) / 2),
        ("f1_micro", 2 * 5 / (7 + 3 + 3 + 3)),
    ],
)
def test_an_ignored_class_has_no_term(name, expected):
    # Class 2 is ignored: of its row nothing counts, and its column only as misses of the others.
    counts = np.array([[3, 1, 0], [0, 2, 1], [4, 5, 6]]) if "foreground" in name else None
    if counts is None:
        counts = np.array([[3, 1, 3], [0, 2, 1], [4, 5, 6]])
    assert metric(name)(counts, ignore=2) == pytest.approx(expected)
    assert metric(name)(counts) != pytest.approx(expected)


def test_a_metric_without_an_ignored_class_says_so():
    assert metric("precision")(np.eye(2)) == 1
    with pytest.raises(BrewError, match=r"^metric 'precision' has no ignored class, but class 1 is to be ignored$"):
        metric("precision")(np.eye(2), ignore=1)


def test_values_outside_the_classes_are_named_with_what_is_expected():
    end = "declare the value as ignored, or correct the number of classes$"
    with pytest.raises(BrewError, match=rf"^labels hold the values \[3\]; expected 0 to 2 for 3 classes: {end}"):
        confusion(np.array([[3, 0]]), np.array([[0, 0]]), 3)
    with pytest.raises(BrewError, match=r"^predictions hold the values \[4\]; expected 0 to 2"):
        confusion(np.array([[2, 0]]), np.array([[4, 0]]), 3)
    with pytest.raises(BrewError, match=r"the values \[3, 4, 5, 6, 7, 8, 9, 10\];"):
        confusion(np.arange(20)[None], np.zeros((1, 20), dtype=int), 3)


def test_accuracy_leaves_an_ignored_class_out():
    counts = np.array([[3, 1, 3], [0, 2, 1], [4, 5, 6]])
    assert metric("accuracy")(counts, ignore=2) == pytest.approx(5 / 10)
    assert metric("accuracy")(counts) == pytest.approx(11 / 25)
    assert metric("accuracy")(counts, ignore=3) == pytest.approx(11 / 25), "a label outside the classes has no row"
