"""The ridge probe: what it finds, what it leaves out, and how cells and labels meet."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from brew.errors import BrewError
from brew.evaluation.metrics import accuracy, f1_multilabel_micro
from brew.evaluation.ridge_probe import cell_features, choose_cells, ridge_probe, ridge_probe_multilabel

RNG = np.random.default_rng(0)


def blobs(images: int, cells: int, noise: float, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Three classes, unequally common, each with a mean of its own."""
    generator = np.random.default_rng(seed)
    labels = generator.choice(3, (images, cells), p=(0.8, 0.15, 0.05))
    means = np.array([[0.0, 0, 0, 0], [3, 0, 0, 5], [0, 3, 0, 5]])
    return means[labels] + noise * generator.standard_normal((images, cells, 4)), labels


def test_what_lies_in_plain_sight_is_found_and_noise_is_not():
    fitted, labels = blobs(20, 30, 0.3)
    tested, truth = blobs(8, 30, 0.3, seed=2)
    counts = ridge_probe(fitted, labels, tested, truth, 3)
    assert counts.shape == (8, 3, 3) and counts.sum() == 240
    assert accuracy(counts.sum(0)) > 0.97
    noise = RNG.standard_normal(tested.shape)
    recall = np.diag(ridge_probe(RNG.standard_normal(fitted.shape), labels, noise, truth, 3).sum(0)) / np.bincount(
        truth.flat
    )
    assert recall.mean() < 0.55, "of noise each class is recalled as by chance, a third"


def test_scale_and_offset_of_a_feature_change_nothing():
    fitted, labels = blobs(20, 30, 1.0)
    tested, truth = blobs(8, 30, 1.0, seed=2)
    scale, offset = np.array([1e-3, 5.0, 1.0, 200.0]), np.array([7.0, 0.0, -3.0, 1e3])
    moved = ridge_probe(fitted * scale + offset, labels, tested * scale + offset, truth, 3)
    assert (moved == ridge_probe(fitted, labels, tested, truth, 3)).all()


def test_ignored_cells_neither_train_nor_count():
    fitted, labels = blobs(20, 30, 0.3)
    tested, truth = blobs(8, 30, 0.3, seed=2)
    marked, unknown = labels.copy(), truth.copy()
    marked[:, :5], unknown[:, :7] = 255, 255
    spoiled = fitted.copy()
    spoiled[:, :5] = 1e6
    counts = ridge_probe(spoiled, marked, tested, unknown, 3, ignore=255)
    assert counts.sum() == 8 * 23
    assert (counts == ridge_probe(fitted, marked, tested, unknown, 3, ignore=255)).all()


def test_one_class_is_refused():
    fitted, labels = blobs(4, 5, 0.3)
    with pytest.raises(BrewError, match="one class"):
        ridge_probe(fitted, np.zeros_like(labels), fitted, labels, 3)
    with pytest.raises(BrewError, match="NaN"):
        ridge_probe(fitted * np.nan, labels, fitted, labels, 3)


def test_labels_are_fitted_one_by_one_and_constant_ones_stay():
    features = RNG.standard_normal((60, 5))
    present = np.stack([features[:, 0] > 0, features[:, 1] > 1, np.ones(60, bool)], 1).astype(np.int64)
    counts = ridge_probe_multilabel(features[:40], present[:40], features[40:], present[40:])
    assert counts.shape == (20, 3, 2, 2) and (counts.sum((2, 3)) == 1).all()
    assert f1_multilabel_micro(counts.sum(0)) > 0.85
    assert counts[:, 2, 1, 1].all(), "a label that all training images have is there"


@settings(deadline=None, max_examples=30)
@given(rows=st.integers(1, 4), columns=st.integers(1, 4), down=st.sampled_from([1, 2, 4]), seed=st.integers(0, 2**32))
def test_a_cell_has_the_label_of_most_of_its_pixels(rows, columns, down, seed):
    truth = np.random.default_rng(seed).integers(0, 5, (3, rows, columns))
    labels = np.repeat(np.repeat(truth, down, 1), down, 2)
    if down > 1:
        labels[:, ::down, ::down] = 9  # one pixel of each cell says otherwise, a quarter at most
    count = rows * columns
    cells, found = choose_cells(labels, (rows, columns), count, None, seed=seed)
    assert (np.sort(cells, 1) == np.arange(count)).all(), "no cell twice"
    assert (found == np.take_along_axis(truth.reshape(3, -1), cells, 1)).all()


def test_labels_coarser_than_the_grid_are_those_of_the_cells_in_them():
    labels = np.arange(4).reshape(1, 2, 2)
    cells, found = choose_cells(labels, (8, 8), 64, None)
    assert (found == labels[0, cells // 8 // 4, cells % 8 // 4]).all()


def test_a_cell_is_ignored_where_most_of_it_is():
    labels = np.array([[[255, 255, 255, 1], [255, 1, 2, 2]]])
    cells, found = choose_cells(labels, (1, 2), 2, 255)
    assert dict(zip(cells[0].tolist(), found[0].tolist(), strict=True)) == {0: 255, 1: 2}


def test_grids_that_do_not_fit_are_refused():
    with pytest.raises(BrewError, match="one divides the other"):
        choose_cells(np.zeros((1, 6, 6), int), (4, 4), 2, None)
    with pytest.raises(BrewError, match="no more cells"):
        choose_cells(np.zeros((1, 4, 4), int), (2, 2), 5, None)


def test_a_cell_s_features_are_those_of_its_place_at_every_level():
    fine = torch.arange(16.0).view(1, 1, 4, 4)
    coarse = 100 + torch.arange(4.0).view(1, 1, 2, 2)
    one = torch.full((1, 2, 1, 1), 7.0)
    found = cell_features([fine, coarse, one], (4, 4), np.array([[0, 3, 10, 15]]))
    assert found.tolist() == [[[0, 100, 7, 7], [3, 101, 7, 7], [10, 103, 7, 7], [15, 103, 7, 7]]]
