"""Stage `segmentation`: a decoder on every backbone's features, frozen or fine-tuned, tested once per decoder."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd

from brew.compendium.dense_evaluation import DenseBenchmark, DenseTask, plan
from brew.compendium.kept_scores import (
    Counts,
    has_readings,
    keep_choices,
    keep_predictions,
    keep_scores,
    primary_scores,
    read_choices,
)
from brew.compendium.scoring import PlannedRun, finish
from brew.compendium.settings import EvaluationSettings
from brew.compendium.stages import Stage
from brew.evaluation import dense_harness, over_time, segmentation, unet
from brew.evaluation.authors import Applied
from brew.evaluation.benchmark_metrics import metrics_of
from brew.evaluation.benchmark_stores import OpenedBenchmark
from brew.evaluation.cache_keys import sources_digest
from brew.evaluation.dense_harness import DenseInputs
from brew.evaluation.frozen_features import AtTime, FrozenMaps
from brew.evaluation.over_time import YearTask, check_visible
from brew.evaluation.result_cache import CachedResult
from brew.evaluation.scores import Score, readings_of, scores_of
from brew.evaluation.segmentation import SegmentationResult, SegmentationSettings, SegmentationTask

#: Cells of each image that the linear probe of a year reads.
_CELLS = 128


def evaluate(stage: Stage) -> pd.DataFrame:
    """Score every backbone on every benchmark of the scale; leaves scores, counts and predictions."""
    finished = finish(stage, over_time.__name__, planned(stage))
    scores: list[Score] = []
    counts: dict[str, Counts] = {}
    for each in finished:
        values = each.result.arrays["counts"]
        scores += scores_of(each.run, values, metrics_of(each.benchmark), ignore=each.benchmark.ignore)
        if has_readings(stage):
            scores += readings_of(each.run, values, each.benchmark)
        if "linear" in each.result.arrays:
            read = scores_of(
                each.run, each.result.arrays["linear"], metrics_of(each.benchmark), ignore=each.benchmark.ignore
            )
            scores += [replace(row, metric=f"{row.metric}_linear") for row in read]
        counts[each.run.name] = (values, [str(sample) for sample in each.result.arrays["samples"]])
    keep_scores(stage, "segmentation", finished, scores, counts)
    keep_predictions(stage, "segmentation", finished)
    keep_choices(stage, "segmentation", finished)
    return primary_scores(stage, "segmentation")


def planned(stage: Stage) -> Iterator[PlannedRun]:
    """Every run of the stage."""
    task = DenseTask(
        "segmentation", task_data, dense_harness.freeze, _decoded, segmentation.finetune, _cached,
        _references, _by_authors,
    )  # fmt: skip
    return plan(stage, task, stage.settings.evaluation.segmentation)


def _by_authors(applied: Applied, data: SegmentationTask) -> tuple[SegmentationTask, SegmentationSettings]:
    return replace(data, metric=applied.chosen_by), SegmentationSettings(applied.protocol.width, fit=applied.fit)


def task_data(opened: OpenedBenchmark, most: Sequence[int] | None = None) -> SegmentationTask:
    """The benchmark as the evaluation takes it: the first date's images or all of them, labels on their own grid.

    most: samples of train, validation and test at most.
    Raises BrewError if clouds hide a place on all dates.
    """
    b = opened.benchmark
    if b.over_time:
        split = opened.split(most)
        if "clouds" in opened.dataset:
            check_visible(opened.dataset["clouds"].values[np.concatenate([split.train, split.validation, split.test])])
        return YearTask(
            opened.images, b.sensor, opened.labels, b.classes, split, b.ignore, b.metric,
            over_time=b.over_time, count=opened.images.shape[1],
        )  # fmt: skip
    return SegmentationTask(
        AtTime(opened.images), b.sensor, opened.labels, b.classes, opened.split(most), b.ignore, b.metric
    )


def _decoded(
    maps: DenseInputs, task: SegmentationTask, settings: SegmentationSettings, seed: int
) -> SegmentationResult:
    """The decoder's result; of all dates of a place, a linear probe's beside it."""
    if not isinstance(task, YearTask):
        return segmentation.evaluate(maps, task, settings, seed)
    train = maps.train
    assert isinstance(train, FrozenMaps)
    linear = over_time.linear_probe(replace(maps, train=train.of(task.split.train)), task, _CELLS)
    return replace(over_time.evaluate(maps, task, settings, seed), linear=linear)


def _cached(result: SegmentationResult) -> CachedResult:
    arrays = {"counts": result.counts, "samples": result.samples, "predictions": result.predictions}
    if result.linear is not None:
        arrays["linear"] = result.linear
    return CachedResult({"validation": round(result.validation, 4)}, arrays)


def _references(stage: Stage, ready: DenseBenchmark) -> Iterator[PlannedRun]:
    """The U-Net, which is trained whole, if the scale lists it."""
    if unet.NAME not in stage.settings.backbones or ready.benchmark.over_time:
        return
    settings, identity = stage.settings.evaluation, sources_digest(unet.__name__)
    numbers = (settings.orientations, ready.most, settings.segmentation)
    for decoder in range(settings.decoders):
        compute = partial(_unet, ready.data, settings, decoder)
        yield PlannedRun(ready.benchmark, unet.NAME, identity, 0, numbers, compute, decoder=decoder)


def _unet(data: SegmentationTask, settings: EvaluationSettings, seed: int) -> CachedResult:
    return _cached(unet.evaluate_unet(data, settings.segmentation, seed, settings.orientations))


def choices(stage: Stage) -> pd.DataFrame:
    """What each decoder scored on the validation images, by which nothing was chosen."""
    return read_choices(stage, "segmentation")
