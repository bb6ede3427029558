"""Attention within windows as kernels of its own, for accelerators: neither logits nor weights reach memory.

A forward keeps one number per query, the log-sum-exp of its logits. The backward computes weights anew from it. The
bias is read once for a share of the images, and its gradient is summed in registers over that share. torch then sums
the shares. No atomic addition takes part, so a gradient has the same bits every time.

Left out: the CPU's path (`brew.models.swin_branches`), dropout, a second derivative. How to ask for these kernels, and
why they are written in Triton, stands in docs/decisions/0044-fused-window-attention.md.

Source: Dao et al. 2022 (arXiv 2205.14135) for what a backward computes anew; Liu et al. 2021 (arXiv 2103.14030) for
windows and their bias.
"""

from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from brew.errors import BrewError

_DTYPES = (torch.bfloat16, torch.float16, torch.float32)
_DEVICES = ("cuda", "xpu")
#: A program's logits at a time, and its queries and keys where it has only some of each. A compiler for an H100 keeps
#: so many in registers; twice as many do not fit into those of the backward.
_LOGITS_AT_ONCE = 4096
_TOKENS_AT_ONCE = 64
_MOST_KEYS, _MOST_WIDTH = 256, 128
#: A grid is to have so many programs; more would read the bias more often. Bits depend on it, so it is a constant.
PROGRAMS = 1024

Queries = Float[Tensor, "window head query d"]
Keys = Float[Tensor, "window head key d"]


def fused_attention(q: Queries, k: Keys, v: Keys, bias: Float[Tensor, "own_window head query key"]) -> Queries:
    """softmax(q k^T / sqrt(d) + bias) v in every window and head; differentiable once, in all four arguments.

    window: of all images, an image's windows one after the other. own_window: the windows of one image, or 1 if all
    are alike. d: a multiple of 8. q, k and v are of one type, of 16 or 32 bit. Products are summed in float32.

    Raises BrewError for other shapes and types, on a CPU without Triton's interpreter, and where Triton is absent.
    """
    _check(q, k, v, bias)
    return _FusedAttention.apply(q, k, v, bias)


def check_fused_attention(trunk: nn.Module, device: torch.device) -> None:
    """BrewError unless training `trunk` on `device` takes the kernels."""
    if not getattr(trunk, "fused_attention", False):
        raise BrewError(
            f"fused_attention is asked for, and the trunk is a {type(trunk).__name__} without it; expected a Swin that "
            "was built with it; set fused_attention: false, or build the student with fused_attention=True"
        )
    if device.type not in _DEVICES:
        raise BrewError(
            f"fused_attention is asked for on the device {device}, where nothing would use it; expected an accelerator "
            f"({', '.join(_DEVICES)}); set fused_attention: false, or train on such a machine"
        )
    _kernels()


def _kernels() -> ModuleType:
    try:
        from brew.models import window_attention_kernels
    except ImportError as absent:
        raise BrewError(
            f"Triton cannot be imported ({absent}); expected it beside torch, as wheels for Linux have it; install the "
            "package triton, or set fused_attention: false"
        ) from absent
    return window_attention_kernels


