"""Rows of a Swin's map, one piece after another: a map of any height in the memory of a few rows, and none of it twice.

Attention reaches no further than its window. A block can therefore work on any rows that hold whole windows, and what
it gives there is what it would give on the whole map. Each block keeps the rows that the next block still needs. So
features do not depend on where an image is cut, and no seam can show. Pieces begin at fixed rows, so that any row has
the same bits in whatever order rows are asked for.

Left out: training, and stochastic depth. Source: Liu et al. 2021 (arXiv 2103.14030), whose windows make it possible.
"""

from typing import Protocol, cast, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from brew.models.swin import Block, Merging, Swin

#: Tokens that pass a block at a time: what they need lies in a processor's cache.
_TOKENS_AT_ONCE = 8192


@runtime_checkable
class Rows(Protocol):
    """A map (height, width, channel) of which rows are taken, mostly downwards."""

    height: int

    def take(self, start: int, stop: int) -> Float[Tensor, "y x channel"]: ...


def swin_rows(trunk: Swin, tokens: Rows, stride: int, pixels: int) -> Rows:
    """The trunk's map of that stride, without norm; stages beyond it are not computed.

    tokens: the trunk's input. pixels: rows of the image that pass a block together; memory grows with it.
    """
    rows: Rows = tokens
    for stage, of_stage in zip(trunk.stages, trunk.strides, strict=True):
        for module in (stage.merging, *cast(nn.ModuleList, stage.blocks)):
            if isinstance(module, Merging):
                rows = _MergedRows(module, rows)
            elif isinstance(module, Block):
                rows = BlockRows(module, rows, pixels // of_stage)
        if of_stage == stride:
            break
    return rows


class _MergedRows:
    """Rows after merging: each is made of two. Nothing is kept, for the blocks that follow take every row once."""

    def __init__(self, merging: Merging, below: Rows):
        self.merging, self.below = merging, below
        self.height = -(-below.height // 2)

    def take(self, start: int, stop: int) -> Float[Tensor, "y x channel"]:
        return self.merging(self.below.take(2 * start, min(2 * stop, self.below.height))[None])[0]


class BlockRows:
    """Rows after a block, in pieces of whole windows; at least two, so that a piece holds the windows beside a border.

    rows: of a piece, about.
    """

    def __init__(self, block: Block, below: Rows, rows: int):
        self.block, self.below, self.height = block, below, below.height
        self.window = block.attn.window
        self.shift = block.attn.shift if self.height > self.window else 0
        self.step = max(2, rows // self.window) * self.window
        self.kept: dict[int, Tensor] = {}

    def take(self, start: int, stop: int) -> Float[Tensor, "y x channel"]:
        """Rows from `start` until `stop`. Pieces above `start` are forgotten."""
        numbers = range(self._piece_of(start), self._piece_of(stop - 1) + 1)
        self.kept = {number: piece for number, piece in self.kept.items() if number >= numbers.start}
        for number in numbers:
            if number not in self.kept:
                self.kept[number] = self._make(number)
        begin = self._begin(numbers.start)
        return torch.cat([self.kept[number] for number in numbers])[start - begin : stop - begin]

    def _begin(self, number: int) -> int:
        """The piece's first row: where one of the block's windows begins."""
        ahead = self.window - self.shift if self.shift else 0
        return min(self.height, max(0, number * self.step - ahead))

    def _piece_of(self, row: int) -> int:
        number = row // self.step
        return number + (self._begin(number + 1) <= row)

    def _make(self, number: int) -> Float[Tensor, "y x channel"]:
        begin, end = self._begin(number), self._begin(number + 1)
        # What lies beside the map's upper or lower border passes the block as the whole map would.
        if self.shift and number == 0:
            return self.block(self.below.take(0, min(self.height, self.step))[None])[0][:end]
        if end == self.height and end - begin < self.step:
            above = begin - self.shift - self.window if self.shift else begin
            return self.block(self.below.take(above, end)[None])[0][begin - above :]
        return self._whole_windows(self.below.take(begin, end))

    def _whole_windows(self, x: Float[Tensor, "y x channel"]) -> Float[Tensor, "y x channel"]:
        """The block on rows that are windows from top to bottom. Away from the sides, columns are windows as well."""
        window, width = self.window, x.shape[1]
        strips = x.unflatten(0, (-1, window))
        first = self.block.attn.shift if width > window else 0
        last = first + (width - first) // window * window
        if last - first < 2 * window:
            return self.block(strips).flatten(0, 1)
        out = torch.empty_like(strips)
        if first:
            out[:, :, :first] = self.block(strips[:, :, : 2 * window])[:, :, :first]
        out[:, :, first:last] = self._inner(strips[:, :, first:last])
        if last < width:
            near = last - first - window if first else last
            out[:, :, last:] = self.block(strips[:, :, near:])[:, :, last - near :]
        return out.flatten(0, 1)

    def _inner(self, strips: Float[Tensor, "row window _x channel"]) -> Float[Tensor, "row window _x channel"]:
        """Columns that are windows too: each window is an image of its own."""
        window = self.window
        windows = strips.unflatten(2, (-1, window)).transpose(1, 2)
        rows, columns = windows.shape[:2]
        parts = windows.flatten(0, 1).split(max(1, _TOKENS_AT_ONCE // window**2))
        out = torch.cat([self.block(part) for part in parts])
        return out.unflatten(0, (rows, columns)).transpose(1, 2).flatten(2, 3)
