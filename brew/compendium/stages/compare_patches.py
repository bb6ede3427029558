"""Part of stage `cases`: how alike the patches of a few images are to the optical teacher, to arms and to others."""

import json

import numpy as np
import torch
from matplotlib.figure import Figure

from brew.compendium.compared_models import shown_models
from brew.compendium.report.cases import write_photograph
from brew.compendium.report.crowding import left_out_note
from brew.compendium.report.figures.likeness_maps import caption, likeness_maps
from brew.compendium.report.patch_likeness import GRID, likeness, packed
from brew.compendium.report.pictures import true_colour
from brew.compendium.report.style import label, save
from brew.compendium.stages import Stage
from brew.compendium.stages.optical_images import spread
from brew.data.store import ArrayReader, open_store

#: Sources with optical images whose licence lets a picture into a report.
_SHOWN_SOURCES = ("miniature", "hot_buildings", "spacenet1")
#: Stride of the maps, as its place among a backbone's maps.
_AT_STRIDE_8 = 1


def patches(stage: Stage, count: int = 4) -> Figure | None:
    """Write the likeness of all patches with each other, and show that with a middle one; None without such images."""
    source = next((name for name in stage.settings.data.present() if name in _SHOWN_SOURCES), None)
    if source is None:
        return None
    path, folder = stage.layout.store(source), stage.layout.write("cases")
    tested = spread(np.flatnonzero(open_store(path)["split"].values == "test"), count)
    images = ArrayReader(path, "optical").read(tested)[:, 0]
    found = {
        model.name: likeness(model.load().pyramid(torch.from_numpy(images), "rgb")[_AT_STRIDE_8].float())
        for model in shown_models(stage, "rgb")
    }
    pictures = [true_colour(each, "rgb") for each in images]
    content = {
        "grid": GRID, "source": source, "images": [write_photograph(folder / "pictures", each) for each in pictures],
        "samples": tested.tolist(),
        "likeness": {name: [packed(each) for each in cosines] for name, cosines in found.items()},
    }  # fmt: skip
    (folder / "likeness.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    figure = likeness_maps(pictures, {label(name): each for name, each in found.items()})
    save(figure, folder / "patches.png", caption(source) + left_out_note(stage.settings))
    return figure
