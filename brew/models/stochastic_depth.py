"""Stochastic depth whose draws are an argument, so that no generator's state decides what a sample sees.

Source: Huang et al. 2016 (arXiv 1603.09382), torchvision's "row" mode: each sample keeps or loses a whole branch.
"""

import torch
from jaxtyping import Float
from torch import Tensor


def drop_probabilities(blocks: int, last: float) -> list[float]:
    """Of each block: rising linearly from 0 at the first to `last`."""
    return torch.linspace(0, last, blocks, dtype=torch.float64, device="cpu").tolist()


def survive(
    branch: Float[Tensor, "batch *rest"], draw: Float[Tensor, " batch"] | None, probability: float
) -> Float[Tensor, "batch *rest"]:
    """A residual branch, zero for samples whose draw in [0, 1) is below `probability`, else scaled by its inverse odds.

    draw: None keeps every sample as it is (evaluation).
    """
    if draw is None or probability == 0:
        return branch
    scale = (draw >= probability).to(branch.dtype) / (1 - probability)
    return branch * scale.view(-1, *(1,) * (branch.ndim - 1))
