"""What the stage `pretrain` plans, and what it refuses before it starts."""

from dataclasses import replace

import pytest

from brew.errors import BrewError
from brew.stages import begin
from brew.stages.pretrain import _fabric, plan
from brew.stages.settings import load


def test_a_precision_that_the_losses_cannot_bear_is_refused():
    numbers = load("tiny").pretraining
    with pytest.raises(BrewError, match=r"'16-mixed'; expected one of 32-true, bf16-mixed"):
        _fabric(replace(numbers, precision="16-mixed"))
    assert _fabric(replace(numbers, precision="bf16-mixed")).world_size == 1


def test_a_repetition_differs_from_its_arm_in_the_seed_alone():
    stage = begin("tiny")
    (first, numbers), (again, others) = plan(stage, "deo"), plan(stage, "deo-seed3")
    assert first == again
    assert others.optimisation.seed == numbers.optimisation.seed + 3
    assert replace(others, optimisation=numbers.optimisation) == numbers
    with pytest.raises(BrewError, match="did you mean 'deo'"):
        plan(stage, "doe-seed1")
