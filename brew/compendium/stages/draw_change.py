"""Part of stage `change`: test scenes beside every backbone's probability of change."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from brew.compendium.compared_models import shown_models
from brew.compendium.kept_scores import prediction_file
from brew.compendium.report.crowding import left_out_note
from brew.compendium.report.figures.change_maps import ShownScene, caption, change_maps, scene_in_true_colour
from brew.compendium.report.style import save
from brew.compendium.stages import Stage
from brew.compendium.stages.evaluate_change import task_data
from brew.data.tiles import Scene, lay
from brew.evaluation.benchmark_stores import OpenedBenchmark, open_benchmark
from brew.evaluation.benchmarks import Benchmark

#: Test scenes that are shown: of those whose probabilities are kept, the ones with most change.
_SHOWN = 2
#: What marks the probabilities of a scene among a model's arrays.
_MARK = "shown-"


def all_maps(stage: Stage) -> list[Figure]:
    """`maps` of every benchmark of the scale."""
    return [maps(stage, benchmark) for benchmark in stage.benchmarks("change")]


def maps(stage: Stage, benchmark: Benchmark) -> Figure:
    """Two test scenes: both dates, the label, and every backbone's probability of change."""
    folder = stage.layout.write("change")
    opened = open_benchmark(benchmark, stage.layout.store(benchmark.source))
    task = task_data(opened, stage.settings.evaluation.samples.get(benchmark.sensor))
    models = ["cva", *(model.name for model in shown_models(stage, benchmark.sensor)), "fc-siam-diff"]
    files = {model: prediction_file(folder, benchmark, model) for model in models}
    stored = {model: np.load(file) for model, file in files.items() if file.exists()}
    kept = [key.removeprefix(_MARK) for key in stored["cva"].files if key.startswith(_MARK)]
    scenes = {scene.name: scene for scene in task.scenes(task.split.test)}
    labels = {name: lay(task.labels[scenes[name].samples], scenes[name]) for name in kept}
    most = sorted(kept, key=lambda name: -labels[name].mean())[:_SHOWN]
    figure = change_maps([_shown(opened, scenes[name], labels[name], stored) for name in most])
    save(figure, folder / f"maps-{benchmark.name}.png", caption(benchmark) + left_out_note(stage.settings))
    return figure


def _shown(
    opened: OpenedBenchmark, scene: Scene, label: np.ndarray, stored: Mapping[str, Mapping[str, np.ndarray]]
) -> ShownScene:
    pairs = opened.images.read(scene.samples)
    on_images = scene.enlarged(pairs.shape[-1] // opened.labels.shape[-1])
    before, after = (scene_in_true_colour(pairs[:, date], on_images, opened.benchmark.sensor) for date in (0, 1))
    probabilities = {model: arrays[f"{_MARK}{scene.name}"].astype(float) for model, arrays in stored.items()}
    return ShownScene(scene.name, (before, after), label, probabilities)
