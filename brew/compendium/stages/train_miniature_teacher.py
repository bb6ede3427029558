"""`make teacher`: train the miniature's optical teacher again and write its weights and hash to `data/weights`.

A foundation model knows more than a student can learn by itself. So this teacher sees many more optical images than any
arm of the compendium; they are rendered while it trains, from a world seed that no store uses. Its weights are in git,
with their hash. The training takes about half an hour on two cores; an interrupted run goes on where it stopped.
"""

import argparse
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from brew.compendium import launching
from brew.data.miniature.feed import RenderedFeed
from brew.files import ROOT, SCRATCH, WEIGHTS
from brew.pretraining.optimisation import Optimisation
from brew.pretraining.self_distilled_teacher import train_transformer
from brew.views import ViewSettings


@dataclass(frozen=True)
class TeacherTraining:
    """Numbers of the teacher's training.

    world_seed: of its scenes; no store uses it. scenes: how many are seen, each once. size: of a scene's multispectral
    image in pixels; its optical one has four times as many per side. depth: blocks of the network.
    """

    scenes: int = 102_400
    batch_size: int = 128
    size: int = 32
    world_seed: int = 7_001
    learning_rate: float = 1e-3
    depth: int = 4
    precision: Literal["32-true", "bf16-mixed"] = "bf16-mixed"
    views: ViewSettings = field(
        default_factory=lambda: ViewSettings(
            global_size=48, local_size=24, locals=2, global_area=(0.15, 0.6), local_area=(0.04, 0.15), blur_kernel=5
        )
    )


def train_miniature_teacher(training: TeacherTraining, weights: Path, unfinished: Path, seed: int = 0) -> None:
    """Train the teacher and write it to `weights`, its hash beside it. Resumes from `unfinished`."""
    fabric = launching.here(training.precision)
    steps = training.scenes // training.batch_size
    feed = RenderedFeed("teacher", training.world_seed, training.scenes, training.batch_size, training.size,
                        device=fabric.device)  # fmt: skip
    optimisation = Optimisation(
        steps=steps, learning_rate=training.learning_rate, momentum=(0.99, 1.0), hidden=512, seed=seed
    )
    provenance = {
        "scenes": steps * training.batch_size,
        "world seed": training.world_seed,
        "batch": training.batch_size,
        "ground sampling distance (m)": 2.5,
    }
    train_transformer([feed], training.views, optimisation, weights, unfinished, fabric, provenance, training.depth)


def main(arguments: list[str]) -> int:
    """`brew teacher`."""
    about = "Train the miniature's optical teacher again: half an hour on two cores."
    argparse.ArgumentParser(prog="brew teacher", description=about).parse_args(arguments)
    weights = WEIGHTS / "miniature-teacher.pt"
    train_miniature_teacher(TeacherTraining(), weights, SCRATCH / "unfinished" / weights.name)
    print(f"{weights.relative_to(ROOT)} written, its hash beside it")
    return 0
