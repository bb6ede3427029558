"""The Swin trunk in torchvision's semantics, which the released weights were trained with.

The window size is fixed; a map that does not divide is padded, and padding tokens are keys like any other; the shift is
dropped along an axis that one window covers. timm's Swin differs there (it shrinks windows). Stochastic depth takes its
draws as an argument, so no generator's state decides what a sample sees.

Left out: the stem (`brew.models.stems`) and classification. Source: Liu et al. 2021 (arXiv 2103.14030);
torchvision.models.swin_transformer, whose behaviour tests pin.
"""

import functools
import itertools
from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn

from brew.models.features import Features
from brew.models.fused_window_attention import fused_attention
from brew.models.matrix_products import applied
from brew.models.stochastic_depth import drop_probabilities, residual, survivors
from brew.models.swin_branches import Windows, attention_branch, mlp_branch
from brew.models.window_layout import shape_of_windows, window_layout

_MASKED = -100.0  # torchvision's value for pairs of tokens from different regions of a shifted window


class WindowAttention(nn.Module):
    """Self-attention within windows, with a learned bias per relative position.

    Linear maps see real tokens only. A padding token is zero, so its query, key and value are the bias of `qkv`, and
    that is what maps are padded with. Along an axis that one window covers, the padding is not even laid out. Its
    keys are all alike, so one key stands for them. The bias of this key is the log-sum-exp of theirs, which leaves the
    softmax as it is.

    fused: a kernel of brew's own computes softmax and products on accelerators, instead of torch's.
    """

    fused = False

    def __init__(self, width: int, heads: int, window: int, shift: int):
        super().__init__()
        self.heads, self.window, self.shift = heads, window, shift
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)

    def forward(self, x: Float[Tensor, "batch y x width"]) -> Float[Tensor, "batch y x width"]:
        batch, height, length, width = x.shape
        (h, w), (rows, columns), shifts = shape_of_windows(height, length, self.window, self.shift)

        qkv = _pad(self.qkv(x), self.qkv.bias, -height % h, -length % w)
        qkv = qkv.roll((-shifts[0], -shifts[1]), (1, 2)) if any(shifts) else qkv
        qkv = qkv.view(batch, rows, h, columns, w, 3, self.heads, -1).permute(5, 0, 1, 3, 6, 2, 4, 7)
        q, k, v = qkv.reshape(3, batch * rows * columns, self.heads, h * w, -1)
        if min(h, w) < self.window:
            padding = self.qkv.bias.to(q.dtype).view(3, self.heads, 1, -1)
            k, v = (torch.cat([each, padding[i].expand(len(each), -1, -1, -1)], 2) for i, each in ((1, k), (2, v)))

        bias, mask = self.bias(height, length)
        bias = (bias if mask is None else bias + mask[:, None]).to(q.dtype)
        x = fused_attention(q, k, v, bias) if self.fused else _attention(q, k, v, bias)

        x = x.reshape(batch, rows, columns, self.heads, h, w, -1).permute(0, 1, 4, 2, 5, 3, 6)
        x = x.reshape(batch, rows * h, columns * w, width)
        x = x.roll(shifts, (1, 2)) if any(shifts) else x
        return self.proj(x[:, :height, :length].contiguous())  # else the bias is added in a pass of its own

    def windows(self, height: int, length: int) -> Windows:
        """How tokens of a map of height x length attend on the CPU."""
        layout = window_layout(height, length, self.window, self.shift, self.heads)
        return Windows(layout, *self.bias(height, length))

    def bias(
        self, height: int, length: int
    ) -> tuple[Float[Tensor, "windows heads query key"], Float[Tensor, "every_window query key"] | None]:
        """What is added to the attention's logits on a map of height x length tokens.

        windows: 1 if all are alike. Padding left out is the last key. The second part is constant: what sets regions
        of shifted windows apart, unless the first holds that already.
        """
        window = self.window
        (h, w), (rows, columns), shifts = shape_of_windows(height, length, window, self.shift)
        table = self.relative_position_bias_table
        index = relative_positions(window, table.device).unflatten(0, (window, window))[:h, :w].flatten(0, 1)
        bias = table.t()[:, index][None]
        mask = _mask(rows, columns, window, shifts, table.device, table.dtype) if any(shifts) else None
        if min(h, w) == window:
            return bias, mask
        if mask is not None:
            bias = bias + mask.unflatten(1, (window, window))[:, :h, :w].flatten(1, 2)[:, None]
        bias = bias.unflatten(3, (window, window))
        left_out = torch.cat([bias[..., h:, :].flatten(3), bias[..., :h, w:].flatten(3)], 3)
        return torch.cat([bias[..., :h, :w].flatten(3), left_out.logsumexp(3, keepdim=True)], 3), None


