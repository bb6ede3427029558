"""The few old pixels ("taps") that make each new one, and resampling on the CPU by sums of them.

A dense product spends most of its time on zeros if images are large. Here lines along y are summed for every channel,
the image is turned, lines along x are summed alike, and it is turned back: four passes over memory, all in order.
Left out: accelerators, where dense products are faster.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Float32, Int64
from torch import Tensor


@dataclass(frozen=True)
class Taps:
    """The taps of each new pixel along one axis, counted from the crop's first pixel.

    inside: whether the crop has that pixel; if not, the tap weighs nothing. number: of taps that each sample needs,
    the others weighing nothing.
    """

    pixel: Int64[Tensor, "batch size taps"]
    weight: Float32[Tensor, "batch size taps"]
    inside: Bool[Tensor, "batch size taps"]
    number: list[int]

    def of(self, sample: int, pixels: int) -> tuple[Int64[Tensor, "size own"], Float32[Tensor, "size own"]]:
        """Pixel and weight of the taps that one sample needs; pixels within the crop's number of them."""
        own = slice(self.number[sample])
        return self.pixel[sample, :, own].clamp(0, pixels - 1), self.weight[sample, :, own]


def resize_taps(
    length: Int64[Tensor, " batch"], size: int, mirror: Bool[Tensor, " batch"] | None, device: torch.device
) -> Taps:
    """Taps that resize `length` pixels to `size`, mirrored if asked. length, mirror: on the host.

    Formulas: torch's antialiased bicubic (Keys 1981 with a = -.5, stretched by the scale if it shrinks).
    """
    number = [2 * math.ceil(2 * max(1.0, pixels / size)) + 1 for pixels in length.tolist()]
    taps = torch.arange(max(number), device=device)
    extent = length[:, None, None].to(device, non_blocking=True)
    position = torch.arange(size, device=device, dtype=torch.float64).expand(len(length), size)
    if mirror is not None:
        position = torch.where(mirror[:, None].to(device, non_blocking=True), size - 1 - position, position)
    scale = extent.double() / size
    reach = scale.clamp(min=1)
    centre = scale * (position[:, :, None] + 0.5)
    pixel = (centre - 2 * reach + 0.5).floor().long() + taps
    inside = (pixel >= 0) & (pixel < extent)
    weight = _bicubic(((pixel + 0.5 - centre) / reach).float().abs()) * inside
    return Taps(pixel, weight / weight.sum(-1, keepdim=True), inside, number)


def _bicubic(distance: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Keys' kernel with a = -.5, without branches: two cubics that vanish smoothly at 2 and at 1."""
    outer, inner = (2 - distance).relu(), (1 - distance).relu()
    return outer * outer * (outer - 1) / 2 + inner * inner * (1 - 2 * inner)


def sum_taps(
    images: Float32[Tensor, "channel y x"],
    along_y: tuple[Int64[Tensor, "view_y taps_y"], Float32[Tensor, "view_y taps_y"]],
    along_x: tuple[Int64[Tensor, "view_x taps_x"], Float32[Tensor, "view_x taps_x"]],
    out: Float32[Tensor, "channel view_y view_x"],
) -> None:
    """Both axes of one sample resampled into `out`, which lies in one piece. Along each axis: pixels and weights."""
    channels, rows, columns = images.shape
    first = torch.arange(0, channels * rows, rows)[:, None, None]
    pixel, weight = first + along_y[0], along_y[1].expand(channels, -1, -1)
    half = _sums(images.reshape(-1, columns), pixel.flatten(0, 1), weight.flatten(0, 1))  # (channel * view_y, x)
    full = _sums(half.T.contiguous(), *along_x)  # (view_x, channel * view_y)
    out.flatten(0, 1).copy_(full.T)


def _sums(
    lines: Float32[Tensor, "line value"], pixel: Int64[Tensor, "new taps"], weight: Float32[Tensor, "new taps"]
) -> Float32[Tensor, "new value"]:
    """Each new line as the weighted sum of old ones."""
    return F.embedding_bag(pixel, lines, per_sample_weights=weight, mode="sum")
