"""Rounding noise on purpose: every training starts from weights that differ by one part in ten million.

So many reruns of one machine tell how far rounding alone carries a score: another processor's sums differ as little at
every step. A hook on torch's optimisers nudges what is trained before its first step: students, decoders, siamese
networks. Left out: what is not trained by steps, such as linear probes and frozen backbones.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

import torch
from torch.optim.optimizer import Optimizer, register_optimizer_step_pre_hook
from torch.utils.hooks import RemovableHandle

from brew import randomness

#: Of a weight's size: float32's own rounding.
_SIZE = 1e-7


@cache
def use(number: int) -> RemovableHandle:
    """Nudge every training of this process, and of those that it forks. number: which noise, keyed."""

    def before_first_step(optimiser: Optimizer, arguments: tuple[Any, ...], named: Mapping[str, Any]) -> None:
        if not optimiser.state:  # a training that is gone on with was nudged at its start
            nudge(optimiser, number)

    return register_optimizer_step_pre_hook(before_first_step)


@torch.no_grad()
def nudge(optimiser: Optimizer, number: int) -> None:
    """Multiply every weight by one plus keyed noise of deviation 1e-7; all processes of a training draw the same."""
    parameters = [each for group in optimiser.param_groups for each in group["params"]]
    for index, parameter in enumerate(parameters):
        key = randomness.key(number, f"nudge/{index}")
        generator = torch.Generator().manual_seed(key)
        noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        parameter.mul_((1 + _SIZE * noise).to(parameter))