def _attention(q: Tensor, k: Tensor, v: Tensor, bias: Float[Tensor, "own_window head query key"]) -> Tensor:
    """torch's attention, of the arguments of `fused_attention`."""
    # Windows of an image differ in their bias only when shifted; then they stand beside the heads.
    q, k, v = (each.reshape(-1, len(bias) * each.shape[1], *each.shape[2:]) for each in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v, attn_mask=bias.flatten(0, 1)[None])


def _pad(
    x: Float[Tensor, "batch y x channel"], value: Float[Tensor, " channel"], below: int, right: int
) -> Float[Tensor, "batch padded_y padded_x channel"]:
    """The map with rows `below` and columns on its `right` that hold `value`."""
    value = value.to(x.dtype)
    if right:
        x = torch.cat([x, value.expand(*x.shape[:2], right, -1)], 2)
    if below:
        x = torch.cat([x, value.expand(len(x), below, x.shape[2], -1)], 1)
    return x


@functools.lru_cache(maxsize=32)
@torch.inference_mode(False)  # a cached tensor may meet autograd later
def relative_positions(window: int, device: torch.device) -> Int64[Tensor, "query key"]:
    """Index into the bias table of each (query, key) pair of a window."""
    steps = torch.arange(window, device=device)
    y, x = (each.flatten() for each in torch.meshgrid(steps, steps, indexing="ij"))
    dy, dx = y[:, None] - y, x[:, None] - x
    return (dy + window - 1) * (2 * window - 1) + dx + window - 1


@functools.lru_cache(maxsize=32)
@torch.inference_mode(False)
def regions_apart(
    rows: int, columns: int, window: int, shifts: tuple[int, int], device: torch.device
) -> Float[Tensor, "windows query key"]:
    """1 for pairs of a shifted window's tokens that come from parts of the map which the shift brought together.

    rows, columns: how many windows there are along each axis.
    """

    def regions(windows: int, shift: int) -> Tensor:
        position, size = torch.arange(windows * window, device=device), windows * window
        return (position >= size - window).int() + (position >= size - shift).int() if shift else 0 * position

    number = regions(rows, shifts[0])[:, None] * 3 + regions(columns, shifts[1])
    number = number.view(rows, window, columns, window).transpose(1, 2).reshape(-1, window**2)
    return (number[:, :, None] != number[:, None, :]).float()


@functools.lru_cache(maxsize=32)
@torch.inference_mode(False)
def _mask(
    rows: int, columns: int, window: int, shifts: tuple[int, int], device: torch.device, dtype: torch.dtype
) -> Float[Tensor, "windows query key"]:
    return regions_apart(rows, columns, window, shifts, device).to(dtype) * _MASKED


