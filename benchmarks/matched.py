"""How many steps of one arm cost as much as another's: operations of a training step, counted by torch.

Counted are the moving average's and the frozen teachers' forward, the student's forward and backward and the losses, at
a scale's sizes: `python -m benchmarks.matched --scale study`. From it comes the number of steps of the compute-matched
arm. Left out: views, stochastic depth, and everything but matrix products and convolutions.
"""

import argparse
from collections.abc import Iterator
from unittest.mock import patch

import pandas as pd
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from benchmarks.arithmetic import flops
from brew.compendium import settings
from brew.compendium.settings import Settings
from brew.data.batches import Batch
from brew.models.student import build_student
from brew.models.swin import Block
from brew.models.teachers import TEACHERS
from brew.pretraining import feeds
from brew.pretraining.arms import arm
from brew.pretraining.ema import moving_average_of
from brew.pretraining.learner import Learner, Noise, SelfProjector
from brew.pretraining.loop import targets_of
from brew.pretraining.objective import similarities

ARMS = ("ms-only", "ms+optical-path", "deo", "masked+distillation")
_IMAGES = 4


class _Blank:
    """Images without content, as views are made from."""

    name = "blank"

    def __len__(self) -> int:
        return 1

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[Batch]:
        multispectral = torch.ones(_IMAGES, 10, 64, 64, dtype=torch.uint16)
        optical = torch.ones(_IMAGES, 3, 64, 64, dtype=torch.uint8)
        yield Batch(torch.arange(_IMAGES), {"multispectral": multispectral, "optical": optical})


def image_flops(found: Settings, name: str) -> float:
    """Operations per training image of the arm of that name, at the sizes of `found`."""
    numbers, chosen = found.pretraining, arm(name).with_teacher(found.teacher)
    teachers = {each: TEACHERS[each].build(random=True) for each in chosen.teachers}
    student = build_student(numbers.trunk, chosen.paths, stochastic_depth=0.0, maskable=bool(chosen.masking), seed=0)
    learner = Learner(student, chosen, teachers, numbers.optimisation.width, numbers.optimisation.hidden)
    own_teacher = moving_average_of(learner.own)
    assert isinstance(own_teacher, SelfProjector)
    batch, epoch = feeds.views_of_step([_Blank()], [feeds.stream(_Blank(), 0)], chosen, numbers.views, 0)

    def step() -> None:
        targets = targets_of(own_teacher, teachers, batch, None)
        projections = learner(batch, Noise(0, epoch, "student"))
        _, similarity = similarities(
            chosen, batch, projections, *targets, epsilon=0.05, skip_same_view=True, half_logdet=True
        )
        (-similarity).backward()

    # torch counts an attention where it is matrix products; what a CPU computes anew is no part of the method.
    with sdpa_kernel(SDPBackend.MATH), patch.object(Block, "together", Block.apart):
        return flops(step) / _IMAGES


def table(found: Settings, reference: str = "ms-only") -> pd.DataFrame:
    """Per arm: GFLOP per training image, and the steps of `reference` that cost as much as the arm's own."""
    counted = pd.Series({name: image_flops(found, name) for name in ARMS})
    steps = (counted / counted[reference] * found.pretraining.optimisation.steps).round().astype(int)
    return pd.DataFrame({"GFLOP per image": counted / 1e9, f"steps of {reference}": steps})


def main() -> None:
    """Print the table of a scale."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.matched", description=main.__doc__)
    parser.add_argument("--scale", default="study")
    print(table(settings.load(parser.parse_args().scale)).to_string(float_format="%.3f"))


if __name__ == "__main__":
    main()
