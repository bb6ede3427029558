"""Part of stage `optical-teacher`: the teachers that a scale trains itself, on its own optical training images.

Students that learn by self-distillation are said to align best with teachers that learned likewise. Such a teacher
needs no download: a small vision transformer, self-distilled on the images that the arms' optical stem sees.
"""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
from lightning_fabric import Fabric

from brew.compendium.scale_teachers import teachers_of, weights_file
from brew.compendium.stages import Stage
from brew.compendium.stages.prepare_teachers import OPTICAL_SOURCES, TRAINING
from brew.compendium.stages.unfinished import checkpoint_of
from brew.data.batches import Batches
from brew.data.store import open_store
from brew.errors import BrewError
from brew.models.teachers import TeacherEntry
from brew.pretraining.optimisation import Optimisation
from brew.pretraining.self_distilled_teacher import train_transformer
from brew.views import ViewSettings

#: Images per step, of all sources together.
BATCH = 64
OPTIMISATION = Optimisation(steps=1500, learning_rate=1e-3, momentum=(0.99, 1.0), hidden=512)
VIEWS = ViewSettings(
    global_size=48, local_size=24, locals=2, global_area=(0.2, 1.0), local_area=(0.05, 0.2), blur_kernel=5
)


def learn(stage: Stage) -> pd.DataFrame:
    """Train every teacher of the scale that is `learned_here`, or go on with an interrupted run; on how many images.

    Raises BrewError where the scale has no optical training images.
    """
    learned = [entry for entry in teachers_of(stage) if entry.learned_here]
    return pd.DataFrame([_learn(stage, entry) for entry in learned])


def _learn(stage: Stage, entry: TeacherEntry) -> dict[str, object]:
    weights = weights_file(stage.layout.write("optical-teacher"), entry)
    assert weights is not None
    fabric = Fabric(accelerator="auto", devices=1, precision="32-true")
    feeds = _feeds(stage, fabric)
    if not feeds:
        raise BrewError(
            f"teacher {entry.name!r} learns from the scale's optical training images, and there are none; expected one "
            f"of {', '.join(OPTICAL_SOURCES)} under `data`"
        )
    images = {f"images of {feed.name}": len(feed.members) for feed in feeds}
    name = f"{stage.settings.scale.name}-{entry.name}"
    unfinished = checkpoint_of(name, asdict(OPTIMISATION), asdict(VIEWS), images)
    train_transformer(feeds, VIEWS, OPTIMISATION, weights, unfinished, fabric, images)
    return {"teacher": entry.name, **images, "steps": OPTIMISATION.steps, "images per step": BATCH}


def _feeds(stage: Stage, fabric: Fabric) -> list[Batches]:
    """The optical training images of every source, each with a share of the batch like its share of their pixels."""
    paths = {name: path for name in OPTICAL_SOURCES if (path := stage.layout.store(name)).exists()}
    pixels = {name: found for name, path in paths.items() if (found := _training_pixels(path))}
    share = {name: max(1, round(BATCH * found / sum(pixels.values()))) for name, found in pixels.items()}
    return [
        Batches(name, paths[name], ("optical",), TRAINING, share[name], OPTIMISATION.seed, fabric.device)
        for name in pixels
    ]


def _training_pixels(path: Path) -> int:
    dataset = open_store(path)
    members = int(np.isin(dataset["split"].values, TRAINING).sum())
    return members * dataset.sizes["optical_y"] * dataset.sizes["optical_x"] if "optical" in dataset else 0