class Block(nn.Module):
    """Attention and MLP, each on a residual branch that stochastic depth may drop for a sample."""

    def __init__(self, width: int, heads: int, window: int, shift: int, mlp_ratio: int, drop_probability: float):
        super().__init__()
        self.drop_probability = drop_probability
        self.norm1 = nn.LayerNorm(width)
        self.attn = WindowAttention(width, heads, window, shift)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, mlp_ratio * width), nn.GELU(), nn.Linear(mlp_ratio * width, width))

    def forward(self, x: Float[Tensor, "batch y x width"]) -> Float[Tensor, "batch y x width"]:
        (x,) = self.together([x], [None])
        return x

    def together(
        self,
        maps: Sequence[Float[Tensor, "_batch _y _x width"]],
        drops: Sequence[Float[Tensor, "_batch 2"] | None],
        fixed_count: bool = False,
    ) -> list[Float[Tensor, "_batch _y _x width"]]:
        """The block on maps of several sizes. On the CPU their tokens pass the linear maps together."""
        if maps[0].device.type != "cpu":
            return self.apart(maps, drops, fixed_count)
        probability = self.drop_probability
        both = [(None, None) if drop is None else drop.unbind(1) for drop in drops]
        first, second = (
            [survivors(draw, probability, fixed_count) for draw in each] for each in zip(*both, strict=True)
        )
        windows = [self.attn.windows(*x.shape[1:3]) for x in maps]
        maps = attention_branch(maps, self.norm1, self.attn.qkv, self.attn.proj, windows, first)
        return mlp_branch(maps, self.norm2, self.mlp, second)

    def apart(
        self,
        maps: Sequence[Float[Tensor, "_batch _y _x _width"]],
        drops: Sequence[Float[Tensor, "_batch 2"] | None],
        fixed_count: bool = False,
    ) -> list[Float[Tensor, "_batch _y _x _width"]]:
        """The block on one map after the other, as accelerators compute it: nothing is computed anew for a backward."""
        both = [(None, None) if drop is None else drop.unbind(1) for drop in drops]
        return [self._alone(x, one, two, fixed_count) for x, (one, two) in zip(maps, both, strict=True)]

    def _alone(self, x: Tensor, first: Tensor | None, second: Tensor | None, fixed_count: bool) -> Tensor:
        x = residual(x, lambda kept: self.attn(self.norm1(kept)), first, self.drop_probability, fixed_count)
        return residual(x, lambda kept: self.mlp(self.norm2(kept)), second, self.drop_probability, fixed_count)


class Merging(nn.Module):
    """Four neighbours become one token of twice the width; an odd row or column is padded with zeros."""

    def __init__(self, width: int):
        super().__init__()
        self.norm = nn.LayerNorm(4 * width)
        self.reduction = nn.Linear(4 * width, 2 * width, bias=False)

    def forward(self, x: Float[Tensor, "batch y x width"]) -> Float[Tensor, "batch half_y half_x double"]:
        (x,) = self.together([x])
        return x

    def together(
        self, maps: Sequence[Float[Tensor, "_batch _y _x width"]]
    ) -> list[Float[Tensor, "_batch _half_y _half_x double"]]:
        """Of maps of several sizes, whose tokens pass the linear map together."""
        quarters = [self._quarters(x) for x in maps]
        y = applied(self.reduction, self.norm(torch.cat([each.flatten(0, 2) for each in quarters])))
        parts = y.split([each.shape[:3].numel() for each in quarters])
        return [part.view(*each.shape[:3], -1) for part, each in zip(parts, quarters, strict=True)]

    def _quarters(self, x: Float[Tensor, "batch y x width"]) -> Float[Tensor, "batch half_y half_x fourfold"]:
        x = F.pad(x, (0, 0, 0, x.shape[2] % 2, 0, x.shape[1] % 2))
        return torch.cat([x[:, 0::2, 0::2], x[:, 1::2, 0::2], x[:, 0::2, 1::2], x[:, 1::2, 1::2]], -1)


