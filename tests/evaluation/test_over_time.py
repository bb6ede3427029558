"""Dates pooled over time: what each pooling keeps, and a task that only the order of dates can solve."""

import numpy as np
import pytest
import torch

from brew.errors import BrewError
from brew.evaluation.dense_harness import freeze
from brew.evaluation.fit import FitSettings
from brew.evaluation.frozen_features import InMemory
from brew.evaluation.over_time import (
    FirstAndLast,
    TemporalAttention,
    YearTask,
    check_visible,
    evaluate,
    linear_probe,
)
from brew.evaluation.segmentation import SegmentationSettings
from tests.evaluation.conftest import halves, thirds

CLASSES = ("early", "late")


def years(count: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """Two dates: class 1 is bright on the second, class 0 on the first. Their mean and median are the same."""
    bright, labels = halves(count, 32)
    plain = bright.copy()
    plain[:, 6:8] = 3000 + 1500 - bright[:, 6:8]
    return np.stack([plain, bright], 1), labels


def task(over_time: str) -> YearTask:
    images, labels = years()
    return YearTask(InMemory(images), "sentinel2", labels, CLASSES, thirds(24), over_time=over_time, count=2)


@pytest.mark.parametrize("over_time", ["mean", "median"])
def test_maps_are_pooled_over_dates(over_time, backbone):
    chosen = task(over_time)
    images = chosen.read(np.arange(3))
    dates = torch.stack([backbone.pyramid(images[:, date], "sentinel2")[0] for date in range(2)])
    expected = dates.mean(0) if over_time == "mean" else dates.median(0).values
    torch.testing.assert_close(chosen.maps(backbone, images)[0], expected)


def test_attention_learns_which_date_tells_and_the_mean_cannot(backbone):
    settings = SegmentationSettings(width=8, keep=2, fit=FitSettings(epochs=6, batch=4, learning_rate=1e-2))
    found = {}
    for over_time in ("attention", "mean"):
        chosen = task(over_time)
        maps = freeze(backbone, chosen, orientations=1)
        found[over_time] = chosen.score(evaluate(maps, chosen, settings, seed=0).counts)
        found[f"{over_time}, linear"] = chosen.score(linear_probe(maps, chosen, cells=16))
    assert found["attention"] > found["mean"] + 0.2
    assert found["attention, linear"] > found["mean, linear"] + 0.2


def test_one_attentive_head_weighs_dates_by_their_place_in_time():
    layer = TemporalAttention(4, 3)
    with torch.no_grad():
        layer.keys.weight.zero_()
        layer.keys.bias.zero_()
        even = layer(torch.arange(12.0).view(1, 12, 1, 1))
        assert even.flatten().tolist() == pytest.approx([4, 5, 6, 7])
        layer.date[2] = 1000 * layer.query.flatten()
        last = layer(torch.arange(12.0).view(1, 12, 1, 1))
    assert last.flatten().tolist() == pytest.approx([8, 9, 10, 11])


def test_a_place_that_no_date_shows_is_refused():
    clouds = np.zeros((4, 3, 8, 8), np.uint8)
    clouds[2] = 1
    clouds[3, :2] = 1
    check_visible(clouds[[0, 1, 3]])
    with pytest.raises(BrewError, match=r"clouds cover samples \[2\] on all of their 3 dates"):
        check_visible(clouds)


def test_a_change_lies_between_the_first_date_and_the_last():
    values = np.arange(12).reshape(2, 6)
    assert FirstAndLast(InMemory(values)).read(np.array([1])).tolist() == [[6, 11]]
