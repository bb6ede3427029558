"""Every backbone of others keeps one contract."""

import pytest
import torch

from brew.downstream.backbones import STRIDES
from brew.downstream.zoo import BACKBONES, backbone
from brew.errors import BrewError
from brew.sensors import SENSORS

_RUN_HERE = ("band-statistics", "imagenet")


@pytest.mark.parametrize("name", _RUN_HERE)
def test_what_needs_nothing_runs(name):
    entry = BACKBONES[name]
    assert entry.needs() == ""
    assert entry.identity() == entry.identity() != ""
    images = torch.randint(0, 3000, (1, 10, 64, 64), dtype=torch.int32)
    found = entry.load()
    assert found.name == name
    maps = found.pyramid(images, "sentinel2")
    assert [tuple(level.shape[2:]) for level in maps] == [(64 // stride, 64 // stride) for stride in STRIDES]
    with pytest.raises(BrewError, match=SENSORS["sentinel2"].band_names[-1]):
        found.pooled(images[:, :9], "sentinel2")


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(BrewError, match="imagenet"):
        backbone("imagnet")
