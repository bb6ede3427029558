"""What a run of the scale trains: its arm and its numbers, and both as a table."""

import dataclasses

import pandas as pd

from brew.compendium import schema
from brew.compendium.scales import arm_and_seed
from brew.compendium.settings import Pretraining
from brew.compendium.stages import Stage
from brew.compendium.stages.training_feeds import usable
from brew.pretraining.arms import Arm, arm


def plan(stage: Stage, run: str) -> tuple[Arm, Pretraining]:
    """The run's arm with the scale's teacher, and its numbers with its own seed and what `changes` says of it.

    run: an entry of the scale's `arms`, such as "deo", or "deo-seed1" for the arm repeated with the next seed.
    """
    numbers, (name, repetition) = stage.settings.pretraining, arm_and_seed(run)
    changes = dataclasses.asdict(numbers.optimisation) | dict(stage.settings.changes.get(run, {}))
    optimisation = schema.load(type(numbers.optimisation), changes, f"changes.{run}")
    seeded = dataclasses.replace(optimisation, seed=optimisation.seed + repetition)
    return arm(name).with_teacher(stage.settings.teacher), dataclasses.replace(numbers, optimisation=seeded)


def describe(stage: Stage, run: str) -> pd.Series:
    """What the arm is and what it is trained on, as a table."""
    chosen, numbers = plan(stage, run)
    return pd.Series(
        {
            "arm": f"{chosen.name}: {chosen.summary}",
            "stems": ", ".join(chosen.paths),
            "self-distilled": ", ".join(entry.path for entry in chosen.self_distillation) or "none",
            "restored where masked": ", ".join(entry.path for entry in chosen.masking) or "none",
            "optical teacher": ", ".join(
                f"{entry.teacher} ({', '.join(f'{token} x {weight:g}' for token, weight in entry.tokens)}) through the "
                f"{entry.path} stem" for entry in chosen.distillation
            ) or "none",
            "student": numbers.trunk,
            "images per step": ", ".join(f"{feed.batch} of {feed.source}" for feed in usable(chosen, numbers.feeds)),
            "steps": numbers.optimisation.steps,
            "seed": numbers.optimisation.seed,
        },
        name="value",
    )  # fmt: skip
