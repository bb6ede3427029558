"""Segmentation from images to counts, on a task that plain bands solve."""

from dataclasses import replace

import numpy as np
import pytest

from brew.errors import BrewError
from brew.evaluation.backbones import BandStatistics, random_backbone
from brew.evaluation.dense_harness import freeze
from brew.evaluation.fit import FitSettings
from brew.evaluation.frozen_features import InMemory
from brew.evaluation.metrics import iou_macro
from brew.evaluation.segmentation import SegmentationSettings, SegmentationTask, evaluate
from brew.evaluation.splits import Split
from brew.models.student import build_student

from .conftest import AveragedBands, halves, thirds

SETTINGS = SegmentationSettings(width=8, keep=3, fit=FitSettings(epochs=12, batch=4, learning_rate=1e-2))


def _task(count: int = 24, **changes) -> SegmentationTask:
    images, labels = halves(count)
    return replace(
        SegmentationTask(InMemory(images), "sentinel2", labels, ("below", "above"), thirds(count)), **changes
    )


def test_a_task_that_the_bands_solve_is_solved_and_repeats(backbone: AveragedBands):
    task = _task()
    maps = freeze(backbone, task, orientations=4)
    assert sum(backbone.calls) == 8 * 4 + 8 + 8
    result, again = (evaluate(maps, task, SETTINGS, seed=0) for _ in range(2))
    assert iou_macro(result.counts.sum(0)) > 0.8
    assert result.counts.shape == (8, 2, 2)
    assert (result.counts.sum((1, 2)) == 64 * 64).all()
    assert (result.counts == again.counts).all()
    assert result.validation == again.validation > 0.7
    assert result.samples.tolist() == list(range(16, 24))
    assert result.predictions.shape == (3, 64, 64)
    first = np.array([[(task.labels[16] == t) & (result.predictions[0] == p) for p in (0, 1)] for t in (0, 1)])
    assert (first.sum((2, 3)) == result.counts[0]).all()
    assert result.validation != evaluate(maps, task, SETTINGS, seed=1).validation


def test_labels_may_lie_on_a_finer_grid_and_hold_an_ignored_value(backbone: AveragedBands):
    coarse = _task(12)
    labels = coarse.labels.repeat(2, axis=1).repeat(2, axis=2)
    labels[:, :10] = 255
    task = replace(coarse, labels=labels, ignore=255)
    result = evaluate(freeze(backbone, task, orientations=1), task, SETTINGS, seed=0)
    assert (result.counts.sum((1, 2)) == 118 * 128).all()


def test_validation_leaves_out_an_ignored_class():
    task = _task(ignore=0)
    counts = np.array([[[0, 0], [1, 3]]])
    assert task.score(counts) == pytest.approx(3 / 4)


def test_labels_outside_the_classes_are_refused_before_training():
    task = _task()
    labels = task.labels.copy()
    labels[5, 0, 0] = 9
    with pytest.raises(BrewError, match=r"\[9\]"):
        replace(task, labels=labels)
    replace(task, labels=labels, ignore=9)


def test_other_bad_input_is_refused_before_training(backbone: AveragedBands):
    task = _task()
    with pytest.raises(BrewError, match="sample 40"):
        replace(task, split=Split(np.array([0]), np.array([1]), np.array([40])))
    with pytest.raises(BrewError, match="iou_macro"):
        replace(task, metric="iou_makro")
    with pytest.raises(BrewError, match="10"):
        freeze(BandStatistics(), replace(task, images=InMemory(task.images.read(np.arange(24))[:, :9])))


@pytest.mark.parametrize("of", ["student", "bands"])
def test_images_whose_sides_are_no_multiples_are_cropped_and_scored(of):
    images, labels = halves(6, size=100)
    task = SegmentationTask(
        InMemory(images[..., :90, :90]), "sentinel2", labels[:, :90, :90], ("below", "above"), thirds(6)
    )
    backbone = BandStatistics() if of == "bands" else random_backbone(of, lambda: build_student("swin-nano"), seed=0)
    settings = replace(SETTINGS, fit=replace(SETTINGS.fit, epochs=1, batch=2, crop=0.5))
    result = evaluate(freeze(backbone, task, orientations=1), task, settings, seed=0)
    assert (result.counts.sum((1, 2)) == 90 * 90).all()
