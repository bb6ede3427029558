"""Alignment of a place's patches on two dates, with a choice where they may differ.

Source: the paper's outlook ("temporal alignment"); nobody has published it for this method. Left out: pooled vectors
over time, which are `alignment` on two dates' outputs.
"""

import torch
from jaxtyping import Float
from torch import Tensor


def patches_over_time(
    teacher: Float[Tensor, "view batch width y x"],
    student: Float[Tensor, "view batch width y x"],
    met: Float[Tensor, "view batch y x"] | None,
) -> Float[Tensor, ""]:
    """Mean over all patches of the cosine between the teacher's on one date and the student's on another.

    teacher, student: unit vectors. met: 1 for patches that are compared, 0 for those that may differ, which count as 0;
    None compares all.
    """
    cosine = (teacher * student).sum(2)
    return (cosine if met is None else cosine * met).mean()


@torch.no_grad()
def likeness(
    one: Float[Tensor, "view batch width y x"], other: Float[Tensor, "view batch width y x"], least: float
) -> Float[Tensor, "view batch y x"]:
    """1 for patches that the teacher itself finds alike on both dates: their cosine is at least `least`. Else 0."""
    return ((one * other).sum(2) >= least).to(one.dtype)
