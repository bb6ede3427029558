"""Stochastic depth whose draws are an argument, so that no generator's state decides what a sample sees.

Source: Huang et al. 2016 (arXiv 1603.09382), torchvision's "row" mode: each sample keeps or loses a whole branch.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor


def drop_probabilities(blocks: int, last: float) -> list[float]:
    """Of each block: rising linearly from 0 at the first to `last`."""
    return torch.linspace(0, last, blocks, dtype=torch.float64, device="cpu").tolist()


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
    if fixed_count:
        survivors = max(1, round(len(x) * (1 - probability)))
        return _add_branch(x, branch, draw.topk(survivors).indices, len(x) / survivors)
    survives = draw >= probability
    # How many survive is known without a wait on the CPU alone. If none does, gradients are zero rather than absent.
    if draw.device.type == "cpu" and survives.any():
        return _add_branch(x, branch, survives.nonzero().flatten(), 1 / (1 - probability))
    y = branch(x)
    return x + y * (survives.to(y.dtype) / (1 - probability)).view(-1, *(1,) * (x.ndim - 1))


def _add_branch(x: Tensor, branch: Callable[[Tensor], Tensor], samples: Tensor, scale: float) -> Tensor:
    """x, to which the scaled branch of these samples is added, computed for them alone."""
    return x.index_add(0, samples, branch(x.index_select(0, samples)).to(x.dtype), alpha=scale)
