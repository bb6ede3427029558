"""Swin's residual branches on the CPU, each one function with a backward of its own.

A branch passes some images at a time, so that what it makes lies in a processor's cache. It keeps for its backward what
is dear (linear maps' outputs) and computes anew what is cheap: norms, GELU, windows and their attention. Images that
stochastic depth leaves out are neither copied nor computed. Left out: accelerators, whose fused attention needs
none of this.
"""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from brew.models.products import asked_for, linear, product
from brew.models.stochastic_depth import Survivors
from brew.models.window_layout import WindowLayout

#: Values of the MLP's inner layer that are computed together.
_VALUES_AT_ONCE = 2**21


def _chosen(x: Tensor, part: slice | Tensor) -> Tensor:
    return x[part] if isinstance(part, slice) else x.index_select(0, part)


def _add(total: Tensor, part: slice | Tensor, summand: Tensor, scale: float) -> None:
    """total[part] += scale * summand"""
    summand = summand.to(total.dtype)
    if isinstance(part, slice):
        total[part].add_(summand, alpha=scale)
    else:
        total.index_add_(0, part, summand, alpha=scale)


class _Sum:
    """Of matrices that come one after the other; zeros if none comes."""

    def __init__(self, like: Tensor):
        self.like, self.total = like, None

    def add(self, summand: Tensor) -> None:
        summand = summand.to(self.like.dtype)
        self.total = summand if self.total is None else self.total.add_(summand)

    def result(self) -> Tensor:
        return torch.zeros_like(self.like) if self.total is None else self.total.view_as(self.like)


def mlp_branch(
    x: Float[Tensor, "batch y x width"], norm: nn.LayerNorm, mlp: nn.Sequential, survivors: Survivors
) -> Tensor:
    """x + scale * mlp(norm(x)) for the survivors; the other images as they are. mlp: linear, GELU, linear."""
    return _MLPBranch.apply(
        x, norm.weight, norm.bias, mlp[0].weight, mlp[0].bias, mlp[2].weight, mlp[2].bias, norm.eps, survivors
    )


