"""Stage `features`: pooled vectors of every backbone, computed once, and a look at dense features.

Dense maps are not kept: the decoders' stages compute them for the orientations that they need, which costs less than
reading them back (`brew.evaluation.frozen_features` has the count).
"""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

from brew.compendium.compared_models import ComparedModel, compared_models, shown_models
from brew.compendium.report.crowding import left_out_note
from brew.compendium.report.figures.colours_of_features import caption, colours_of_features
from brew.compendium.report.figures.note import note
from brew.compendium.report.figures.teacher_features import principal_colours
from brew.compendium.report.pictures import true_colour
from brew.compendium.report.style import label, save
from brew.compendium.stages import Stage
from brew.data.store import ArrayReader, open_store
from brew.evaluation.benchmark_stores import open_benchmark
from brew.evaluation.benchmarks import Benchmark
from brew.evaluation.frozen_features import AtTime, extract_pooled
from brew.evaluation.scores import write_arrays
from brew.evaluation.splits import NAMES

#: Sources with optical images whose licence lets a picture into a report.
_SHOWN_SOURCES = ("miniature", "hot_buildings", "spacenet1")


def pooled_file(folder: Path, benchmark: Benchmark, model: ComparedModel) -> Path:
    """Where the pooled vectors lie; benchmarks of the same images share them."""
    run = model.name if model.repetition is None else f"{model.name}-{model.repetition}"
    return folder / f"{benchmark.source}-{benchmark.images}--{run}.npz"


def compute(stage: Stage) -> pd.DataFrame:
    """Pooled vectors of every classification benchmark's images and backbone; how many, and how wide."""
    folder, rows = stage.layout.write("features"), []
    read = {(each.source, each.images): each for each in stage.benchmarks("classification")}
    for benchmark in read.values():
        opened = open_benchmark(benchmark, stage.layout.store(benchmark.source))
        used = np.flatnonzero(np.isin(opened.splits, NAMES))
        for model in compared_models(stage, benchmark.sensor):
            features = extract_pooled(model.load(), AtTime(opened.images), used, benchmark.sensor)
            write_arrays(pooled_file(folder, benchmark, model), {"features": features, "samples": used})
            rows.append({
                "source": benchmark.source, "sensor": benchmark.sensor, "backbone": model.name,
                "repetition": model.seed, "images": len(used),
                "width": features.shape[1],
            })  # fmt: skip
    return pd.DataFrame(rows)


def look(stage: Stage, images: int = 5) -> Figure:
    """Optical test images beside the principal components of every backbone's features at stride 8."""
    source = next((name for name in stage.settings.data.present() if name in _SHOWN_SOURCES), None)
    if source is None:
        return note(f"nothing to show: the scale has none of {', '.join(_SHOWN_SOURCES)}")
    path = stage.layout.store(source)
    tested = np.flatnonzero(open_store(path)["split"].values == "test")
    pictures = ArrayReader(path, "optical").read(tested[np.linspace(0, len(tested) - 1, images).astype(int)])[:, 0]
    components = {}
    for model in shown_models(stage, "rgb"):
        maps = model.load().pyramid(torch.from_numpy(pictures), "rgb")[1]
        components[label(model.name)] = principal_colours(maps.float())
    figure = colours_of_features(np.stack([true_colour(each, "rgb") for each in pictures]), components)
    text = caption(source) + left_out_note(stage.settings)
    save(figure, stage.layout.write("features") / "features-pca.png", text)
    return figure
