"""Where a view lies in its image, and the resampling of a whole batch of differently cropped images at once.

Crops follow torchvision's `RandomResizedCrop` (Szegedy et al. 2015, arXiv 1409.4842), drawn by key instead of from a
generator. Resampling is separable: with one weight matrix per sample and axis it is two batched matrix products, which
crop, resize, antialias and flip in one go. Most weights are zero; if that costs more than it saves, on the CPU for
large images, the others are summed one by one (`brew.views.taps`). Equal to
``interpolate(crop, mode="bicubic", antialias=True)``. Left out: rotation, fractional crop boxes, other filters.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor

from brew import randomness
from brew.views.taps import resize_taps, sum_taps

#: Aspect ratios (width / height) of a crop, and how many boxes are tried before the central one: torchvision's.
_RATIO = (3 / 4, 4 / 3)
_ATTEMPTS = 10
#: Images up to this many pixels are resampled by dense products on the CPU too: there they are as fast.
_DENSE_PIXELS = 64**2


@dataclass(frozen=True)
class Geometry:
    """One crop per sample: a box in whole pixels, and whether it is mirrored left to right."""

    top: Int64[Tensor, " batch"]
    left: Int64[Tensor, " batch"]
    height: Int64[Tensor, " batch"]
    width: Int64[Tensor, " batch"]
    flip: Bool[Tensor, " batch"]

    def on_grid(self, factor: int) -> "Geometry":
        """The same ground on a grid of `factor` times the pixels per side."""
        return Geometry(self.top * factor, self.left * factor, self.height * factor, self.width * factor, self.flip)

    def of(self, rows: Int64[Tensor, " rows"] | slice) -> "Geometry":
        """The crops of those rows of the batch."""
        return Geometry(self.top[rows], self.left[rows], self.height[rows], self.width[rows], self.flip[rows])


def draw_geometry(
    seed: int,
    epoch: int,
    samples: Int64[Tensor, " batch"],
    view: str,
    grid: tuple[int, int],
    area: tuple[float, float],
) -> Geometry:
    """A crop per sample of a grid of (y, x) pixels: area as a fraction of the image, log-uniform ratio, p = .5 flip."""
    drawn = randomness.uniform(seed, epoch, samples, f"view/{view}/geometry", 3 + 2 * _ATTEMPTS).double()
    mirror, along_y, along_x, size, shape = *drawn[:, :3].unbind(1), drawn[:, 3::2], drawn[:, 4::2]
    rows, columns = grid
    target = rows * columns * (area[0] + size * (area[1] - area[0]))
    low, high = (math.log(ratio) for ratio in _RATIO)
    ratio = torch.exp(low + shape * (high - low))
    width, height = torch.sqrt(target * ratio).round().long(), torch.sqrt(target / ratio).round().long()
    central_height, central_width = _central(rows, columns)
    fits = (width > 0) & (width <= columns) & (height > 0) & (height <= rows)
    # The first box that fits (argmax of equal values gives the first), else the central one.
    first = fits.int().argmax(1, keepdim=True)
    found = fits.any(1)
    height = torch.where(found, height.gather(1, first)[:, 0], central_height)
    width = torch.where(found, width.gather(1, first)[:, 0], central_width)
    top = torch.where(found, (along_y * (rows - height + 1)).long(), (rows - height) // 2)
    left = torch.where(found, (along_x * (columns - width + 1)).long(), (columns - width) // 2)
    return Geometry(top, left, height, width, mirror < 0.5)


def _central(rows: int, columns: int) -> tuple[int, int]:
    """Height and width of the largest box with an allowed ratio."""
    ratio = columns / rows
    if ratio < _RATIO[0]:
        return round(columns / _RATIO[0]), columns
    if ratio > _RATIO[1]:
        return rows, round(rows * _RATIO[1])
    return rows, columns


def is_dense(device: torch.device, rows: int, columns: int) -> bool:
    """Whether images of so many pixels are resampled by dense products."""
    return device.type != "cpu" or rows * columns <= _DENSE_PIXELS


def rows_first(images: Tensor) -> Float32[Tensor, "batch y channel x"]:
    """Images (batch, channel, y, x) of any real type as `crop_and_resize` reads them, converted once per batch.

    Rows come first in memory too for dense products, channels for sums.
    """
    if is_dense(images.device, *images.shape[-2:]):
        return images.permute(0, 2, 1, 3).to(torch.float32, memory_format=torch.contiguous_format)
    return images.to(torch.float32, memory_format=torch.contiguous_format).permute(0, 2, 1, 3)


def crop_and_resize(
    images: Float32[Tensor, "batch y channel x"],
    geometry: Geometry,
    out: Float32[Tensor, "batch channel size size"],
) -> Float32[Tensor, "batch channel size size"]:
    """`out`, filled with each sample's crop in its size: bicubic with antialiasing, then mirrored if drawn so.

    images: from `rows_first`. out: each sample lies in one piece.
    """
    device, rows, columns, size = images.device, images.shape[1], images.shape[3], out.shape[-1]
    if is_dense(device, rows, columns):
        along_y = resize_weights(geometry.top, geometry.height, rows, size, device=device)
        along_x = resize_weights(geometry.left, geometry.width, columns, size, geometry.flip, device=device)
        return out.copy_(resample(images, along_y, along_x))
    taps_y = resize_taps(geometry.height, size, None, device)
    taps_x = resize_taps(geometry.width, size, geometry.flip, device)
    boxes = torch.stack([geometry.top, geometry.left, geometry.height, geometry.width], 1).tolist()
    for sample, (top, left, height, width) in enumerate(boxes):
        crop = images[sample].transpose(0, 1)[:, top : top + height, left : left + width]
        sum_taps(crop, taps_y.of(sample, height), taps_x.of(sample, width), out[sample])
    return out


def resample(
    images: Float32[Tensor, "batch y channel x"],
    along_y: Float32[Tensor, "batch view_y y"],
    along_x: Float32[Tensor, "batch view_x x"],
) -> Float32[Tensor, "batch channel view_y view_x"]:
    """Both axes resampled: ``along_y @ image @ along_x.T`` for each sample and channel."""
    batch, _, channels, columns = images.shape
    half = torch.bmm(along_y, images.flatten(2))  # (batch, view_y, channel * x)
    full = torch.bmm(half.view(batch, -1, columns), along_x.mT)  # (batch, view_y * channel, view_x)
    return full.view(batch, -1, channels, full.shape[-1]).permute(0, 2, 1, 3)


def resize_weights(
    start: Int64[Tensor, " batch"],
    length: Int64[Tensor, " batch"],
    pixels: int,
    size: int,
    mirror: Bool[Tensor, " batch"] | None = None,
    *,
    device: torch.device,
) -> Float32[Tensor, "batch size pixels"]:
    """Weights that resize `length` pixels from `start` on, of an axis of `pixels`, to `size` pixels.

    start, length, mirror: on the host, which so knows the number of taps without waiting for the device.
    """
    taps = resize_taps(length, size, mirror, device)
    # Taps outside the crop go to a spare column, so that each target is written once.
    begin = start[:, None, None].to(device, non_blocking=True)
    target = torch.where(taps.inside, taps.pixel + begin, pixels)
    dense = torch.zeros(len(start), size, pixels + 1, device=device)
    return dense.scatter_(2, target, taps.weight)[..., :pixels]
