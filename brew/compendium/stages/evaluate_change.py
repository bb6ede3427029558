"""Stage `change`: change between two dates on every backbone's features, frozen or fine-tuned, beside three references.

References: change vector analysis (no training), FC-Siam-diff (supervised, in the same harness), a random trunk.
"""

from collections.abc import Iterator, Sequence
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
from brew.evaluation import change_detection, dense_harness
from brew.evaluation.authors import Applied
from brew.evaluation.benchmark_metrics import metrics_of
from brew.evaluation.benchmark_stores import OpenedBenchmark
from brew.evaluation.change_detection import ChangeResult, ChangeSettings, ChangeTask, UncutChange
from brew.evaluation.over_time import FirstAndLast
from brew.evaluation.result_cache import CachedResult
from brew.evaluation.scores import Score, readings_of, scene_scores, scores_of
from brew.evaluation.splits import split_by_name

#: Test scenes whose probabilities are kept, of which pictures show those with most change.
_KEPT = 4


def evaluate(stage: Stage) -> pd.DataFrame:
    """Score every backbone and reference on every benchmark of the scale; leaves scores, counts and predictions."""
    finished = finish(stage, change_detection.__name__, planned(stage))
    scores: list[Score] = []
    counts: dict[str, Counts] = {}
    for each in finished:
        scenes, values = [str(scene) for scene in each.result.arrays["scenes"]], each.result.arrays["counts"]
        metrics, left_out = metrics_of(each.benchmark), each.benchmark.left_out
        scores += (
            scene_scores(each.run, scenes, values, metrics, left_out=left_out)
            if each.benchmark.tiles
            else scores_of(each.run, values, metrics)
        )
        if has_readings(stage):
            scores += readings_of(each.run, values, each.benchmark)
        counts[each.run.name] = (values, scenes)
    keep_scores(stage, "change", finished, scores, counts)
    keep_predictions(stage, "change", finished)
    keep_choices(stage, "change", finished)
    return primary_scores(stage, "change")


def planned(stage: Stage) -> Iterator[PlannedRun]:
    """Every run of the stage."""
    task = DenseTask(
        "change", task_data, dense_harness.freeze, change_detection.evaluate_decoder, change_detection.finetune,
        _cached, _references, _by_authors,
    )  # fmt: skip
    return plan(stage, task, stage.settings.evaluation.change)


def _by_authors(applied: Applied, data: ChangeTask) -> tuple[ChangeTask, ChangeSettings]:
    rates = (applied.protocol.learning_rate,)
    return data, UncutChange(rates, applied.protocol.width, applied.fit)


def task_data(opened: OpenedBenchmark, most: Sequence[int] | None = None) -> ChangeTask:
    """The benchmark as the evaluation takes it; tiles of scenes are standardised by their scene and date.

    most: samples of train, validation and test at most; scenes of tiles are whole.
    """
    b, data = opened.benchmark, opened.dataset
    changed = (opened.labels > 0).astype(np.uint8)  # the miniature's labels name the kind of change
    if not b.tiles:
        images = opened.images if opened.images.shape[1] == 2 else FirstAndLast(opened.images)
        return ChangeTask.of_images(images, b.sensor, changed, opened.split(most))
    scenes = data["city"].values
    row, column, height, width = (data[name].values for name in ("row", "column", "height", "width"))
    return ChangeTask(
        opened.images, b.sensor, changed, split_by_name(opened.splits, scenes), scenes,
        row, column, height, width, mean=data["scene_mean"].values, std=data["scene_std"].values,
    )  # fmt: skip


def _cached(result: ChangeResult) -> CachedResult:
    values = {
        "learning rate": result.learning_rate, "threshold": result.threshold,
        "validation F1": round(result.validation_f1, 4), "undecided": ", ".join(result.undecided),
    }  # fmt: skip
    shown = {f"shown-{name}": result.probabilities[name].astype(np.float16) for name in result.scenes[:_KEPT]}
    return CachedResult(values, {"counts": result.counts, "scenes": np.array(result.scenes), **shown})


def _references(stage: Stage, ready: DenseBenchmark) -> Iterator[PlannedRun]:
    """Change vector analysis, and FC-Siam-diff with numbers of its own."""
    settings = stage.settings.evaluation
    yield PlannedRun(ready.benchmark, "cva", "no training", 0, (), partial(_change_vectors, ready.data))
    for decoder in range(settings.siamese_networks):
        numbers = (settings.orientations, ready.most, settings.siamese)
        compute = partial(_siamese, ready.data, settings, decoder)
        yield PlannedRun(ready.benchmark, "fc-siam-diff", "supervised", 0, numbers, compute, decoder=decoder)


def _change_vectors(data: ChangeTask) -> CachedResult:
    return _cached(change_detection.change_vectors(data))


def _siamese(data: ChangeTask, settings: EvaluationSettings, seed: int) -> CachedResult:
    orientations = settings.orientations
    return _cached(change_detection.evaluate_siamese(data, settings.siamese, seed, orientations=orientations))


def choices(stage: Stage) -> pd.DataFrame:
    """What validation chose for each backbone: learning rate, threshold, the F1 there, and what it could not."""
    return read_choices(stage, "change")
