"""Part of stage `optical-teacher`: the teachers that a scale trains itself, on its own optical training images.

Students that learn by self-distillation are said to align best with teachers that learned likewise. Such a teacher
needs no download: a small vision transformer, self-distilled on the images that the arms' optical stem sees.
"""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from brew.compendium import launching
from brew.compendium.scale_teachers import teachers_of, weights_file
from brew.compendium.stages import Stage
from brew.compendium.stages.optical_images import OPTICAL_SOURCES, TRAINING
from brew.compendium.stages.unfinished import checkpoint_of
from brew.data.batches import Batches
from brew.data.store import open_store
from brew.errors import BrewError
from brew.models.teachers import TeacherEntry
from brew.pretraining.arms import arm
from brew.pretraining.self_distilled_teacher import LEARNS_AS, train_transformer


def learn(stage: Stage) -> pd.DataFrame:
    """Train every teacher of the scale that is `learned_here`, or go on with an interrupted run; on how many images.

    Raises BrewError if the scale has no optical training images.
    """
    learned = [entry for entry in teachers_of(stage) if entry.learned_here]
    return pd.DataFrame([_learn(stage, entry) for entry in learned])


def _learn(stage: Stage, entry: TeacherEntry) -> dict[str, object]:
    weights = weights_file(stage.layout.write("optical-teacher"), entry)
    assert weights is not None
    fabric, numbers = launching.here("32-true"), stage.settings.optical_teacher.learned
    feeds = feeds_of(stage, fabric.device)
    if not feeds:
        raise BrewError(
            f"teacher {entry.name!r} learns from the scale's optical training images, and there are none; expected one "
            f"of {', '.join(OPTICAL_SOURCES)} under `data`"
        )
    images = {f"images of {feed.name}": len(feed.members) for feed in feeds}
    name = f"{stage.settings.scale.name}-{entry.name}"
    unfinished = checkpoint_of(name, arm(LEARNS_AS), asdict(numbers), images, stage.rounding)
    train_transformer(feeds, numbers.views, numbers.optimisation, weights, unfinished, fabric, images)
    return {"teacher": entry.name, **images, "steps": numbers.optimisation.steps, "images per step": numbers.batch}


def feeds_of(stage: Stage, device: torch.device) -> list[Batches]:
    """The optical training images of every source, each with a share of the batch like its share of their pixels."""
    numbers = stage.settings.optical_teacher.learned
    paths = {name: path for name in OPTICAL_SOURCES if (path := stage.layout.store(name)).exists()}
    pixels = {name: found for name, path in paths.items() if (found := _training_pixels(path))}
    share = {name: max(1, round(numbers.batch * found / sum(pixels.values()))) for name, found in pixels.items()}
    return [
        Batches(name, paths[name], ("optical",), TRAINING, share[name], numbers.optimisation.seed, device)
        for name in pixels
    ]


def _training_pixels(path: Path) -> int:
    dataset = open_store(path)
    members = int(np.isin(dataset["split"].values, TRAINING).sum())
    return members * dataset.sizes["optical_y"] * dataset.sizes["optical_x"] if "optical" in dataset else 0
