"""The supervised U-Net learns from pixels in the harness of the decoders, and repeats."""

from dataclasses import replace
from functools import partial

import numpy as np
import torch

from brew.evaluation.fit import FitSettings
from brew.evaluation.frozen_features import Images, InMemory
from brew.evaluation.metrics import iou_macro
from brew.evaluation.segmentation import SegmentationSettings, SegmentationTask
from brew.evaluation.unet import UNet, evaluate_unet, standardised
from brew.sensors import SENSORS

from .conftest import halves, thirds

SETTINGS = SegmentationSettings(keep=2, fit=FitSettings(epochs=3, batch=4, learning_rate=3e-3))


def _task(count: int, size: int = 32) -> SegmentationTask:
    images, labels = halves(count, size)
    return SegmentationTask(InMemory(images), "sentinel2", labels, ("below", "above"), thirds(count))


def test_what_the_bands_tell_is_learnt():
    result = evaluate_unet(_task(48), SETTINGS, seed=0, orientations=4)
    assert result.counts.shape == (16, 2, 2) and result.predictions.shape == (2, 32, 32)
    assert (result.counts.sum((1, 2)) == 32 * 32).all()
    assert iou_macro(result.counts.sum(0)) > 0.6


def test_a_training_repeats_and_leaves_random_state_alone():
    settings = replace(SETTINGS, fit=replace(SETTINGS.fit, epochs=1, batch=2))
    task, state = _task(6), torch.get_rng_state()
    result, again = (evaluate_unet(task, settings, seed=0, orientations=4) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), state)
    assert (result.counts == again.counts).all() and result.validation == again.validation


def test_logits_lie_on_the_images_grid():
    with torch.no_grad():
        assert UNet(3, 5).eval()([torch.zeros(1, 3, 50, 33)]).shape == (1, 5, 50, 33)


def test_images_are_standardised_and_turned_with_their_labels():
    task, found = _task(3), SENSORS["sentinel2"]
    inputs = Images(partial(standardised, task), np.array([2, 0]), 2)
    (given,) = inputs.batch(torch.tensor([0, 1]), torch.tensor([0, 1]), "cpu")
    native = given * torch.tensor(found.std).view(-1, 1, 1) + torch.tensor(found.mean).view(-1, 1, 1)
    expected = torch.from_numpy(task.images.read(np.array([2, 0])).astype(np.float32))
    assert torch.allclose(native[0], expected[0], atol=1e-2)
    assert torch.allclose(native[1], expected[1].flip(-1), atol=1e-2)
