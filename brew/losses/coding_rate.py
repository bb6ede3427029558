"""The coding rate of a batch of features, and the expansion term that keeps a student from collapsing.

Source: SimDINO (Wu et al. 2025, arXiv 2502.10385, equations 5-7), as used by DEO (arXiv 2602.19863, section 3) and its
released code. Left out: the reduction over processes itself, which the caller passes in as a function.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from brew.errors import BrewError, unknown

_SOURCES = ("mean", "student")


def coding_rate(
    features: Float[Tensor, "*views batch width"],
    eps: float = 0.05,
    processes: int = 1,
    half_logdet: bool = True,
    covariance_reduce: Callable[[Tensor], Tensor] | None = None,
    watch: Callable[[Tensor], None] | None = None,
) -> Float[Tensor, "*views"]:
    """R = logdet(I + p / (B N eps) W^T W) of features W (B x p), through a Cholesky factor, in float32.

    features: L2-normalised head outputs; leading dimensions are separate feature matrices with a rate each.
    eps: allowed squared distortion per feature vector; the smaller, the larger R.
    processes: N, so that B N is the size of the whole batch.
    half_logdet: sum the logarithm of the factor's diagonal, as the released code does. That is half of the
        log-determinant; False gives the paper's R, twice as large.
    covariance_reduce: sums W^T W (``*views width width``) over processes, differentiably. None keeps it local while N
        still scales it, as the released code does by default; that is right if N = 1.
    watch: is given X of R = logdet(I + X), detached, (``*views n n``); X is taken from W^T W or from W W^T, whichever
        is smaller.

    float32 means that matrix products must not be rounded to TF32 either (torch's default).
    Raises BrewError if the factorisation fails; on an accelerator, which this does not wait for, the rate is NaN
    instead. In bfloat16 it does fail: see tests/losses/test_coding_rate.py.
    """
    if not eps > 0:
        raise BrewError(f"eps is {eps}; expected a number above 0. The paper's command sets 0.05")
    batch, width = features.shape[-2:]
    if not batch:
        raise BrewError("no feature is given; expected a batch of at least one")
    with torch.autocast(features.device.type, enabled=False):
        rows = features.float()
        scale = width / (batch * processes * eps)
        # det(I + W^T W) = det(I + W W^T): the smaller of both matrices. Only W^T W can be summed over processes.
        gram = rows @ rows.mT if covariance_reduce is None and batch < width else rows.mT @ rows
        if covariance_reduce is not None:
            gram = covariance_reduce(gram)
        scaled = scale * gram
        if watch is not None:
            watch(scaled.detach())
        factor, info = torch.linalg.cholesky_ex(torch.eye(gram.shape[-1], device=gram.device) + scaled)
        half = factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        if info.is_cuda:  # a look at `info` would wait for the device in every step
            half = half.masked_fill(info != 0, torch.nan)
        elif info.any():
            raise _no_factor(rows)
        return half if half_logdet else 2 * half


def expansion(
    student: Float[Tensor, "globals batch width"],
    teacher: Float[Tensor, "globals batch width"],
    eps: float = 0.05,
    processes: int = 1,
    on: str = "mean",
    half_logdet: bool = True,
    covariance_reduce: Callable[[Tensor], Tensor] | None = None,
    watch: Callable[[Tensor], None] | None = None,
) -> Float[Tensor, ""]:
    """Mean coding rate of the global views, times (p + N B) / (p N B).

    student, teacher: L2-normalised head outputs of the same global views, in the same order.
    on: ``"mean"`` takes W = (student + teacher) / 2, the released default; ``"student"`` the student's output alone.
    Other arguments and errors as in `coding_rate`.
    """
    if on not in _SOURCES:
        raise unknown("expansion on", on, _SOURCES)
    features = student.float() if on == "student" else (student.float() + teacher.float()) / 2
    batch, width = features.shape[1:]
    everything = processes * batch
    rates = coding_rate(features, eps, processes, half_logdet, covariance_reduce, watch)
    return rates.mean() * (width + everything) / (width * everything)


def _no_factor(rows: Tensor) -> BrewError:
    odd = int((~rows.isfinite()).sum())
    found = f"{odd} of {rows.numel()} features are NaN or infinite" if odd else "all features are finite"
    largest = rows.nan_to_num().norm(dim=-1).max().item()
    return BrewError(
        f"the coding rate's matrix is not positive definite: {found}, longest row {largest:.3g}; expected finite rows "
        "of length at most 1. Look at the head's outputs (normalised in float32, outside autocast?), at the learning "
        "rate and gradient scale of the last steps, and at covariance_reduce if there is one"
    )
