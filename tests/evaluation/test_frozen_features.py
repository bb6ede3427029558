"""Orientations form groups, and cached maps are those of the turned images."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from brew.errors import BrewError
from brew.evaluation.backbones import BandStatistics
from brew.evaluation.frozen_features import (
    AtTime,
    InMemory,
    extract_maps,
    extract_pooled,
    orient,
    orient_each,
    read_images,
)

from .conftest import AveragedBands, halves


def test_the_first_1_2_4_and_8_orientations_are_groups():
    image = torch.arange(16.0).view(4, 4)
    turned = [orient(image, orientation) for orientation in range(8)]
    for size in (1, 2, 4, 8):
        group = {tuple(one.flatten().tolist()) for one in turned[:size]}
        products = {tuple(orient(one, other).flatten().tolist()) for one in turned[:size] for other in range(size)}
        assert products == group
        assert len(group) == size
    assert torch.equal(turned[0], image)
    assert torch.equal(turned[1], image.flip(1))


@given(st.lists(st.integers(0, 7), min_size=1, max_size=6))
def test_each_sample_turns_on_its_own(orientations):
    images = torch.rand(len(orientations), 2, 5, 5)
    turned = orient_each(images, torch.tensor(orientations))
    for image, one, orientation in zip(images, turned, orientations, strict=True):
        assert torch.equal(one, orient(image, orientation))


def test_cached_maps_are_those_of_the_turned_images_and_labels_turn_alike(backbone: AveragedBands):
    images, labels = halves(3)
    reader = InMemory(images)
    maps = extract_maps(
        lambda part: backbone.pyramid(part, "sentinel2"),
        lambda samples: read_images(reader, samples, "cpu"),
        np.array([2, 0]),
        orientations=8,
        batch=1,
    )
    assert [level.shape[-1] for level in maps.levels] == [10, 10, 10, 10]
    assert maps.levels[0].dtype == torch.float16
    rows, orientations = torch.tensor([1, 0, 1]), torch.tensor([5, 3, 0])
    found = maps.batch(rows, orientations, "cpu")
    wanted = torch.from_numpy(images.astype(np.float32))[maps.samples[rows]]
    wanted = backbone.pyramid(orient_each(wanted, orientations), "sentinel2")
    for one, other in zip(found, wanted, strict=True):
        assert one.shape == other.shape
        assert torch.allclose(one.float(), other, rtol=1e-3)
    bright = found[0][:, 6] - found[0][:, 0]
    turned = orient_each(torch.from_numpy(labels)[maps.samples[rows]], orientations)
    small = torch.nn.functional.avg_pool2d(turned[:, None].float(), 4)[:, 0]
    assert torch.corrcoef(torch.stack([bright.flatten().float(), small.flatten()]))[0, 1] > 0.95


def test_maps_on_disk_equal_maps_in_memory(backbone: AveragedBands, tmp_path):
    images = torch.rand(5, 10, 32, 32)
    kept = [
        extract_maps(
            lambda part: backbone.pyramid(part, "sentinel2"),
            lambda samples: images[samples],
            np.arange(5),
            folder=folder,
        )
        for folder in (None, tmp_path)
    ]
    for one, other in zip(kept[0].levels, kept[1].levels, strict=True):
        assert torch.equal(one, other)
    assert not list(tmp_path.iterdir())


def test_moments_are_of_the_maps_as_they_are(backbone: AveragedBands):
    images = 3 + 2 * torch.randn(40, 10, 32, 32)
    maps = extract_maps(
        lambda part: backbone.pyramid(part, "sentinel2", True), lambda samples: images[samples], np.arange(40)
    )
    means, deviations = maps.moments()
    expected = maps.levels[0][0].float().flatten(0, 2)
    assert torch.allclose(means[0], expected.mean(0), atol=1e-4)
    assert torch.allclose(deviations[0], expected.std(0, correction=0), atol=1e-4)


def test_maps_outside_half_precision_are_refused():
    images = torch.full((1, 1, 32, 32), 1e6)
    with pytest.raises(BrewError, match="bfloat16"):
        extract_maps(lambda part: [part], lambda samples: images[samples], np.arange(1))
    extract_maps(lambda part: [part], lambda samples: images[samples], np.arange(1), dtype=torch.bfloat16)


def test_orientations_are_checked():
    images = torch.zeros(1, 1, 32, 16)
    with pytest.raises(BrewError, match="square"):
        extract_maps(lambda part: [part], lambda samples: images[samples], np.arange(1), orientations=8)
    with pytest.raises(BrewError, match="1, 2, 4 or 8"):
        extract_maps(lambda part: [part], lambda samples: images[samples], np.arange(1), orientations=3)


def test_pooled_vectors_do_not_depend_on_the_batch():
    images, _ = halves(5, size=32)
    samples = np.array([4, 1, 3])
    one = extract_pooled(BandStatistics(), InMemory(images), samples, "sentinel2", batch=1)
    other = extract_pooled(BandStatistics(), InMemory(images), samples, "sentinel2")
    assert one.shape == (3, 70)
    assert np.allclose(one, other, atol=1e-6)


def test_one_date_of_two():
    pairs = np.arange(24).reshape(3, 2, 4)
    assert (AtTime(InMemory(pairs), 1).read(np.array([2])) == pairs[[2], 1]).all()


def test_nan_names_the_sample():
    images = np.zeros((3, 1, 2, 2), dtype=np.float32)
    images[1, 0, 0, 0] = np.nan
    with pytest.raises(BrewError, match=r"samples \[1\]"):
        read_images(InMemory(images), np.arange(3), "cpu")
