"""Part of stage `segmentation`: test images beside the map from every backbone."""

import numpy as np
from matplotlib.figure import Figure

from brew.compendium.compared_models import shown_models
from brew.compendium.kept_scores import prediction_file
from brew.compendium.report.crowding import left_out_note
from brew.compendium.report.figures.segmentation_maps import caption, most_classes, segmentation_maps
from brew.compendium.report.pictures import picture
from brew.compendium.report.style import label, save
from brew.compendium.stages import Stage
from brew.evaluation.benchmark_stores import open_benchmark
from brew.evaluation.benchmarks import Benchmark
from brew.evaluation.frozen_features import AtTime

#: Test images that are shown.
_SHOWN = 4


def all_maps(stage: Stage) -> list[Figure]:
    """`maps` of every benchmark of the scale."""
    return [maps(stage, benchmark) for benchmark in stage.benchmarks("segmentation")]


def maps(stage: Stage, benchmark: Benchmark) -> Figure:
    """Test images, their labels and every backbone's map."""
    folder = stage.layout.write("segmentation")
    opened = open_benchmark(benchmark, stage.layout.store(benchmark.source))
    models = shown_models(stage, benchmark.sensor)
    files = {model.name: prediction_file(folder, benchmark, model.name) for model in models}
    predictions = {name: np.load(file) for name, file in files.items() if file.exists()}
    first = next(iter(predictions.values()))
    predicted = first["samples"][: len(first["predictions"])]
    chosen = most_classes(opened.labels[predicted], benchmark.ignore, _SHOWN)
    samples = predicted[chosen]
    figure = segmentation_maps(
        np.stack([picture(each, benchmark.sensor) for each in AtTime(opened.images).read(samples)]),
        opened.labels[samples],
        {label(name): arrays["predictions"][chosen] for name, arrays in predictions.items()},
        benchmark.classes,
        benchmark.ignore,
    )
    finetuned = stage.settings.evaluation.segmentation.fit.finetune > 0
    text = caption(benchmark, finetuned) + left_out_note(stage.settings)
    save(figure, folder / f"maps-{benchmark.name}.png", text)
    return figure
