"""The ViT trunk: timm's blocks, DINO's position table.

Left out: the stem (`brew.models.stems`) and classification. Source: Dosovitskiy et al. 2021 (arXiv 2010.11929); Caron
et al. 2021 (arXiv 2104.14294), whose `vision_transformer.py` the released ViT follows.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from brew.models.features import Features
from brew.models.stochastic_depth import drop_probabilities, residual

#: DINO resizes its table by the factor (size + .1) / grid, which moves the points where it is read a little.
_OFFSET = 0.1
_STRIDES = (4, 8, 16, 32)


class Block(nn.Module):
    """Attention and MLP, each on a residual branch that stochastic depth may drop for a sample."""

    def __init__(self, width: int, heads: int, mlp_ratio: int, drop_probability: float):
        from timm.layers.attention import Attention  # timm takes seconds to import, which Swin need not wait for
        from timm.layers.mlp import Mlp

        super().__init__()
        self.drop_probability = drop_probability
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = Attention(width, num_heads=heads, qkv_bias=True)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = Mlp(width, mlp_ratio * width)

    def forward(
        self,
        x: Float[Tensor, "batch token width"],
        drop: Float[Tensor, "batch 2"] | None = None,
        fixed_count: bool = False,
    ) -> Float[Tensor, "batch token width"]:
        first, second = (None, None) if drop is None else drop.unbind(1)
        x = residual(x, lambda kept: self.attn(self.norm1(kept)), first, self.drop_probability, fixed_count)
        return residual(x, lambda kept: self.mlp(self.norm2(kept)), second, self.drop_probability, fixed_count)


class ViT(nn.Module):
    """Token maps in, features at strides 4 to 32 out: four depths, resized bilinearly.

    patch: pixels per side of a token. grid: tokens per side that the position table was made for; other sizes read it
    resized bicubically. stochastic_depth: drop probability of the last block, rising linearly from 0 at the first.
    fixed_count: stochastic depth drops the same number of a batch's samples every time (`residual`).
    Patches are features before the final norm, as in the released code; the pooled class token is after it.
    """

    strides = _STRIDES
    stem_norm = False
    fixed_count = False

    def __init__(
        self,
        width: int,
        depth: int,
        heads: int,
        patch: int,
        grid: int,
        stochastic_depth: float = 0.0,
        mlp_ratio: int = 4,
    ):
        super().__init__()
        self.patch, self.grid, self.stochastic_depth = patch, grid, stochastic_depth
        self.width = self.late_width = self.middle_width = width
        self.stem_width, self.channels = width, (width,) * len(_STRIDES)
        self.blocks, self.late_stride = depth, patch
        #: Blocks whose outputs become the maps: 3, 5, 8 and 11 of twelve, in proportion for other depths.
        self.layers = tuple(math.ceil(depth * (layer + 1) / 12) - 1 for layer in (3, 5, 8, 11))
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + grid * grid, width))
        self.encoder = nn.ModuleList(
            Block(width, heads, mlp_ratio, probability) for probability in drop_probabilities(depth, stochastic_depth)
        )
        self.norm = nn.LayerNorm(width, eps=1e-6)
        nn.init.trunc_normal_(self.cls_token, std=0.02)
        nn.init.trunc_normal_(self.pos_embed, std=0.02)
        self.apply(_initialise)

    def forward(
        self, tokens: Float[Tensor, "batch y x width"], drop: Float[Tensor, "batch draws"] | None = None
    ) -> Features:
        """drop: two draws in [0, 1) per sample and block; None drops nothing."""
        rows, columns = tokens.shape[1:3]
        layers = self.token_layers(tokens, drop)
        patches = [layer[:, 1:].transpose(1, 2).unflatten(2, (rows, columns)) for layer in layers]
        maps = {
            f"stride{stride}": self._resize(patches[layer], stride)
            for stride, layer in zip(_STRIDES, self.layers, strict=True)
        }
        return Features(maps, self.norm(layers[-1][:, 0]), late=patches[-1], middle=patches[self.blocks // 2 - 1])

    def map(self, tokens: Float[Tensor, "batch y x width"], stride: int) -> Float[Tensor, "batch width _y _x"]:
        """The map of that stride alone; blocks beyond it are not computed."""
        blocks = self.layers[_STRIDES.index(stride)] + 1
        patches = self.token_layers(tokens, blocks=blocks)[-1][:, 1:]
        return self._resize(patches.transpose(1, 2).unflatten(2, tokens.shape[1:3]), stride)

    def token_layers(
        self,
        tokens: Float[Tensor, "batch y x width"],
        drop: Float[Tensor, "batch draws"] | None = None,
        blocks: int | None = None,
    ) -> list[Float[Tensor, "batch token width"]]:
        """Outputs of the first `blocks` blocks (None: all), not normed: the class token, then patches row by row."""
        batch, rows, columns, _ = tokens.shape
        x = torch.cat([self.cls_token.expand(batch, -1, -1), tokens.flatten(1, 2)], 1) + self.positions(rows, columns)
        layers = []
        for i, block in enumerate(self.encoder[:blocks]):
            x = block(x, None if drop is None else drop[:, 2 * i : 2 * i + 2], self.fixed_count)
            layers.append(x)
        return layers

    def positions(self, rows: int, columns: int) -> Float[Tensor, "1 token width"]:
        """The position table for a map of that size, the class token's entry first."""
        if rows == columns == self.grid:
            return self.pos_embed
        table = self.pos_embed[:, 1:].unflatten(1, (self.grid, self.grid)).permute(0, 3, 1, 2)
        scale = ((rows + _OFFSET) / self.grid, (columns + _OFFSET) / self.grid)
        table = F.interpolate(table, scale_factor=scale, mode="bicubic")
        return torch.cat([self.pos_embed[:, :1], table.flatten(2).transpose(1, 2)], 1)

    def _resize(self, patches: Tensor, stride: int) -> Tensor:
        if stride == self.patch:
            return patches
        size = [max(1, side * self.patch // stride) for side in patches.shape[2:]]
        return F.interpolate(patches, size=size, mode="bilinear", align_corners=False)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
