"""Swin's residual branches on the CPU, each one function of maps of several sizes, with a backward of its own.

Linear maps take the tokens of all maps together, some at a time, so that what a branch makes lies in a processor's
cache. A branch keeps for its backward what is dear (linear maps' outputs) and computes anew what is cheap: norms, GELU,
windows and their attention. Images that stochastic depth leaves out are neither copied nor computed.

Left out: accelerators, whose fused attention needs none of this.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from brew.models.matrix_products import asked_for, linear, product
from brew.models.stochastic_depth import Survivors
from brew.models.window_layout import WindowLayout

#: Values of the MLP's inner layer that are computed together.
_VALUES_AT_ONCE = 2**21

Map = Float[Tensor, "_batch _y _x width"]
Rows = Float[Tensor, "_token _width"]


@dataclass(frozen=True)
class _Piece:
    """Images of one map: a slice of its batch, or indices. scale: of their branch."""

    map: int
    images: slice | Tensor
    scale: float

    def of(self, maps: Sequence[Tensor]) -> Tensor:
        x = maps[self.map]
        return x[self.images] if isinstance(self.images, slice) else x.index_select(0, self.images)

    def add(self, totals: Sequence[Tensor], summand: Tensor, scale: float) -> None:
        """totals[map][images] += scale * summand, which may be rows."""
        total = totals[self.map]
        summand = summand.to(total.dtype).view(-1, *total.shape[1:])
        if isinstance(self.images, slice):
            total[self.images].add_(summand, alpha=scale)
        else:
            total.index_add_(0, self.images, summand, alpha=scale)


def _parts(maps: Sequence[Tensor], at_once: Sequence[int], survivors: Sequence[Survivors]) -> list[list[_Piece]]:
    """What passes together. at_once: how many images of each map would, alone."""
    parts: list[list[_Piece]] = []
    room = 0.0
    for number, (x, most, chosen) in enumerate(zip(maps, at_once, survivors, strict=True)):
        for images in chosen.parts(len(x), most):
            count = images.stop - images.start if isinstance(images, slice) else len(images)
            if count / most > room:
                parts.append([])
                room = 1.0
            parts[-1].append(_Piece(number, images, chosen.scale))
            room -= count / most
    return parts


def _together(rows: Sequence[Tensor]) -> Tensor:
    return rows[0] if len(rows) == 1 else torch.cat(list(rows))


class _Sums:
    """Of gradients that come part by part, one per parameter; zeros if none comes."""

    def __init__(self, *parameters: Tensor):
        self.parameters = parameters
        self.totals: list[Tensor | None] = [None] * len(parameters)

    def add(self, *summands: Tensor) -> None:
        for i, (summand, parameter) in enumerate(zip(summands, self.parameters, strict=True)):
            total, summand = self.totals[i], summand.to(parameter.dtype)
            self.totals[i] = summand if total is None else total.add_(summand)

    def results(self) -> Iterator[Tensor]:
        for total, parameter in zip(self.totals, self.parameters, strict=True):
            yield torch.zeros_like(parameter) if total is None else total.view_as(parameter)


class _Norm:
    """Layer norm of rows, computed again for its backward."""

    def __init__(self, gain: Tensor, shift: Tensor, eps: float):
        self.gain, self.shift, self.eps = gain, shift, eps

    def __call__(self, x: Rows) -> Rows:
        return F.layer_norm(x, self.gain.shape, self.gain, self.shift, self.eps)

    def again(self, x: Rows) -> tuple[Tensor, Tensor, Tensor]:
        """The norm, and each row's mean and inverse deviation."""
        return torch.native_layer_norm(x, self.gain.shape, self.gain, self.shift, self.eps)

    def backward(self, gradient: Rows, x: Rows, mean: Tensor, inverse: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Gradients of x, gain and shift."""
        return torch.ops.aten.native_layer_norm_backward(
            gradient.to(x.dtype), x, self.gain.shape, mean, inverse, self.gain, self.shift, (True, True, True)
        )


def _rows(pieces: Sequence[_Piece], maps: Sequence[Tensor]) -> list[Tensor]:
    return [piece.of(maps).reshape(-1, maps[0].shape[-1]) for piece in pieces]


def _scaled_rows(pieces: Sequence[_Piece], gradients: Sequence[Tensor], dtype: torch.dtype) -> list[Tensor]:
    rows = _rows(pieces, gradients)
    return [
        (each * piece.scale if piece.scale != 1 else each).to(dtype) for piece, each in zip(pieces, rows, strict=True)
    ]


def _copies(maps: Sequence[Tensor]) -> list[Tensor]:
    return [each.clone(memory_format=torch.contiguous_format) for each in maps]


def mlp_branch(
    maps: Sequence[Map], norm: nn.LayerNorm, mlp: nn.Sequential, survivors: Sequence[Survivors]
) -> list[Map]:
    """x + scale * mlp(norm(x)) for the survivors of each map x; the other images as they are.

    mlp: linear, GELU, linear.
    """
    first, _, last = cast(tuple[nn.Linear, nn.GELU, nn.Linear], tuple(mlp))
    parameters = norm.weight, norm.bias, first.weight, first.bias, last.weight, last.bias
    return list(_MLPBranch.apply(norm.eps, survivors, *parameters, *maps))


class _MLPBranch(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, eps: float, survivors: Sequence[Survivors], *tensors: Tensor) -> tuple[Tensor, ...]:
        (gain, shift, w1, b1, w2, b2), maps = tensors[:6], tensors[6:]
        ctx.eps, ctx.dtype = eps, asked_for(maps[0])
        at_once = [max(1, _VALUES_AT_ONCE // (x.shape[1] * x.shape[2] * len(w1))) for x in maps]
        ctx.parts = _parts(maps, at_once, survivors)
        norm, outs, kept = _Norm(gain, shift, eps), _copies(maps), []
        with torch.autocast(maps[0].device.type, enabled=False):
            for pieces in ctx.parts:
                rows = _rows(pieces, maps)
                hidden = linear(norm(_together(rows)), w1, b1, ctx.dtype)
                y = linear(F.gelu(hidden), w2, b2, ctx.dtype)
                for piece, summand in zip(pieces, y.split([len(each) for each in rows]), strict=True):
                    piece.add(outs, summand, piece.scale)
                kept.append(hidden)
        ctx.save_for_backward(*tensors, *kept)
        return tuple(outs)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        saved, number = ctx.saved_tensors, len(gradients)
        (gain, shift, w1, _, w2, _), maps, kept = saved[:6], saved[6 : 6 + number], saved[6 + number :]
        norm, totals, sums = _Norm(gain, shift, ctx.eps), _copies(gradients), _Sums(*saved[:6])
        with torch.autocast(maps[0].device.type, enabled=False):
            for pieces, hidden in zip(ctx.parts, kept, strict=True):
                rows = _rows(pieces, maps)
                x, dy = _together(rows), _together(_scaled_rows(pieces, gradients, ctx.dtype))
                dw2, db2 = product(dy.t(), F.gelu(hidden), ctx.dtype), dy.sum(0)
                dhidden = torch.ops.aten.gelu_backward(product(dy, w2, ctx.dtype), hidden)
                normed, *statistics = norm.again(x)
                dw1, db1 = product(dhidden.t(), normed, ctx.dtype), dhidden.sum(0)
                dx, dgain, dshift = norm.backward(product(dhidden, w1, ctx.dtype), x, *statistics)
                sums.add(dgain, dshift, dw1, db1, dw2, db2)
                for piece, summand in zip(pieces, dx.split([len(each) for each in rows]), strict=True):
                    piece.add(totals, summand, 1.0)
        return None, None, *sums.results(), *totals


@dataclass(frozen=True)
class Windows:
    """How one map's tokens attend. bias, mask: see `brew.models.swin.WindowAttention.bias`."""

    layout: WindowLayout
    bias: Float[Tensor, "windows heads query key"]
    mask: Float[Tensor, "every_window query key"] | None

    def attention(self, q: Tensor, k: Tensor, bias: Tensor, images: int) -> Tensor:
        """The softmax of each image, window and head. bias: this map's, as autograd gave it."""
        logits = torch.bmm(q, k.mT)
        grouped = logits.view(images, -1, *bias.shape[1:])
        grouped += bias
        if self.mask is not None:
            grouped += self.mask[:, None]
        return torch.softmax(logits, -1)


def attention_branch(
    maps: Sequence[Map],
    norm: nn.LayerNorm,
    qkv: nn.Linear,
    proj: nn.Linear,
    windows: Sequence[Windows],
    survivors: Sequence[Survivors],
) -> list[Map]:
    """x + scale * proj(attention within windows of qkv(norm(x))) for the survivors of each map x; others stay."""
    parameters = norm.weight, norm.bias, qkv.weight, qkv.bias, proj.weight, proj.bias
    biases = [each.bias for each in windows]
    return list(_AttentionBranch.apply(norm.eps, windows, survivors, *parameters, *biases, *maps))


class _AttentionBranch(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, eps: float, windows: Sequence[Windows], survivors: Sequence[Survivors], *tensors: Tensor
    ) -> tuple[Tensor, ...]:
        (gain, shift, w, b, wo, bo), number = tensors[:6], len(windows)
        biases, maps = tensors[6 : 6 + number], tensors[6 + number :]
        ctx.windows = [Windows(each.layout, each.bias.detach(), each.mask) for each in windows]
        ctx.eps, ctx.dtype, ctx.factor = eps, asked_for(maps[0]), (len(wo) // windows[0].layout.heads) ** -0.5
        ctx.parts = _parts(maps, [each.layout.images for each in windows], survivors)
        norm, outs, kept = _Norm(gain, shift, eps), _copies(maps), []
        with torch.autocast(maps[0].device.type, enabled=False):
            for pieces in ctx.parts:
                rows = _rows(pieces, maps)
                normed = norm(_together(rows)).split([len(each) for each in rows])
                qkv = linear(_with_padding(pieces, normed, windows), w, b, ctx.dtype)
                attended = []
                for piece, own in zip(pieces, _without_padding(pieces, qkv, rows, windows), strict=True):
                    at, images = windows[piece.map], len(own[1]) // windows[piece.map].layout.tokens
                    q, k, v = at.layout.split(own[0], images)
                    weights = at.attention(q.mul_(ctx.factor), k, biases[piece.map], images)
                    attended.append(at.layout.tokens_of(torch.bmm(weights, v), images, ctx.dtype))
                together = _together(attended)
                y = linear(together, wo, bo, ctx.dtype).split([len(each) for each in rows])
                for piece, summand in zip(pieces, y, strict=True):
                    piece.add(outs, summand, piece.scale)
                kept += [qkv, together]
        ctx.save_for_backward(*tensors, *kept)
        return tuple(outs)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        saved, number, windows, dtype = ctx.saved_tensors, len(gradients), ctx.windows, ctx.dtype
        gain, shift, w, _, wo, _ = saved[:6]
        biases, maps, kept = saved[6 : 6 + number], saved[6 + number : 6 + 2 * number], saved[6 + 2 * number :]
        norm, totals, sums = _Norm(gain, shift, ctx.eps), _copies(gradients), _Sums(*saved[:6])
        of_biases = [_Sums(each) for each in biases]
        with torch.autocast(maps[0].device.type, enabled=False):
            for pieces, qkv, attended in zip(ctx.parts, kept[::2], kept[1::2], strict=True):
                rows = _rows(pieces, maps)
                dys = _scaled_rows(pieces, gradients, dtype)
                dattended = product(_with_padding(pieces, dys, windows), wo, dtype)
                dqkvs = []
                for piece, own, down in zip(
                    pieces,
                    _without_padding(pieces, qkv, rows, windows),
                    _without_padding(pieces, dattended, rows, windows),
                    strict=True,
                ):
                    at, bias = windows[piece.map], biases[piece.map]
                    images = len(own[1]) // at.layout.tokens
                    q, k, v = at.layout.split(own[0], images)
                    weights = at.attention(q.mul_(ctx.factor), k, bias, images)
                    dwindows = at.layout.windows_of(down[0], images)
                    dv = torch.bmm(weights.mT, dwindows)
                    dlogits = torch._softmax_backward_data(torch.bmm(dwindows, v.mT), weights, -1, weights.dtype)
                    grouped = dlogits.view(images, -1, *bias.shape[1:])
                    of_biases[piece.map].add(grouped.sum((0, 1) if len(bias) == 1 else 0).view_as(bias))
                    dq, dk = torch.bmm(dlogits, k).mul_(ctx.factor), torch.bmm(dlogits.mT, q)
                    dqkvs.append(at.layout.join(dq, dk, dv, images, dtype))
                x, dqkv, dy = _together(rows), _together([each[1] for each in dqkvs]), _together(dys)
                normed, *statistics = norm.again(x)
                of_padding = [each[0] for each in dqkvs if each[0] is not None]
                db = torch.stack([dqkv.sum(0), *of_padding]).sum(0)
                dx, dgain, dshift = norm.backward(product(dqkv, w, dtype), x, *statistics)
                sums.add(
                    dgain, dshift, product(dqkv.t(), normed, dtype), db, product(dy.t(), attended, dtype), dy.sum(0)
                )
                for piece, summand in zip(pieces, dx.split([len(each) for each in rows]), strict=True):
                    piece.add(totals, summand, 1.0)
        of_each = [next(each.results()) for each in of_biases]
        return None, None, None, *sums.results(), *of_each, *totals


def _with_padding(pieces: Sequence[_Piece], rows: Sequence[Rows], windows: Sequence[Windows]) -> Rows:
    """All rows, a row of zeros before those of each map that has padding, which it stands for."""
    parts = []
    for piece, each in zip(pieces, rows, strict=True):
        parts += [each.new_zeros(windows[piece.map].layout.first, each.shape[1]), each]
    return _together([each for each in parts if len(each)])


def _without_padding(
    pieces: Sequence[_Piece], together: Rows, rows: Sequence[Rows], windows: Sequence[Windows]
) -> list[tuple[Rows, Rows]]:
    """Of each piece, its rows of what `_with_padding` put together, with and without the first."""
    firsts = [windows[piece.map].layout.first for piece in pieces]
    parts = together.split([first + len(each) for first, each in zip(firsts, rows, strict=True)])
    return [(part, part[first:]) for first, part in zip(firsts, parts, strict=True)]
