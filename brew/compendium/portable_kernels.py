"""Kernels that give the same bits on every x86 processor with AVX2, at the speed of its own.

MKL keeps one order of sums on processors of all makers in its oldest branch alone, which is several times slower. Its
square root, logarithm to base 10, arcus tangent and Cholesky factor differ even there: they begin with the processor's
approximate reciprocals, which no standard fixes. NumPy's square root is exact, and its OpenBLAS lets kernels be named.
So these operators of torch go through NumPy here, each by the memory of its tensors.

What NumPy has no kernel for (half precision, whole-number products) goes to torch as before. Left out: the products
inside torch's fused attention and other factorisations, which stay with MKL (record 0036).
"""

import warnings
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

#: What NumPy's OpenBLAS has kernels for.
_KINDS = (torch.float32, torch.float64)


@cache
def use() -> torch.library.Library:
    """Let the operators of this process, and of those that it forks, go through NumPy; asked again, nothing happens.

    Whoever drops the result, which is kept here, would have torch's own kernels again.
    """
    library = torch.library.Library("aten", "IMPL")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch says that a kernel is replaced
        for name, kernel in _KERNELS.items():
            library.impl(name, _or_torch(name, kernel), "CPU", allow_override=True)
    return library


def _or_torch(name: str, ours: Callable[..., Any]) -> Callable[..., Any]:
    """`ours` if NumPy can, else what torch does for the operator `name`."""
    torch_kernel = torch.library.get_kernel(f"aten::{name}", "CPU")
    keys = torch._C.DispatchKeySet(torch._C.DispatchKey.CPU)

    def chosen(*tensors: Tensor, **options: Any) -> Any:
        able = all(each.dtype in _KINDS and not (each.is_conj() or each.is_neg()) for each in tensors)
        fits = len(tensors) == 1 or _fits(*tensors[-2:])
        return ours(*tensors, **options) if able and fits else torch_kernel.call_boxed(keys, *tensors, **options)

    return chosen


def _fits(left: Tensor, right: Tensor) -> bool:
    """Whether the two can be multiplied; torch says what is wrong if not."""
    return left.dtype == right.dtype and left.shape[-1] == right.shape[-2] and left.shape[:-2] == right.shape[:-2]


def product(left: Tensor, right: Tensor) -> Tensor:
    """left: (..., rows, inner). right: (..., inner, columns)."""
    out = left.new_empty(*left.shape[:-1], right.shape[-1])
    np.matmul(_matrices(left), _matrices(right), out=out.numpy())
    return out


def weighted_sum(summand: Tensor, left: Tensor, right: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """``beta * summand + alpha * left @ right``; a summand of weight 0 may hold anything."""
    out = product(left, right)
    if alpha != 1:
        out.mul_(alpha)
    return out.add_(summand.detach(), alpha=beta) if beta else out


def elementwise(function: np.ufunc, values: Tensor) -> Tensor:
    """The function of each value, in the memory order of `values`."""
    out = torch.empty_like(values.detach())
    with np.errstate(all="ignore"):  # NaN and infinity come out as from torch
        function(values.detach().numpy(), out=out.numpy())
    return out


def square_root_in_place(values: Tensor) -> Tensor:
    return values.copy_(elementwise(np.sqrt, values))


def cholesky(matrices: Tensor, *, upper: bool = False, check_errors: bool = False) -> tuple[Tensor, Tensor]:
    """Lower or upper factors of symmetric matrices (..., n, n), and per matrix 0, or 1 if it is not positive definite.

    Raises torch's LinAlgError for such a matrix if `check_errors` asks for it.
    """
    flat = (matrices.mT if upper else matrices).detach().reshape(-1, *matrices.shape[-2:]).numpy()
    factors, info = np.full_like(flat, np.nan), np.zeros(len(flat), np.int32)
    for index, matrix in enumerate(flat):
        try:
            factors[index] = np.linalg.cholesky(matrix)
        except np.linalg.LinAlgError:
            info[index] = 1
    if check_errors and info.any():
        raise torch.linalg.LinAlgError(  # type: ignore[attr-defined]
            "linalg.cholesky: the input is not positive-definite"
        )
    found = torch.from_numpy(factors).view(matrices.shape)
    return found.mT if upper else found, torch.from_numpy(info).view(matrices.shape[:-2])


def _matrices(tensor: Tensor) -> np.ndarray:
    """The tensor's memory, copied only if neither its rows nor its columns lie in one piece."""
    one_piece = 1 in tensor.stride()[-2:]
    return (tensor if one_piece else tensor.contiguous()).detach().numpy()


_KERNELS: Mapping[str, Callable[..., Any]] = {
    "mm": product,
    "bmm": product,
    "addmm": weighted_sum,
    "baddbmm": weighted_sum,
    "sqrt": partial(elementwise, np.sqrt),
    "sqrt_": square_root_in_place,
    "log10": partial(elementwise, np.log10),
    "atan": partial(elementwise, np.arctan),
    "linalg_cholesky_ex": cholesky,
}
