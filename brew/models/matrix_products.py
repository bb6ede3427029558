"""Matrix products of linear layers with given weights, in the precision that autocast asks for.

Many processors have no units for 16-bit numbers, and libraries then compute such products many times slower than in
float32. A 16-bit product is a float32 sum of rounded factors. So there the factors are widened, multiplied in float32,
and the result is rounded.
"""

from contextlib import AbstractContextManager, nullcontext
from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor, nn

_ASK = {torch.bfloat16: "_is_mkldnn_bf16_supported", torch.float16: "_is_mkldnn_fp16_supported"}


@cache
def has_units(dtype: torch.dtype) -> bool:
    """Whether this processor multiplies numbers of that type by units of its own."""
    return dtype not in _ASK or bool(getattr(torch.ops.mkldnn, _ASK[dtype])())


def asked_for(x: Tensor) -> torch.dtype:
    """The type of a linear layer's output on `x`: autocast's if it is on."""
    kind = x.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) and x.dtype != torch.float64 else x.dtype


def lacks_units(x: Tensor) -> bool:
    """Whether autocast asks for products of a type that the processor of `x` has no units for."""
    kind = x.device.type
    return kind == "cpu" and torch.is_autocast_enabled(kind) and not has_units(torch.get_autocast_dtype(kind))


def asked_precision(x: Tensor) -> AbstractContextManager[object]:
    """Autocast as it is, or off if the processor of `x` has no units for it."""
    return torch.autocast(x.device.type, enabled=False) if lacks_units(x) else nullcontext()


def applied(layer: nn.Module, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*other"]:
    """layer(x), for a layer of products, with a result of the type that autocast asks for."""
    if not lacks_units(x):
        return layer(x)
    dtype = asked_for(x)
    with asked_precision(x):
        return layer(x.to(torch.promote_types(x.dtype, torch.float32))).to(dtype)


def product(
    left: Float[Tensor, "rows inner"], right: Float[Tensor, "inner columns"], dtype: torch.dtype
) -> Float[Tensor, "rows columns"]:
    """left @ right for factors and a result of type `dtype`."""
    factor = dtype if has_units(dtype) else torch.float32
    return torch.mm(left.to(factor), right.to(factor)).to(dtype)


def linear(
    x: Float[Tensor, "rows inputs"],
    weight: Float[Tensor, "outputs inputs"],
    bias: Float[Tensor, " outputs"],
    dtype: torch.dtype,
) -> Float[Tensor, "rows outputs"]:
    """x @ weight.T + bias for factors and a result of type `dtype`."""
    factor = dtype if has_units(dtype) else torch.float32
    return torch.addmm(bias.to(factor), x.to(factor), weight.to(factor).t()).to(dtype)
