"""Where each token of a map stands in Swin's windows, as tables: one gather takes tokens there, another one back.

A window's rows are heads of tokens. A table thus does in one pass what rolling, padding, cutting into windows and
splitting into heads do in one pass each. A token of zeros, which comes before all others, stands for every padding.
"""

import functools
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

#: Logits that are computed together. They then lie in a processor's cache.
_LOGITS_AT_ONCE = 2**20


@dataclass(frozen=True)
class WindowLayout:
    """Windows of a map of (y, x) tokens, for `images` images together; tables of fewer images are their beginnings.

    sides: of the part of a window that is laid out. windows: along both axes. shifts: of the map, in tokens.
    queries, keys: tokens of a window; one key more stands for all padding that is not laid out.
    first: tokens before those of the map: 1 if there is padding, which it then stands for.
    to_queries, to_keys: per image, window, head and token the row of qkv, whose rows are heads of tokens.
    to_outputs: likewise, of one vector per token. from_queries, from_keys: per image, token and head the row there.
    padding: keys that are padding, as rows of an image's windows (window, key).
    """

    images: int
    tokens: int
    heads: int
    sides: tuple[int, int]
    windows: tuple[int, int]
    shifts: tuple[int, int]
    queries: int
    keys: int
    first: int
    to_queries: Int64[Tensor, " _row"]
    to_keys: Int64[Tensor, " _row"]
    to_outputs: Int64[Tensor, " _row"]
    from_queries: Int64[Tensor, " _row"]
    from_keys: Int64[Tensor, " _row"]
    padding: Int64[Tensor, " _row"]

    def split(
        self, qkv: Float[Tensor, "token three_widths"], images: int
    ) -> tuple[Float[Tensor, "group query _d"], Float[Tensor, "group key _d"], Float[Tensor, "group key _d"]]:
        """Queries, keys and values of each image, window and head, in float32 at least."""
        rows = qkv.reshape(len(qkv) * 3 * self.heads, -1)
        groups = images * self._groups
        to_queries, to_keys = self.to_queries[: groups * self.queries], self.to_keys[: groups * self.keys]
        # Key and value of a head lie as many rows behind its query as there are heads.
        q = rows.index_select(0, to_queries)
        k, v = (rows[part * self.heads :].index_select(0, to_keys) for part in (1, 2))
        return (
            _wide(q).view(groups, self.queries, -1),
            _wide(k).view(groups, self.keys, -1),
            _wide(v).view(groups, self.keys, -1),
        )

    def join(
        self,
        q: Float[Tensor, "group query d"],
        k: Float[Tensor, "group key d"],
        v: Float[Tensor, "group key d"],
        images: int,
        dtype: torch.dtype,
    ) -> tuple[Float[Tensor, " three_widths"] | None, Float[Tensor, "token three_widths"]]:
        """Gradients of `split`'s argument from those of its results: of the padding if there is any, and of tokens."""
        parts = [self.tokens_of(q, images, dtype)]
        for each in (k, v):
            back = self.from_keys[: images * self.tokens * self.heads]
            parts.append(each.flatten(0, 1).index_select(0, back).view(images * self.tokens, -1).to(dtype))
        joined = torch.cat(parts, 1)
        if not self.first:
            return None, joined
        of_padding = [q.new_zeros(parts[0].shape[1])]  # its queries are cut off, so nothing reaches them
        for each in (k, v):
            grouped = each.view(images, -1, self.heads, self.keys, each.shape[-1]).transpose(2, 3).flatten(1, 2)
            of_padding.append(grouped.index_select(1, self.padding).sum((0, 1)).flatten())
        return torch.cat(of_padding).to(dtype), joined

    def tokens_of(
        self, windows: Float[Tensor, "group query d"], images: int, dtype: torch.dtype
    ) -> Float[Tensor, "token width"]:
        """One vector per token from the windows' queries, padding left out."""
        back = self.from_queries[: images * self.tokens * self.heads]
        return windows.flatten(0, 1).index_select(0, back).view(images * self.tokens, -1).to(dtype)

    def windows_of(self, x: Float[Tensor, "token width"], images: int) -> Float[Tensor, "group query d"]:
        """The transpose of `tokens_of`; x begins with `first` tokens of zeros."""
        to_outputs = self.to_outputs[: images * self._groups * self.queries]
        rows = x.reshape(len(x) * self.heads, -1).index_select(0, to_outputs)
        return _wide(rows).view(images * self._groups, self.queries, -1)

    @property
    def _groups(self) -> int:
        return self.windows[0] * self.windows[1] * self.heads


def _wide(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))


def shape_of_windows(
    height: int, length: int, window: int, shift: int
) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """Sides of the part of a window that is laid out, windows along both axes, and shifts.

    Along an axis that one window covers, nothing is shifted and padding is not laid out.
    """
    sides = min(height, window), min(length, window)
    windows = -(-height // sides[0]), -(-length // sides[1])
    return sides, windows, (shift if height > window else 0, shift if length > window else 0)


@functools.lru_cache(maxsize=64)
@torch.inference_mode(False)  # a cached tensor may meet autograd later
def window_layout(height: int, length: int, window: int, shift: int, heads: int) -> WindowLayout:
    """Of a map of height x length tokens, on the CPU."""
    sides, windows, shifts = shape_of_windows(height, length, window, shift)
    queries, keys = sides[0] * sides[1], sides[0] * sides[1] + (min(sides) < window)
    tokens, number = height * length, windows[0] * windows[1]
    images = max(1, _LOGITS_AT_ONCE // (number * heads * queries * keys))

    token = torch.full((windows[0] * sides[0], windows[1] * sides[1]), -1)
    token[:height, :length] = torch.arange(tokens).view(height, length)
    token = token.roll((-shifts[0], -shifts[1]), (0, 1))
    token = token.view(windows[0], sides[0], windows[1], sides[1]).transpose(1, 2).reshape(number, 1, queries)
    key = torch.cat([token, torch.full((number, 1, keys - queries), -1)], 2)
    first = int((key < 0).any())

    image, head = torch.arange(images).view(-1, 1, 1, 1), torch.arange(heads).view(-1, 1)

    def rows(token: Tensor, per_token: int) -> Tensor:
        position = torch.where(token < 0, 0, first + image * tokens + token)
        return (position * per_token + head).flatten()

    def back(token: Tensor) -> Tensor:
        """Per image, token and head: the row of the windows that holds it."""
        place = torch.arange(number * token.shape[2]).view_as(token)[token >= 0][token[token >= 0].argsort()]
        window, within = place // token.shape[2], place % token.shape[2]
        row = (window[:, None] * heads + torch.arange(heads)) * token.shape[2] + within[:, None]
        return (image.view(-1, 1, 1) * (number * heads * token.shape[2]) + row).flatten()

    return WindowLayout(
        images, tokens, heads, sides, windows, shifts, queries, keys, first, rows(token, 3 * heads),
        rows(key, 3 * heads), rows(token, heads), back(token), back(key), (key < 0).flatten().nonzero()[:, 0],
    )  # fmt: skip
