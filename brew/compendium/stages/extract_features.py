"""Stage `features`: pooled vectors of every backbone, computed once, and a look at dense features.

Dense maps are not kept: the decoders' stages compute them for the orientations that they need, which costs less than
reading them back (`brew.evaluation.frozen_features` has the count).
"""

from pathlib import Path
from textwrap import fill

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

from brew.compendium.report.crowding import left_out_note
from brew.compendium.report.pictures import true_colour
from brew.compendium.report.style import label, save
from brew.compendium.stages import Stage
from brew.compendium.stages.prepare_teachers import principal_colours
from brew.compendium.stages.task_stage import (
    ComparedModel,
    benchmarks_of,
    compared_models,
    open_benchmark,
    shown_models,
)
from brew.data.store import ArrayReader, open_store
from brew.evaluation.benchmarks import Benchmark
from brew.evaluation.frozen_features import AtTime, extract_pooled
from brew.evaluation.scores import write_arrays
from brew.evaluation.splits import NAMES


def pooled_file(folder: Path, benchmark: Benchmark, compared: ComparedModel) -> Path:
    """Where the pooled vectors lie; benchmarks of the same images share them."""
    run = compared.name if compared.repetition is None else f"{compared.name}-{compared.repetition}"
    return folder / f"{benchmark.source}-{benchmark.images}--{run}.npz"


def compute(stage: Stage) -> pd.DataFrame:
    """Pooled vectors of every classification benchmark's images and backbone; how many, and how wide."""
    folder, rows = stage.layout.write("features"), []
    read = {(each.source, each.images): each for each in benchmarks_of(stage, "classification")}
    for benchmark in read.values():
        opened = open_benchmark(stage, benchmark)
        used = np.flatnonzero(np.isin(opened.splits, NAMES))
        for compared in compared_models(stage, benchmark.sensor):
            features = extract_pooled(compared.load(), AtTime(opened.images), used, benchmark.sensor)
            write_arrays(pooled_file(folder, benchmark, compared), {"features": features, "samples": used})
            rows.append({
                "source": benchmark.source, "sensor": benchmark.sensor, "backbone": compared.name,
                "repetition": compared.repetition or 0, "images": len(used),
                "width": features.shape[1],
            })  # fmt: skip
    return pd.DataFrame(rows)


def look(stage: Stage, images: int = 5) -> Figure:
    """Optical test images beside the principal components of every backbone's features at stride 8."""
    source = next(name for name in stage.settings.data.present() if name in ("miniature", "hot_buildings"))
    path = stage.layout.store(source)
    splits = open_store(path)["split"].values
    chosen = np.flatnonzero(splits == "test")
    chosen = chosen[np.linspace(0, len(chosen) - 1, images).astype(int)]
    pictures = ArrayReader(path, "optical").read(chosen)[:, 0]
    rows = [("image", [true_colour(each, "rgb") for each in pictures])]
    for compared in shown_models(stage, "rgb"):
        maps = compared.load().pyramid(torch.from_numpy(pictures), "rgb")[1]
        rows.append((label(compared.name), list(principal_colours(maps.float()))))
    figure, axes = plt.subplots(len(rows), images, figsize=(1.9 * images, 2 * len(rows)), layout="constrained")
    for row, (title, shown) in zip(axes, rows, strict=True):
        for axis, picture in zip(row, shown, strict=True):
            axis.imshow(picture)
            axis.set(xticks=[], yticks=[])
        row[0].set_ylabel(fill(title, 24), fontsize=8)
    caption = (
        f"Test images of {source} and the first three principal components of each backbone's features at stride 8, as "
        "red, green and blue (components are each backbone's own: colours compare within a row, not between rows)."
        + left_out_note(stage.settings)
    )
    save(figure, stage.layout.write("features") / "features-pca.png", caption)
    return figure