class Stage(nn.Module):
    """Blocks at one stride, every other one shifted by half a window; before them, merging (all stages but the first).

    drop_probabilities: one per block.
    """

    def __init__(
        self, width: int, heads: int, window: int, mlp_ratio: int, drop_probabilities: Sequence[float], first: bool
    ):
        super().__init__()
        self.merging = nn.Identity() if first else Merging(width // 2)
        self.blocks = nn.ModuleList(
            Block(width, heads, window, window // 2 * (i % 2), mlp_ratio, probability)
            for i, probability in enumerate(drop_probabilities)
        )

    def together(
        self,
        maps: Sequence[Float[Tensor, "_batch _y _x _width"]],
        drops: Sequence[Float[Tensor, "_batch blocks 2"] | None],
        fixed_count: bool = False,
    ) -> list[Float[Tensor, "_batch _half_y _half_x _double"]]:
        """The stage on maps of several sizes."""
        if isinstance(self.merging, Merging):
            maps = self.merging.together(maps)
        for i, block in enumerate(self.blocks):
            own = [None if drop is None else drop[:, i] for drop in drops]
            maps = cast(Block, block).together(maps, own, fixed_count)
        return list(maps)


class Swin(nn.Module):
    """Token maps in, features at strides 4 to 32 out.

    width: of the first stage; each further stage doubles it. depths: blocks per stage.
    stochastic_depth: drop probability of the last block, rising linearly from 0 at the first.
    fixed_count: stochastic depth drops the same number of a batch's samples every time (`residual`).
    fused_attention: see `use_fused_attention`.
    """

    patch = 4
    stem_norm = True
    fixed_count = False
    fused_attention = False

    def __init__(
        self,
        width: int,
        depths: tuple[int, ...],
        heads: tuple[int, ...],
        window: int,
        stochastic_depth: float = 0.0,
        mlp_ratio: int = 4,
    ):
        super().__init__()
        self.depths, self.blocks, self.stochastic_depth = depths, sum(depths), stochastic_depth
        self.stem_width = width
        self.channels = tuple(width * 2**stage for stage in range(len(depths)))
        self.strides = tuple(self.patch * 2**stage for stage in range(len(depths)))
        self.width = self.late_width = self.channels[-1]
        self.middle_width = self.channels[-2]
        self.late_stride = self.strides[-1]
        probabilities = iter(drop_probabilities(self.blocks, stochastic_depth))
        self.stages = nn.ModuleList(
            Stage(channels, heads[i], window, mlp_ratio, list(itertools.islice(probabilities, depth)), first=i == 0)
            for i, (channels, depth) in enumerate(zip(self.channels, depths, strict=True))
        )
        self.norm = nn.LayerNorm(self.width)
        self.apply(_initialise)

    def use_fused_attention(self) -> None:
        """Let accelerators take the kernels of `brew.models.fused_window_attention`; weights stay as they are."""
        self.fused_attention = True
        for module in self.modules():
            if isinstance(module, WindowAttention):
                module.fused = True

    def forward(
        self, tokens: Float[Tensor, "batch y x width"], drop: Float[Tensor, "batch draws"] | None = None
    ) -> Features:
        """drop: two draws in [0, 1) per sample and block; None drops nothing."""
        (features,) = self.together([tokens], None if drop is None else [drop])
        return features

    def together(
        self,
        tokens: Sequence[Float[Tensor, "_batch _y _x width"]],
        drops: Sequence[Float[Tensor, "_batch draws"]] | None = None,
    ) -> list[Features]:
        """Features of maps of several sizes, in one pass."""
        maps, seen = list(tokens), []
        draws = [
            [None] * len(self.depths) if drops is None else drops[i].unflatten(1, (-1, 2)).split(self.depths, 1)
            for i in range(len(maps))
        ]
        for number, stage in enumerate(self.stages):
            maps = cast(Stage, stage).together(maps, [each[number] for each in draws], self.fixed_count)
            seen.append([x.permute(0, 3, 1, 2) for x in maps])
        return [self._features(x, each) for x, *each in zip(maps, *seen, strict=True)]

    def _features(self, last: Tensor, maps: Sequence[Tensor]) -> Features:
        named = {f"stride{stride}": each for stride, each in zip(self.strides, maps, strict=True)}
        return Features(named, self.norm(last).mean((1, 2)), late=maps[-1], middle=maps[-2])


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