class _MLPBranch(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        gain: Tensor,
        shift: Tensor,
        w1: Tensor,
        b1: Tensor,
        w2: Tensor,
        b2: Tensor,
        eps: float,
        survivors: Survivors,
    ) -> Tensor:
        dtype, batch, width = asked_for(x), len(x), x.shape[-1]
        at_once = max(1, _VALUES_AT_ONCE // (x[0].numel() // width * len(w1)))
        ctx.parts = survivors.parts(batch, at_once)
        ctx.scale, ctx.eps, ctx.dtype = survivors.scale, eps, dtype
        out, kept = x.clone(memory_format=torch.contiguous_format), []
        with torch.autocast(x.device.type, enabled=False):
            for part in ctx.parts:
                chosen = _chosen(x, part)
                normed = F.layer_norm(chosen, (width,), gain, shift, eps).view(-1, width)
                hidden = linear(normed, w1, b1, dtype)
                y = linear(F.gelu(hidden), w2, b2, dtype)
                _add(out, part, y.view_as(chosen), survivors.scale)
                kept.append(hidden)
        ctx.save_for_backward(x, gain, shift, w1, b1, w2, b2, *kept)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, gain, shift, w1, b1, w2, b2, *kept = ctx.saved_tensors
        dtype, width = ctx.dtype, x.shape[-1]
        total, sums = (
            gradient.clone(memory_format=torch.contiguous_format),
            [_Sum(each) for each in (gain, shift, w1, b1, w2, b2)],
        )
        with torch.autocast(x.device.type, enabled=False):
            for part, hidden in zip(ctx.parts, kept, strict=True):
                chosen = _chosen(x, part)
                normed, mean, rstd = torch.native_layer_norm(chosen, (width,), gain, shift, ctx.eps)
                dy = (_chosen(gradient, part).reshape(-1, width) * ctx.scale).to(dtype)
                sums[4].add(product(dy.t(), F.gelu(hidden), dtype))
                sums[5].add(dy.sum(0))
                dhidden = torch.ops.aten.gelu_backward(product(dy, w2, dtype), hidden)
                sums[2].add(product(dhidden.t(), normed.view(-1, width), dtype))
                sums[3].add(dhidden.sum(0))
                dnormed = product(dhidden, w1, dtype).view_as(chosen).to(x.dtype)
                dx, dgain, dshift = torch.ops.aten.native_layer_norm_backward(
                    dnormed, chosen, (width,), mean, rstd, gain, shift, (True, True, True)
                )
                sums[0].add(dgain)
                sums[1].add(dshift)
                _add(total, part, dx, 1.0)
        return total, *(each.result() for each in sums), None, None


def attention_branch(
    x: Float[Tensor, "batch y x width"],
    norm: nn.LayerNorm,
    qkv: nn.Linear,
    proj: nn.Linear,
    bias: Float[Tensor, "windows heads query key"],
    mask: Float[Tensor, "every_window query key"] | None,
    layout: WindowLayout,
    survivors: Survivors,
) -> Tensor:
    """x + scale * proj(attention within windows of qkv(norm(x))) for the survivors; the other images as they are.

    bias: added to logits; windows: 1 if all are alike. mask: added likewise, and constant.
    """
    return _AttentionBranch.apply(
        x, norm.weight, norm.bias, qkv.weight, qkv.bias, bias, proj.weight, proj.bias, mask, norm.eps, layout, survivors
    )


def _weights(q: Tensor, k: Tensor, bias: Tensor, mask: Tensor | None, images: int) -> Tensor:
    """The softmax of each image, window and head."""
    logits = torch.bmm(q, k.mT)
    grouped = logits.view(images, -1, *bias.shape[1:])
    grouped += bias
    if mask is not None:
        grouped += mask[:, None]
    return torch.softmax(logits, -1)


class _AttentionBranch(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        gain: Tensor,
        shift: Tensor,
        w: Tensor,
        b: Tensor,
        bias: Tensor,
        wo: Tensor,
        bo: Tensor,
        mask: Tensor | None,
        eps: float,
        layout: WindowLayout,
        survivors: Survivors,
    ) -> Tensor:
        dtype, batch, width = asked_for(x), len(x), x.shape[-1]
        ctx.parts = survivors.parts(batch, layout.images)
        ctx.layout, ctx.scale, ctx.eps, ctx.dtype = layout, survivors.scale, eps, dtype
        ctx.factor = (width // layout.heads) ** -0.5
        out, kept = x.clone(memory_format=torch.contiguous_format), []
        with torch.autocast(x.device.type, enabled=False):
            for part in ctx.parts:
                chosen = _chosen(x, part)
                normed = F.layer_norm(chosen, (width,), gain, shift, eps).view(-1, width)
                qkv = linear(_after_padding(normed, layout), w, b, dtype)
                q, k, v = layout.split(qkv, len(chosen))
                weights = _weights(q.mul_(ctx.factor), k, bias, mask, len(chosen))
                attended = layout.tokens_of(torch.bmm(weights, v), len(chosen), dtype)
                _add(out, part, linear(attended, wo, bo, dtype).view_as(chosen), survivors.scale)
                kept += [qkv, attended]
        ctx.save_for_backward(x, gain, shift, w, b, bias, wo, bo, mask, *kept)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, gain, shift, w, b, bias, wo, bo, mask, *kept = ctx.saved_tensors
        dtype, width, layout = ctx.dtype, x.shape[-1], ctx.layout
        total, sums = (
            gradient.clone(memory_format=torch.contiguous_format),
            [_Sum(each) for each in (gain, shift, w, b, bias, wo, bo)],
        )
        with torch.autocast(x.device.type, enabled=False):
            for part, qkv, attended in zip(ctx.parts, kept[::2], kept[1::2], strict=True):
                chosen = _chosen(x, part)
                images = len(chosen)
                dy = (_chosen(gradient, part).reshape(-1, width) * ctx.scale).to(dtype)
                sums[5].add(product(dy.t(), attended, dtype))
                sums[6].add(dy.sum(0))
                dattended = layout.windows_of(product(_after_padding(dy, layout), wo, dtype), images)
                q, k, v = layout.split(qkv, images)
                weights = _weights(q.mul_(ctx.factor), k, bias, mask, images)
                dv = torch.bmm(weights.mT, dattended)
                dlogits = torch._softmax_backward_data(torch.bmm(dattended, v.mT), weights, -1, weights.dtype)
                sums[4].add(dlogits.view(images, -1, *bias.shape[1:]).sum((0, 1) if len(bias) == 1 else 0))
                dq = torch.bmm(dlogits, k).mul_(ctx.factor)
                dk = torch.bmm(dlogits.mT, q)
                dqkv = layout.join(dq, dk, dv, images, dtype)
                normed, mean, rstd = torch.native_layer_norm(chosen, (width,), gain, shift, ctx.eps)
                of_tokens = dqkv[layout.first :]
                sums[2].add(product(of_tokens.t(), normed.view(-1, width), dtype))
                sums[3].add(dqkv.sum(0))
                dnormed = product(of_tokens, w, dtype).view_as(chosen).to(x.dtype)
                dx, dgain, dshift = torch.ops.aten.native_layer_norm_backward(
                    dnormed, chosen, (width,), mean, rstd, gain, shift, (True, True, True)
                )
                sums[0].add(dgain)
                sums[1].add(dshift)
                _add(total, part, dx, 1.0)
        return total, *(each.result() for each in sums), None, None, None, None


def _after_padding(x: Float[Tensor, "token width"], layout: WindowLayout) -> Float[Tensor, "more width"]:
    """With the token of zeros before them that stands for padding, if there is any."""
    return torch.cat([x.new_zeros(1, x.shape[1]), x]) if layout.first else x
