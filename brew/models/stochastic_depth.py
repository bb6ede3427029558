"""Stochastic depth whose draws are an argument, so that no generator's state decides what a sample sees.

Source: Huang et al. 2016 (arXiv 1603.09382), torchvision's "row" mode: each sample keeps or loses a whole branch.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor


def drop_probabilities(blocks: int, last: float) -> list[float]:
    """Of each block: rising linearly from 0 at the first to `last`."""
    return torch.linspace(0, last, blocks, dtype=torch.float64, device="cpu").tolist()


@dataclass(frozen=True)
class Survivors:
    """Samples whose branch is computed, and what it is multiplied by. samples: None for all."""

    samples: Int64[Tensor, " sample"] | None = None
    scale: float = 1.0

    def parts(self, batch: int, at_once: int) -> Sequence[slice | Tensor]:
        """Which samples pass together, at most `at_once`; a slice or indices."""
        if self.samples is None:
            return [slice(start, min(start + at_once, batch)) for start in range(0, batch, at_once)]
        return self.samples.split(at_once) if len(self.samples) else ()


def survivors(draw: Float[Tensor, " batch"] | None, probability: float, fixed_count: bool = False) -> Survivors:
    """Samples whose draw in [0, 1) is not below `probability`; arguments as in `residual`. Waits for an accelerator."""
    if draw is None or probability == 0:
        return Survivors()
    if fixed_count:
        number = max(1, round(len(draw) * (1 - probability)))
        return Survivors(draw.topk(number).indices, len(draw) / number)
    survives = draw >= probability
    return Survivors(None if survives.all() else survives.nonzero().flatten(), 1 / (1 - probability))


def residual(
    x: Float[Tensor, "batch *rest"],
    branch: Callable[[Tensor], Tensor],
    draw: Float[Tensor, " batch"] | None,
    probability: float,
    fixed_count: bool = False,
) -> Float[Tensor, "batch *rest"]:
    """x + branch(x); samples whose draw in [0, 1) is below `probability` go without their branch.

    The other branches are scaled so that the sum's mean stays. draw: None drops nothing (evaluation).
    fixed_count: always the same share of a batch survives (to the nearest sample, at least one): the highest draws.
    Then an accelerator, too, computes surviving branches alone, but what a sample sees depends on its batch.
    """
    if draw is None or probability == 0:
        return x + branch(x)
    # How many survive is known without a wait on the CPU alone. If none does, gradients are zero rather than absent.
    if fixed_count or (draw.device.type == "cpu" and (draw >= probability).any()):
        chosen = survivors(draw, probability, fixed_count)
        if chosen.samples is None:
            return torch.add(x, branch(x).to(x.dtype), alpha=chosen.scale)
        y = branch(x.index_select(0, chosen.samples)).to(x.dtype)
        return x.index_add(0, chosen.samples, y, alpha=chosen.scale)
    y = branch(x)
    survives = (draw >= probability).to(y.dtype)
    return x + y * (survives / (1 - probability)).view(-1, *(1,) * (x.ndim - 1))