def _check(q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> None:
    (windows, heads, queries, width), keys = q.shape, k.shape[2]
    fits = k.shape == v.shape == (windows, heads, keys, width) and bias.shape[1:] == (heads, queries, keys)
    if not fits or not len(bias) or windows % len(bias):
        shapes = ", ".join(str(tuple(each.shape)) for each in (q, k, v, bias))
        raise BrewError(
            f"q, k, v and bias have shapes {shapes}; expected (window, head, query, d), (window, head, key, d) twice, "
            "and (windows of an image or 1, head, query, key); give arrays of these shapes"
        )
    if width % 8 or not 8 <= width <= _MOST_WIDTH or not 1 <= keys <= _MOST_KEYS:
        raise BrewError(
            f"heads have {width} numbers and windows {keys} keys; expected a multiple of 8 up to {_MOST_WIDTH}, and "
            f"at most {_MOST_KEYS} keys; set fused_attention: false for this trunk"
        )
    if q.dtype not in _DTYPES or not q.dtype == k.dtype == v.dtype:
        raise BrewError(
            f"q, k and v are {q.dtype}, {k.dtype} and {v.dtype}; expected one of {', '.join(map(str, _DTYPES))} for "
            "all three; convert them first"
        )


@dataclass(frozen=True)
class Launch:
    """Sizes of one call and the blocks that hold them. images: how many have the same bias in a window."""

    images: int
    pairs: int
    queries: int
    keys: int
    width: int

    @classmethod
    def of(cls, q: Tensor, k: Tensor, bias: Tensor) -> "Launch":
        return cls(len(q) // len(bias), len(bias) * q.shape[1], q.shape[2], k.shape[2], q.shape[3])

    @property
    def query_block(self) -> int:
        return min(_block(self.queries), max(16, _LOGITS_AT_ONCE // _block(self.keys)))

    @property
    def whole(self) -> bool:
        """Whether one block holds all queries."""
        return self.query_block >= self.queries

    @property
    def grid(self) -> tuple[int, int, int]:
        """Pairs, blocks of queries, shares of the images."""
        blocks = -(-self.queries // self.query_block)
        return self.pairs, blocks, max(1, min(self.images, PROGRAMS // (self.pairs * blocks)))

    def constants(self, by_keys: bool = False) -> dict[str, int]:
        """Of a compiled kernel. by_keys: of the one whose programs have some of the keys, and all queries in turn."""
        query_block, key_block = self.query_block, _block(self.keys)
        if by_keys:
            query_block, key_block = min(_block(self.queries), _TOKENS_AT_ONCE), _TOKENS_AT_ONCE
        sizes = {"QUERIES": self.queries, "KEYS": self.keys, "WIDTH": self.width}
        blocks = {"QUERY_BLOCK": query_block, "KEY_BLOCK": key_block, "WIDTH_BLOCK": _block(self.width)}
        return sizes | blocks | {"num_stages": 2}


def _block(size: int) -> int:
    """The least power of two that holds `size` numbers and a matrix unit takes."""
    return max(16, 1 << (size - 1).bit_length())


def _ready(q: Tensor) -> ModuleType:
    kernels = _kernels()
    if q.device.type == "cpu" and not kernels.INTERPRETED:
        raise BrewError(
            "fused attention is given arrays on the CPU; expected an accelerator's, or TRITON_INTERPRET=1 in the "
            "environment before Triton is imported; move the arrays, or leave fused_attention out"
        )
    return kernels


# Operators of torch, so that a compiler takes each as one step and does not look inside.


@torch.library.custom_op("brew::window_attention", mutates_args=())
def _forward(q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """The result, and the log-sum-exp of each query's logits."""
    kernels, launch = _ready(q), Launch.of(q, k, bias)
    out, logsumexp = torch.empty_like(q), q.new_empty(q.shape[:3], dtype=torch.float32)
    scale = launch.width**-0.5
    kernels.forward[launch.grid](
        q, k, v, bias, out, logsumexp, launch.images, scale, **launch.constants(), num_warps=4
    )  # fmt: skip
    return out, logsumexp


@_forward.register_fake
def _(q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    return torch.empty_like(q), q.new_empty(q.shape[:3], dtype=torch.float32)


@torch.library.custom_op("brew::window_attention_backward", mutates_args=())
def _backward(
    q: Tensor, k: Tensor, v: Tensor, bias: Tensor, logsumexp: Tensor, dout: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Gradients of q, k, v and bias."""
    kernels, launch = _ready(q), Launch.of(q, k, bias)
    dq, dk, dv, means = (torch.empty_like(each) for each in (q, k, v, logsumexp))
    dbias = q.new_empty((launch.grid[2], *bias.shape), dtype=torch.float32)
    scale, given = launch.width**-0.5, (q, k, v, bias, logsumexp, dout)
    kernels.backward_of_queries[launch.grid](
        *given, dq, dk, dv, dbias, means, launch.images, scale,
        **launch.constants(), WHOLE=launch.whole, num_warps=8,
    )  # fmt: skip
    if not launch.whole:
        grid = launch.images * launch.pairs, -(-launch.keys // _TOKENS_AT_ONCE)
        kernels.backward_of_keys[grid](
            *given, dk, dv, means, launch.pairs, scale, **launch.constants(by_keys=True), num_warps=4
        )
    return dq, dk, dv, dbias.sum(0).to(bias.dtype)


@_backward.register_fake
def _(
    q: Tensor, k: Tensor, v: Tensor, bias: Tensor, logsumexp: Tensor, dout: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return torch.empty_like(q), torch.empty_like(k), torch.empty_like(v), torch.empty_like(bias)


class _FusedAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *arguments: Tensor) -> Tensor:
        given = [each.contiguous() for each in arguments]
        out, logsumexp = _forward(*given)
        ctx.save_for_backward(*given, logsumexp)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, ...]:
        return _backward(*ctx.saved_tensors, gradient.contiguous())
