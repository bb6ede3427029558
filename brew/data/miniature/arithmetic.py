"""Arithmetic on images that every device rounds alike.

Masks are floats, 0.0 or 1.0: on a CPU float masks are several times faster than booleans.
"""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor


class Lookup:
    """Reads many tables (batch, entries) at one index image."""

    def __init__(self, index: Float[Tensor, "batch y x"], entries: int) -> None:
        self.shape = index.shape
        start = torch.arange(len(index), device=index.device, dtype=torch.int32) * entries
        self.flat = (index.to(torch.int32) + start[:, None, None]).view(-1)

    def __call__(self, table: Tensor) -> Tensor:
        return table.to(self.flat.device).reshape(-1).index_select(0, self.flat).view(self.shape)


def total(terms: Iterable[Tensor]) -> Tensor:
    """The sum of fresh tensors, in order, in the memory of the first."""
    first, *others = terms
    for term in others:
        first += term
    return first


def positive(values: Tensor) -> Tensor:
    """1.0 where the values are positive, else 0.0."""
    return torch.sign(values).clamp_min_(0)


def equals(image: Tensor, value: int) -> Tensor:
    """1.0 where the image of whole numbers holds `value`."""
    return (image - value).abs_().neg_().add_(1).clamp_min_(0)


def put(base: Tensor, mask: Tensor, value: Tensor | float) -> Tensor:
    """`value` where the mask is 1, `base` where it is 0, both exactly."""
    if not isinstance(value, Tensor):
        value = base.new_full((1, 1, 1), value)
    return torch.lerp(base, value, mask)


def modulo(value: Tensor, by: int) -> Tensor:
    """The remainder of division by `by`, in [0, by)."""
    return value - torch.floor(value * (1 / by)) * by


def triangle_wave(phase: Tensor) -> Tensor:
    """A wave of period 1 and mean 0 between -1 and 1."""
    return phase.frac().abs_().sub_(0.5).abs_().mul_(4).sub_(1)


def between(uniform: Tensor, low: Tensor | float, high: Tensor | float) -> Tensor:
    """Uniform draws in [0, 1) stretched to [low, high)."""
    return low + uniform * (high - low)


def choose(uniform: Tensor, probabilities: Tensor) -> Tensor:
    """Index into the last dimension of `probabilities` (..., options) by inversion of `uniform` (...)."""
    edges = probabilities.cumsum(-1)
    return (uniform[..., None] * edges[..., -1:] >= edges[..., :-1]).sum(-1)
