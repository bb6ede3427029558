"""Stage `segmentation`: a decoder on every backbone's features, frozen or fine-tuned, tested once per seed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from textwrap import fill

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.colors import Colormap, ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from brew.compendium.report.crowding import left_out_note
from brew.compendium.report.pictures import picture
from brew.compendium.report.style import label, save
from brew.compendium.settings import EvaluationSettings
from brew.compendium.stages import Stage
from brew.compendium.stages.task_stage import (
    ComparedModel,
    Evaluated,
    Evaluation,
    Latest,
    Opened,
    benchmarks_of,
    compared_models,
    keep,
    metrics_of,
    open_benchmark,
    primary,
    run,
    shown_models,
    students,
    with_labels,
)
from brew.evaluation import segmentation as task
from brew.evaluation import unet
from brew.evaluation.benchmarks import Benchmark
from brew.evaluation.cache_keys import sources_digest
from brew.evaluation.dense_harness import DenseInputs, freeze
from brew.evaluation.fit import passes_over
from brew.evaluation.frozen_features import AtTime
from brew.evaluation.result_cache import CachedResult
from brew.evaluation.scores import Score, scores_of, write_arrays
from brew.evaluation.segmentation import SegmentationResult, SegmentationTask

_SHOWN = 4


def open_task(opened: Opened, most: Sequence[int] | None = None) -> SegmentationTask:
    """The benchmark as the evaluation takes it: the first date's images, labels on their own grid.

    most: samples of train, validation and test at most.
    """
    b = opened.benchmark
    labels, split = opened.labels, opened.split(most)
    return SegmentationTask(AtTime(opened.images), b.sensor, labels, b.classes, split, b.ignore, b.metric)


def evaluate(stage: Stage) -> pd.DataFrame:
    """Score every backbone on every benchmark of the scale; leaves scores, counts and predictions."""
    evaluated = run(stage, "brew.evaluation.segmentation", [*_planned(stage), *_supervised(stage)])
    scores: list[Score] = []
    counts: dict[str, tuple[np.ndarray, Sequence[str]]] = {}
    for each in evaluated:
        values = each.result.arrays["counts"]
        scores += scores_of(each.run, values, metrics_of(each.benchmark), ignore=each.benchmark.ignore)
        counts[each.run.name] = (values, [str(sample) for sample in each.result.arrays["samples"]])
    keep(stage, "segmentation", evaluated, scores, counts)
    _keep_pictures(stage, evaluated)
    return primary(stage, "segmentation")


def _planned(stage: Stage) -> Iterator[Evaluation]:
    settings, maps = stage.settings.evaluation, Latest()
    tuned = settings.segmentation.fit.finetune > 0
    for benchmark in benchmarks_of(stage, "segmentation"):
        most = settings.samples.get(benchmark.sensor)
        numbers = (settings.orientations, most, settings.segmentation)
        opened = open_benchmark(stage, benchmark)
        ready = open_task(opened, most)
        models = compared_models(stage, benchmark.sensor)
        for compared in students(models) if tuned else models:
            compute_maps = partial(_freeze, ready, compared, settings.orientations)
            frozen = partial(maps.get, (benchmark.name, compared.identity), compute_maps)
            for seed, share in product(compared.seeds(settings.seeds), settings.label_fractions):
                part = replace(ready, split=with_labels(opened, ready.split, share, seed))
                if tuned:
                    passes = passes_over(len(part.split.train), len(ready.split.train))
                    compute = partial(_finetune, compared, part, settings, seed, passes)
                else:
                    compute = partial(_cell, frozen, part, settings, seed)
                labelled = len(part.split.train)
                yield Evaluation(benchmark, compared.name, compared.identity, seed, numbers, compute, share, labelled)


def _freeze(ready: SegmentationTask, compared: ComparedModel, orientations: int) -> DenseInputs:
    return freeze(compared.load(), ready, orientations=orientations)


def _cell(
    frozen: Callable[[], DenseInputs], ready: SegmentationTask, settings: EvaluationSettings, seed: int
) -> CachedResult:
    return _kept(task.evaluate(frozen(), ready, settings.segmentation, seed))


def _finetune(
    compared: ComparedModel, ready: SegmentationTask, settings: EvaluationSettings, seed: int, passes: int
) -> CachedResult:
    backbone, numbers = compared.load(), settings.segmentation
    return _kept(task.finetune(backbone, ready, numbers, seed, orientations=settings.orientations, passes=passes))


def _kept(result: SegmentationResult) -> CachedResult:
    arrays = {"counts": result.counts, "samples": result.samples, "predictions": result.predictions}
    return CachedResult({"epoch": result.epoch}, arrays)


def _supervised(stage: Stage) -> Iterator[Evaluation]:
    """The reference that is trained whole, where the scale lists it."""
    settings = stage.settings.evaluation
    if unet.NAME not in stage.settings.backbones:
        return
    identity = sources_digest(unet.__name__)
    for benchmark in benchmarks_of(stage, "segmentation"):
        most = settings.samples.get(benchmark.sensor)
        numbers = (settings.orientations, most, settings.segmentation)
        ready = open_task(open_benchmark(stage, benchmark), most)
        for seed in settings.seeds:
            yield Evaluation(benchmark, unet.NAME, identity, seed, numbers, partial(_unet, ready, settings, seed))


def _unet(ready: SegmentationTask, settings: EvaluationSettings, seed: int) -> CachedResult:
    return _kept(unet.evaluate_unet(ready, settings.segmentation, seed, settings.orientations))


def _keep_pictures(stage: Stage, evaluated: Sequence[Evaluated]) -> None:
    folder = stage.layout.write("segmentation") / "predictions"
    folder.mkdir(exist_ok=True)
    for each in evaluated:
        if each.run.seed == stage.settings.evaluation.seeds[0] and each.run.label_fraction == 1:
            write_arrays(folder / f"{each.benchmark.name}--{each.run.arm}.npz", each.result.arrays)


def _telling(labels: np.ndarray, ignore: int | None, count: int = _SHOWN) -> np.ndarray:
    """The images whose labels show most classes, of equals those with more of the rarer ones."""
    scores = []
    for image in labels:
        values, pixels = np.unique(image if ignore is None else image[image != ignore], return_counts=True)
        scores.append((len(values), int(pixels.sum() - pixels.max(initial=0))))
    return np.array(sorted(range(len(labels)), key=lambda i: scores[i], reverse=True)[:count])


def class_colours(count: int) -> Colormap:
    """A colour for each of so many classes, white for what is not scored."""
    name = "tab10" if count <= 10 else "tab20" if count <= 20 else "husl"
    return ListedColormap(sns.color_palette(name, count)).with_extremes(bad="white")


def maps(stage: Stage, benchmark: Benchmark) -> Figure:
    """Test images, their labels and every backbone's map."""
    opened = open_benchmark(stage, benchmark)
    folder = stage.layout.write("segmentation") / "predictions"
    files = {
        compared.name: folder / f"{benchmark.name}--{compared.name}.npz"
        for compared in shown_models(stage, benchmark.sensor)
    }
    predictions = {arm: np.load(file) for arm, file in files.items() if file.exists()}
    first = next(iter(predictions.values()))
    kept = first["samples"][: len(first["predictions"])]
    chosen = _telling(opened.labels[kept], benchmark.ignore)
    samples = kept[chosen]
    images = [picture(each, benchmark.sensor) for each in AtTime(opened.images).read(samples)]
    columns = [("image", images), ("label", list(opened.labels[samples]))]
    columns += [(label(arm), list(arrays["predictions"][chosen])) for arm, arrays in predictions.items()]
    figure, axes = plt.subplots(
        len(samples),
        len(columns),
        figsize=(1.7 * len(columns), 1.75 * len(samples)),
        layout="constrained",
        squeeze=False,
    )
    colours = class_colours(len(benchmark.classes))
    for column, (title, pictures) in enumerate(columns):
        axes[0, column].set_title(fill(title, 22), fontsize=8)
        for row, shown in enumerate(pictures):
            axes[row, column].set(xticks=[], yticks=[])
            if shown.ndim == 3:
                axes[row, column].imshow(shown)
                continue
            hidden = opened.labels[samples[row]] == benchmark.ignore if benchmark.ignore is not None else False
            masked = np.ma.masked_array(shown, np.broadcast_to(hidden, shown.shape))
            axes[row, column].imshow(masked, cmap=colours, vmin=-0.5, vmax=colours.N - 0.5)
    handles = [Rectangle((0, 0), 1, 1, color=colours(i)) for i in range(colours.N)]
    figure.legend(
        handles, benchmark.classes, loc="outside lower center", ncols=min(6, len(benchmark.classes)), fontsize=8
    )
    state = "fine-tuned" if stage.settings.evaluation.segmentation.fit.finetune else "frozen"
    caption = (
        f"Segmentation of {benchmark.name} ({benchmark.summary}): test images that show most classes, their labels "
        f"and the maps from each {state} backbone under the same decoder. White: not scored."
        + left_out_note(stage.settings)
    )
    save(figure, stage.layout.write("segmentation") / f"maps-{benchmark.name}.png", caption)
    return figure


def all_maps(stage: Stage) -> list[Figure]:
    """`maps` of every benchmark of the scale."""
    return [maps(stage, benchmark) for benchmark in benchmarks_of(stage, "segmentation")]
