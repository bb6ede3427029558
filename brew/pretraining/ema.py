"""The multispectral teacher: an exponential moving average of the student, paired by name."""

import copy

import torch
from torch import nn

from brew.errors import BrewError


def moving_average_of(student: nn.Module) -> nn.Module:
    """A frozen copy of `student` in evaluation mode: the teacher before its first update."""
    return copy.deepcopy(student).requires_grad_(False).eval()


@torch.no_grad()
def update_moving_average(teacher: nn.Module, student: nn.Module, momentum: float) -> None:
    """teacher <- momentum * teacher + (1 - momentum) * student, for every parameter, in one fused call.

    Parameters are paired by name (the released code pairs them by position, which a reordered module would break
    silently). Buffers are constants of the trunks and are not averaged.
    """
    target, source = dict(teacher.named_parameters()), dict(student.named_parameters())
    if target.keys() != source.keys():
        odd = sorted(target.keys() ^ source.keys())
        raise BrewError(
            f"teacher and student differ in parameters {odd[:3]}; expected the same names; build both alike"
        )
    torch._foreach_lerp_(list(target.values()), [source[name] for name in target], 1 - momentum)
