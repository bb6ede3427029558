"""Fine-tuning: the student learns with its decoder, the one that was given stays as it is, and runs repeat."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from brew.errors import BrewError
from brew.evaluation import change_detection, segmentation
from brew.evaluation.backbones import BandStatistics, StudentBackbone, random_backbone
from brew.evaluation.change_detection import ChangeSettings, ChangeTask
from brew.evaluation.dense_harness import freeze
from brew.evaluation.fine_tuning import finetuned
from brew.evaluation.fit import FineTuned, FitSettings, fit
from brew.evaluation.frozen_features import Images, InMemory
from brew.evaluation.metrics import iou_macro
from brew.evaluation.segmentation import SegmentationSettings, SegmentationTask
from brew.models.student import build_student

from .conftest import halves, thirds

FIT = FitSettings(epochs=3, batch=4, learning_rate=1e-2, finetune=1e-3, crop=0.5)


@pytest.fixture(scope="module")
def student() -> StudentBackbone:
    return random_backbone("random", lambda: build_student("swin-nano"), seed=0)


def _segmentation(count: int = 12) -> SegmentationTask:
    images, labels = halves(count)
    return SegmentationTask(InMemory(images), "sentinel2", labels, ("below", "above"), thirds(count))


def _change(count: int = 12) -> ChangeTask:
    images, labels = halves(count)
    before = np.random.default_rng(4).normal(1500, 150, images.shape).round().astype(np.uint16)
    return ChangeTask.of_images(InMemory(np.stack([before, images], 1)), "sentinel2", labels, thirds(count))


def _weights(network: nn.Module) -> torch.Tensor:
    return torch.cat([value.detach().flatten() for value in network.parameters()])


def _fit(student: StudentBackbone, rate: float) -> FineTuned:
    task = _segmentation()
    images = Images(task.read, task.split.train, 2)
    network = finetuned(student, lambda own, part: own.pyramid(part, "sentinel2"), images, 2, 8, 0)
    labels = torch.from_numpy(task.labels[task.split.train].astype(np.int64))
    found = fit(network, images, labels, 2, None, replace(FIT, finetune=rate), 0)
    assert isinstance(found, FineTuned)
    return found


def test_the_trunk_learns_at_its_own_rate(student: StudentBackbone) -> None:
    before = _weights(student.student)
    trained = _weights(_fit(student, 1e-3).trunk)
    assert not torch.equal(trained, before)
    assert (trained - before).abs().max() > 10 * (_weights(_fit(student, 1e-5).trunk) - before).abs().max()
    assert torch.equal(_weights(student.student), before), "the student that was given has changed"


def test_at_rate_zero_the_trunk_stays(student: StudentBackbone) -> None:
    assert torch.allclose(_weights(_fit(student, 0.0).trunk), _weights(student.student), atol=1e-6)


def test_maps_of_a_student_carry_gradients_only_for_training(student: StudentBackbone) -> None:
    images = torch.full((1, 10, 32, 32), 1000.0)
    trained = replace(student, trained=True)
    assert not student.pyramid(images, "sentinel2")[0].requires_grad
    assert trained.pyramid(images, "sentinel2")[0].requires_grad
    with torch.no_grad():
        assert not trained.pyramid(images, "sentinel2")[0].requires_grad


def test_segmentation_is_fine_tuned_and_repeats(student: StudentBackbone) -> None:
    task, settings = _segmentation(24), SegmentationSettings(width=8, keep=2, fit=replace(FIT, epochs=4))
    state = torch.get_rng_state()
    result, again = (segmentation.finetune(student, task, settings, 0, orientations=4) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), state)
    assert (result.counts == again.counts).all() and result.validation == again.validation
    assert result.counts.sum((1, 2)).tolist() == [64 * 64] * 8 and result.predictions.shape == (2, 64, 64)
    assert iou_macro(result.counts.sum(0)) > 0.6
    slow = replace(settings, fit=replace(settings.fit, finetune=1e-9))
    assert segmentation.finetune(student, task, slow, 0, orientations=4).validation != result.validation


def test_change_is_fine_tuned_and_repeats(student: StudentBackbone) -> None:
    task, settings = _change(), ChangeSettings((1e-3, 1e-2), width=8, fit=replace(FIT, epochs=2))
    result, again = (change_detection.finetune(student, task, settings, 0, orientations=2) for _ in range(2))
    assert (result.counts == again.counts).all() and result.validation_f1 == again.validation_f1
    assert result.learning_rate in settings.learning_rates
    assert result.counts.sum((1, 2)).tolist() == [64 * 64] * 4
    each = [
        change_detection.finetune(
            student, task, replace(settings, learning_rates=(rate,)), 0, orientations=2
        ).validation_f1
        for rate in settings.learning_rates
    ]
    assert result.validation_f1 == max(each), "rates are not tried from the same start"


TUNE: list[Callable[..., object]] = [
    lambda backbone: segmentation.finetune(backbone, _segmentation(), SegmentationSettings(fit=FIT), 0),
    lambda backbone: change_detection.finetune(backbone, _change(), ChangeSettings(fit=FIT), 0),
]


@pytest.mark.parametrize("tune", TUNE, ids=["segmentation", "change"])
def test_only_students_can_be_fine_tuned(tune: Callable[..., object]) -> None:
    with pytest.raises(BrewError, match=r"'band-statistics' is a BandStatistics; expected a student.*finetune to 0"):
        tune(BandStatistics())


def test_what_has_no_trunk_is_not_fine_tuned(student: StudentBackbone) -> None:
    task = _segmentation()
    maps = freeze(student, task, orientations=1)
    with pytest.raises(BrewError, match=r"finetune is 0.001, but a Decoder has no trunk; expected 0"):
        segmentation.evaluate(maps, task, SegmentationSettings(width=8, fit=FIT), 0)
    with pytest.raises(BrewError, match="FCSiamDiff has no trunk"):
        change_detection.evaluate_siamese(_change(), ChangeSettings(fit=FIT), 0)
