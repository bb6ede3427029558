"""Fused attention through Triton's interpreter, compared with torch: prints numbers for `test_fused_window_attention`.

A process of its own, since Triton decides when it is imported whether its interpreter runs kernels.
"""

import json
import sys
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from brew.errors import BrewError
from brew.models import fused_window_attention
from brew.models.fused_window_attention import fused_attention
from brew.models.swin import WindowAttention

#: Images, windows of one, those with a bias of their own, heads, queries, keys, width of a head, programs.
SIZES = {
    "window of 7": (3, 1, 1, 1, 49, 49, 32, 2),
    "shifted windows of 7 with a padding key": (2, 2, 2, 1, 49, 50, 32, 1024),
    "window of 4": (2, 1, 1, 2, 16, 16, 24, 1024),
    "window of 12": (2, 1, 1, 1, 144, 144, 32, 9),
    "window of 12 with a padding key": (1, 1, 1, 1, 144, 145, 16, 1024),
    "part of a window": (3, 2, 1, 2, 9, 10, 8, 4),
}
IN_16_BIT = ("shifted windows of 7 with a padding key", "window of 12 with a padding key", "part of a window")
#: Rows and columns of a map, window, shift, width and heads.
MAPS = {
    "shifted, masked": (14, 7, 7, 3, 16, 2),
    "padded": (5, 9, 4, 2, 16, 1),
    "one window along an axis": (9, 5, 7, 3, 16, 1),
    "within one window": (3, 3, 12, 6, 16, 2),
}


def attention(q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
    """In plain torch."""
    logits = (q @ k.mT * q.shape[3] ** -0.5).unflatten(0, (-1, len(bias))) + bias
    return logits.flatten(0, 1).softmax(-1) @ v


def arguments(name: str, dtype: torch.dtype) -> tuple[list[Tensor], Tensor]:
    """q, k, v and bias, and a weight for every output."""
    images, windows, own, heads, queries, keys, width, fused_window_attention.PROGRAMS = SIZES[name]
    generator = torch.Generator().manual_seed(len(name))
    shapes = [(images * windows, heads, tokens, width) for tokens in (queries, keys, keys, queries)]
    *given, weight = (torch.randn(shape, generator=generator).to(dtype) for shape in shapes)
    bias = torch.randn(own, heads, queries, keys, generator=generator)
    bias[0, :, : queries // 2, : keys // 3] -= 100  # as between regions of a shifted window
    return [each.requires_grad_() for each in (*given, bias.to(dtype))], weight


def results(attend: Callable[..., Tensor], given: list[Tensor], weight: Tensor) -> list[Tensor]:
    """The output and the gradients of all four arguments."""
    y = attend(*given)
    return [y.detach(), *torch.autograd.grad((y * weight).sum(), given)]


def differences(found: list[Tensor], expected: list[Tensor]) -> list[float]:
    """Of each pair the norm of the difference, as a share of the expected norm."""
    pairs = zip(found, expected, strict=True)
    return [((one.double() - other).norm() / other.norm().clamp(min=1e-12)).item() for one, other in pairs]


def kernels(dtype: torch.dtype, names: tuple[str, ...]) -> Iterator[tuple[str, list[float]]]:
    for name in names:
        given, weight = arguments(name, dtype)
        precise = [each.detach().double().requires_grad_() for each in given]
        found, expected = results(fused_attention, given, weight), results(attention, precise, weight.double())
        yield name, differences(found, expected)


def modules() -> Iterator[tuple[str, list[float]]]:
    """A module's output and the gradients of its map and weights, with the kernels and with torch's attention."""
    for name, (rows, columns, window, shift, width, heads) in MAPS.items():
        torch.manual_seed(0)
        module, x = WindowAttention(width, heads, window, shift), torch.randn(2, rows, columns, width)
        leaves = [x.requires_grad_(), *module.parameters()]
        weight, both = torch.randn_like(x), []
        for module.fused in (True, False):
            y = module(x)
            both.append([y.detach(), *torch.autograd.grad((y * weight).sum(), leaves)])
        yield name, differences(*both)


def equal_bits() -> bool:
    given, weight = arguments("shifted windows of 7 with a padding key", torch.float32)
    both = (results(fused_attention, given, weight) for _ in range(2))
    return all(torch.equal(one, other) for one, other in zip(*both, strict=True))


def compiled() -> list[float]:
    """A compiler takes the kernels as single operators, without a break in its graph."""
    given, weight = arguments("part of a window", torch.float32)
    by_compiler = torch.compile(fused_attention, backend="aot_eager", fullgraph=True, dynamic=False)
    return differences(results(by_compiler, given, weight), results(fused_attention, given, weight))


def refused() -> Iterator[tuple[str, str]]:
    q = torch.zeros(2, 1, 4, 8)
    bias = torch.zeros(1, 1, 4, 4)
    calls = {
        "bias of other windows": (q, q, q, torch.zeros(3, 1, 4, 4)),
        "keys without values": (q, q, q[:, :, :3], bias),
        "width": (q[..., :7], q[..., :7], q[..., :7], bias),
        "many keys": (q, *[torch.zeros(2, 1, 257, 8)] * 2, torch.zeros(1, 1, 4, 257)),
        "float64": (q.double(), q.double(), q.double(), bias),
        "two types": (q, q.half(), q, bias),
    }
    for name, given in calls.items():
        try:
            fused_attention(*given)
            yield name, ""
        except BrewError as error:
            yield name, str(error)


if __name__ == "__main__":
    found = {
        "float32": dict(kernels(torch.float32, tuple(SIZES))),
        "float16": dict(kernels(torch.float16, IN_16_BIT)),
        "bfloat16": dict(kernels(torch.bfloat16, IN_16_BIT)),
        "modules": dict(modules()),
        "equal bits": equal_bits(),
        "compiled": compiled(),
        "refused": dict(refused()),
    }
    json.dump(found, sys.stdout)
