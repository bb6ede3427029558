"""How sound the self-distillation heads are: do their outputs still differ, can their covariance be factorised?

All numbers come from matrices that the coding rate has at hand, so no trained bit depends on them and they cost little.

Sources: the participation ratio as an effective rank (Gao et al. 2017, doi:10.1101/214262); collapse as in Jing et al.
2022 (arXiv 2110.09348).
"""

import math
from collections.abc import Iterable, Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

RANK, CONDITION = "effective rank of ", "condition of "
#: Below this effective rank a head's outputs are nearly one direction.
COLLAPSED_RANK = 2.0


def head_health(covariances: Mapping[str, Float[Tensor, "view n n"]]) -> dict[str, Tensor]:
    """Two numbers per self-distilled path, named "effective rank of PATH" and "condition of PATH".

    covariances: per path, the matrix X of the coding rate's log det(I + X), one per global view.
    The effective rank is (sum of X's eigenvalues)^2 / (sum of their squares), the mean over views. It is 1 if all
    outputs are one vector, and at most the smaller of batch and width.
    The condition bounds the 2-norm condition number of the Cholesky factor of I + X over the views. It is the square
    root of 1 + |X|, in the Frobenius norm.
    """
    measured = {}
    for path, each in covariances.items():
        size = torch.linalg.matrix_norm(each)
        trace = each.diagonal(dim1=-2, dim2=-1).sum(-1)
        measured[RANK + path] = (trace / size).square().mean()
        measured[CONDITION + path] = (1 + size).sqrt().max()
    return measured


def collapsed_paths(row: Mapping[str, float | int]) -> list[str]:
    """The paths whose effective rank in a row of the history is below `COLLAPSED_RANK`."""
    ranks = {name.removeprefix(RANK): value for name, value in row.items() if name.startswith(RANK)}
    return [path for path, value in ranks.items() if value < COLLAPSED_RANK]


def first_not_finite(values: Iterable[tuple[str, float | int]]) -> str | None:
    """The name of the first value that is NaN or infinite."""
    return next((name for name, value in values if not math.isfinite(value)), None)


def worst_weight(module: nn.Module) -> str:
    """Which parameter is the first that holds NaN or infinity, else which holds the largest weight, in words.

    This waits for the device.
    """
    largest = {name: weight.detach().abs().max().item() for name, weight in module.named_parameters()}
    if (first := first_not_finite(largest.items())) is not None:
        return f"parameter {first!r} is the first that is not finite"
    name = max(largest, key=largest.__getitem__)
    return f"all weights are finite; the largest, {largest[name]:.3g}, is in {name!r}"
