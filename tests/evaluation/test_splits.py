"""Splits that are refused before any training."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brew.errors import BrewError
from brew.evaluation.splits import LABEL_FRACTIONS, Split, low_data, named_part, split_by_name


def _split(train: int = 100) -> Split:
    return Split(np.arange(train), np.arange(train, train + 10), np.arange(train + 10, train + 20))


def test_names_become_indices():
    split = split_by_name(np.array(["train", "test", "validation", "train"]))
    assert split.train.tolist() == [0, 3]
    assert (split.validation.tolist(), split.test.tolist()) == ([2], [1])


@pytest.mark.parametrize("missing", ["train", "validation", "test"])
def test_an_empty_split_is_named(missing):
    names = [name for name in ("train", "validation", "test") if name != missing]
    with pytest.raises(BrewError, match=f"the {missing} split is empty"):
        split_by_name(np.array(names))


def test_overlap_is_named():
    with pytest.raises(BrewError, match=r"sample.*3.*both the train and the test"):
        Split(np.array([1, 3]), np.array([2]), np.array([3]))


def test_a_scene_in_two_splits_is_named():
    names = np.array(["train", "validation", "test", "test"])
    with pytest.raises(BrewError, match="'paris' is in the splits"):
        split_by_name(names, np.array(["paris", "rome", "pisa", "paris"]))
    split_by_name(names, np.array(["paris", "rome", "pisa", "pisa"]))


def test_unknown_split_name():
    with pytest.raises(BrewError, match="val"):
        split_by_name(np.array(["train", "val", "test"]))


@given(st.integers(2, 200), st.integers(1, 9), st.integers(0, 99), st.data())
def test_low_data_splits_are_nested_and_keep_every_class(train, classes, seed, data):
    split = _split(train)
    labels = np.array(data.draw(st.lists(st.integers(0, classes - 1), min_size=train + 20, max_size=train + 20)))
    for known in (None, labels):
        parts = [low_data(split, share, "scenes", seed, known) for share in LABEL_FRACTIONS]
        for part, smaller, share in zip(parts, [*parts[1:], parts[-1]], LABEL_FRACTIONS, strict=True):
            assert set(smaller.train) <= set(part.train) <= set(split.train)
            assert (part.test == split.test).all() and (part.validation == split.validation).all()
            if known is None:
                assert len(part.train) == max(1, round(share * train))
                continue
            for value, count in zip(*np.unique(labels[split.train], return_counts=True), strict=True):
                assert (labels[part.train] == value).sum() == max(1, round(share * count))


def test_low_data_splits_differ_between_seeds_and_benchmarks():
    drawn = {tuple(low_data(_split(), 0.1, name, seed).train) for name in ("roofs", "crops") for seed in (0, 1)}
    assert len(drawn) == 4
    assert tuple(low_data(_split(), 0.1, "roofs", 0).train) in drawn
    with pytest.raises(BrewError, match="share of 0"):
        low_data(_split(), 0.0, "roofs", 1)


def test_a_part_that_the_data_set_names():
    member = np.isin(np.arange(120), [3, 7, 105])
    assert named_part(_split(), member).train.tolist() == [3, 7]
    with pytest.raises(BrewError, match="train split is empty"):
        named_part(_split(), np.zeros(120))
