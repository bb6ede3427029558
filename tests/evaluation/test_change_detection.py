"""Change between two dates, from tiles of scenes to counts per scene."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from brew.errors import BrewError
from brew.evaluation.change_detection import (
    ChangeSettings,
    ChangeTask,
    change_vectors,
    evaluate_decoder,
    evaluate_siamese,
)
from brew.evaluation.dense_harness import freeze
from brew.evaluation.fcsiam import FCSiamDiff
from brew.evaluation.fit import FitSettings
from brew.evaluation.frozen_features import InMemory
from brew.evaluation.metrics import f1_binary
from brew.evaluation.splits import Split

from .conftest import AveragedBands, halves, thirds

SETTINGS = ChangeSettings((1e-4, 1e-2), 8, FitSettings(epochs=5, batch=4, class_weights="balanced"))


def _scenes(count: int = 6) -> ChangeTask:
    """Scenes of 64 x 96 pixels in two tiles of 64 x 64; brightness of the whole image differs between dates."""
    images, labels = halves(count, 96)
    images, labels = images[:, :, :64], labels[:, :64]
    generator = np.random.default_rng(9)
    ground = generator.normal(1000, 500, (count, 10, 16, 24)).repeat(4, axis=2).repeat(4, axis=3)
    before = ground + generator.normal(1500, 50, images.shape)
    pairs = np.stack([before, 1.5 * (ground + images) + 300], 1).astype(np.float32)
    flat = pairs.reshape(count, 2, 10, -1)
    columns = np.tile([0, 32], count)
    scene = np.repeat(np.arange(count), 2)
    tiles = [np.s_[..., column : column + 64] for column in (0, 32)]
    return ChangeTask(
        InMemory(np.stack([pairs[s][tiles[i % 2]] for i, s in enumerate(scene)])),
        "sentinel2",
        np.stack([labels[s][tiles[i % 2]] for i, s in enumerate(scene)]),
        thirds(2 * count),
        np.array([f"city{s}" for s in scene]),
        np.zeros(2 * count, dtype=int),
        columns,
        np.full(2 * count, 64),
        np.full(2 * count, 96),
        flat.mean(-1)[scene],
        flat.std(-1)[scene],
    )


def test_change_is_found_and_counted_per_scene(backbone: AveragedBands):
    task = _scenes(9)
    maps = freeze(backbone, task, orientations=4)
    result, again = (evaluate_decoder(maps, task, SETTINGS, seed=0) for _ in range(2))
    assert result.scenes == ("city6", "city7", "city8")
    assert (result.counts.sum((1, 2)) == 64 * 96).all()
    assert f1_binary(result.counts.sum(0)) > 0.7
    assert result.learning_rate == 1e-2
    assert (result.counts == again.counts).all()
    assert result.probabilities["city7"].shape == (64, 96)
    predicted = result.probabilities["city7"] >= result.threshold
    assert predicted.sum() == result.counts[1][:, 1].sum()
    assert result.undecided == ()


def test_frozen_maps_are_symmetric_in_the_two_dates(backbone: AveragedBands):
    task = _scenes(3)
    turned = replace(
        task, images=InMemory(task.images.read(np.arange(6))[:, ::-1]), mean=task.mean[:, ::-1], std=task.std[:, ::-1]
    )
    for one, other in zip(
        freeze(backbone, task, orientations=1).test.levels,
        freeze(backbone, turned, orientations=1).test.levels,
        strict=True,
    ):
        assert torch.equal(one, other)


def test_standardisation_removes_gain_and_offset_of_a_date():
    task = _scenes(3)
    read = task.read(np.arange(6))
    gained = InMemory(task.images.read(np.arange(6)) * 2 + 100)
    other = replace(task, images=gained, mean=task.mean * 2 + 100, std=task.std * 2).read(np.arange(6))
    assert torch.allclose(read, other, atol=1e-3)


def test_siamese_network_learns_in_the_same_harness():
    images, labels = halves(12, size=32)
    before = np.random.default_rng(4).normal(1500, 150, images.shape)
    pairs = np.stack([before, images], 1).astype(np.float32)
    mean, std = np.full((12, 2, 10), 1500.0), np.full((12, 2, 10), 500.0)
    task = replace(ChangeTask.of_images(InMemory(pairs), "sentinel2", labels, thirds(12)), mean=mean, std=std)
    settings = ChangeSettings((3e-3,), fit=FitSettings(epochs=5, batch=4, class_weights="balanced"))
    result, again = (evaluate_siamese(task, settings, seed=0, orientations=2) for _ in range(2))
    assert f1_binary(result.counts.sum(0)) > 0.6
    assert (result.counts == again.counts).all()
    assert result.scenes == ("000008", "000009", "000010", "000011")


@pytest.mark.parametrize(("bands", "parameters"), [(3, 1_350_146), (10, 1_351_154)])
def test_siamese_network_has_the_published_size(bands, parameters):
    network = FCSiamDiff(bands).eval()
    assert sum(value.numel() for value in network.parameters()) == parameters
    pairs = torch.randn(1, 2, bands, 40, 56)
    assert network([pairs]).shape == (1, 2, 40, 56)
    assert not torch.equal(network([pairs]), network([pairs.flip(1)]))


def test_change_vectors_need_no_labels():
    task = _scenes(9)
    result = change_vectors(task)
    assert f1_binary(result.counts.sum(0)) > 0.8
    blind = change_vectors(replace(task, labels=np.zeros_like(task.labels)))
    assert (result.probabilities["city7"] == blind.probabilities["city7"]).all()


def test_labels_may_be_coarser_than_the_images(backbone: AveragedBands):
    images, labels = halves(12, size=64)
    pairs = np.stack([np.random.default_rng(4).normal(1500, 150, images.shape), images], 1).astype(np.float32)
    task = ChangeTask.of_images(InMemory(pairs), "sentinel2", labels[:, 2::4, 2::4], thirds(12))
    settings = replace(SETTINGS, learning_rates=(1e-2,), fit=replace(SETTINGS.fit, crop=0.5))
    decoded = evaluate_decoder(freeze(backbone, task, orientations=2), task, settings, seed=0)
    supervised = evaluate_siamese(task, settings, seed=0, orientations=2)
    vectors = change_vectors(task)
    for result in (decoded, supervised, vectors):
        assert (result.counts.sum((1, 2)) == 16 * 16).all()
        assert {part.shape for part in result.probabilities.values()} == {(16, 16)}
    assert f1_binary(vectors.counts.sum(0)) > 0.8


def test_validation_without_change_leaves_one_half_and_the_first_rate(backbone: AveragedBands):
    task = _scenes(9)
    labels = task.labels.copy()
    labels[task.split.validation] = 0
    settings = replace(SETTINGS, learning_rates=(1e-2, 1e-4), fit=replace(SETTINGS.fit, epochs=8))
    result = evaluate_decoder(freeze(backbone, task, orientations=4), replace(task, labels=labels), settings, seed=0)
    assert result.undecided == ("learning rate", "threshold")
    assert (result.learning_rate, result.threshold, result.validation_f1) == (1e-2, 0.5, 0)
    everything = np.array([[0, (task.labels[task.split.test] == 0).sum()], [0, (task.labels[task.split.test]).sum()]])
    assert f1_binary(result.counts.sum(0)) > 0.5 > f1_binary(everything)


def test_low_data_trains_on_a_part_of_the_maps(backbone: AveragedBands):
    task = _scenes(9)
    maps = freeze(backbone, task, orientations=1)
    part = replace(task, split=replace(task.split, train=task.split.train[[0, 3]]))
    result = evaluate_decoder(maps, part, SETTINGS, seed=0)
    alone = evaluate_decoder(replace(maps, train=maps.train.of(part.split.train)), part, SETTINGS, seed=0)
    assert (result.counts.sum((1, 2)) == 64 * 96).all()
    assert result.validation_f1 != alone.validation_f1, "a part makes as many steps as the whole, so more than alone"


def test_bad_input_is_refused_before_training():
    task = _scenes(3)
    scene = task.scene.copy()
    scene[0] = "city2"
    with pytest.raises(BrewError, match="'city2' is in train and in test"):
        replace(task, scene=scene)
    std = task.std.copy()
    std[3, 1, 2] = 0
    with pytest.raises(BrewError, match=r"'city1'.*B2"):
        replace(task, std=std)
    with pytest.raises(BrewError, match="both or neither"):
        replace(task, std=None)
    with pytest.raises(BrewError, match=r"\[2\]"):
        replace(task, labels=task.labels + 1)
    with pytest.raises(BrewError, match="10"):
        replace(task, images=InMemory(task.images.read(np.arange(6))[:, :, :3])).read(np.arange(2))
    with pytest.raises(BrewError, match="at least one"):
        evaluate_siamese(task, replace(SETTINGS, learning_rates=()), seed=0)


def test_images_without_scenes_are_scenes_of_their_own():
    _, labels = halves(6)
    task = ChangeTask.of_images(InMemory(np.zeros((6, 2, 10, 64, 64))), "sentinel2", labels, thirds(6))
    assert not task.standardised
    (scene,) = task.scenes(Split(np.array([0]), np.array([1]), np.array([3])).test)
    assert (scene.name, scene.height, scene.width, scene.samples.tolist()) == ("000003", 64, 64, [3])
