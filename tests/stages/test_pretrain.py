"""What the stage `pretrain` refuses before it starts."""

from dataclasses import replace

import pytest

from brew.errors import BrewError
from brew.stages.pretrain import _fabric
from brew.stages.settings import load


def test_a_precision_that_the_losses_cannot_bear_is_refused():
    numbers = load("tiny").pretraining
    with pytest.raises(BrewError, match=r"'16-mixed'; expected one of 32-true, bf16-mixed"):
        _fabric(replace(numbers, precision="16-mixed"))
    assert _fabric(replace(numbers, precision="bf16-mixed")).world_size == 1
