"""Splits that are refused before any training."""

import numpy as np
import pytest

from brew.downstream.splits import Split, low_data, split_by_name
from brew.errors import BrewError


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


def test_low_data_splits_are_nested_and_leave_tests_alone():
    small, large = low_data(_split(), 0.1, seed=1), low_data(_split(), 0.5, seed=1)
    assert (len(small.train), len(large.train)) == (10, 50)
    assert set(small.train) < set(large.train)
    assert (small.test == _split().test).all()
    assert set(small.train) != set(low_data(_split(), 0.1, seed=2).train)
    with pytest.raises(BrewError, match="fraction"):
        low_data(_split(), 0.0, seed=1)
