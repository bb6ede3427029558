"""Optical augmentation of a whole batch: colour jitter, greyscale, blur and solarisation by each sample's draws.

The operations are torchvision's (`transforms.v2`) on images in [0, 1], in the order of DINO's augmentation (Caron et
al. 2021, arXiv 2104.14294), which DEO applies to the three optical bands only. Left out: geometry, normalisation.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import lru_cache

import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor

from brew import randomness
from brew.views.geometry import is_dense, resample, rows_first

#: ITU-R BT.601 weights of red, green, blue, as rounded by torchvision.
_GREY = (0.2989, 0.587, 0.114)
#: New pixels that a band of a large view's blur makes at once.
_BAND = 56


@dataclass(frozen=True)
class Colour:
    """What happens to the optical bands of each sample.

    jitter: whether brightness, contrast, saturation and hue change, by the four `factors`, in the `order` given
    (indices into these four). sigma: of the blur in pixels, 0 for none.
    """

    jitter: Bool[Tensor, " batch"]
    order: Int64[Tensor, "batch 4"]
    factors: Float32[Tensor, "batch 4"]
    grey: Bool[Tensor, " batch"]
    sigma: Float32[Tensor, " batch"]
    solarise: Bool[Tensor, " batch"]

    def of(self, rows: Int64[Tensor, " rows"] | slice) -> "Colour":
        """The parameters of those rows of the batch."""
        return Colour(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})


def concatenate(parts: list[Colour]) -> Colour:
    """Parameters of several batches, one after the other."""
    return Colour(**{field.name: torch.cat([getattr(part, field.name) for part in parts]) for field in fields(Colour)})


def draw_colour(
    seed: int,
    epoch: int,
    samples: Int64[Tensor, " batch"],
    view: str,
    *,
    strengths: tuple[float, float, float, float],
    jitter: float,
    grey: float,
    blur: float,
    sigma: tuple[float, float],
    solarise: float,
) -> Colour:
    """Parameters of one view.

    strengths: largest change of brightness, contrast, saturation (factors 1 - s to 1 + s) and hue (turns, -s to s).
    jitter, grey, blur, solarise: probabilities. sigma: range of the blur's width in pixels.
    """
    drawn = randomness.uniform(seed, epoch, samples, f"view/{view}/colour", 13)
    centre = torch.tensor([1.0, 1.0, 1.0, 0.0])
    strength = torch.tensor(strengths)
    lowest = torch.maximum(centre - strength, torch.tensor([0.0, 0.0, 0.0, -0.5]))
    width = sigma[0] + drawn[:, 11] * (sigma[1] - sigma[0])
    return Colour(
        jitter=drawn[:, 0] < jitter,
        order=drawn[:, 1:5].argsort(dim=1),
        factors=lowest + drawn[:, 5:9] * (centre + strength - lowest),
        grey=drawn[:, 9] < grey,
        sigma=torch.where(drawn[:, 10] < blur, width, 0.0),
        solarise=drawn[:, 12] < solarise,
    )


def augment(
    images: Float32[Tensor, "batch 3 y x"], colour: Colour, kernel: int, threshold: float
) -> Float32[Tensor, "batch 3 y x"]:
    """Images (changed in place and returned) after jitter, greyscale, blur and solarisation if drawn.

    images: brightness where 1 is white. Sentinel-2 exceeds 1 over bright ground and bicubic resampling overshoots: both
    are kept, except if jitter or solarisation act, which are defined on [0, 1] and clamp.
    colour: on the host, so that choosing samples does not wait for the device. kernel: the blur's, odd, in pixels.
    """

    def change(chosen: Tensor, operation: Callable[..., Tensor], *arguments: Tensor) -> None:
        rows = chosen.nonzero()[:, 0]
        if len(rows):
            there = rows.to(images.device, non_blocking=True)
            own = (argument[rows].to(images.device, non_blocking=True) for argument in arguments)
            images.index_copy_(0, there, operation(images.index_select(0, there), *own))

    change(colour.jitter | colour.solarise, lambda chosen: chosen.clamp_(0, 1))
    for position in range(4):
        for index, operation in enumerate((brightness, contrast, saturation, hue)):
            now = colour.jitter & (colour.order[:, position] == index)
            change(now, operation, colour.factors[:, index])
    change(colour.grey, greyscale)
    change(colour.sigma > 0, lambda chosen, sigma: blur(chosen, sigma, kernel), colour.sigma)
    change(colour.solarise, lambda chosen: solarise(chosen, threshold))
    return images


def brightness(
    images: Float32[Tensor, "batch 3 y x"], factor: Float32[Tensor, " batch"]
) -> Float32[Tensor, "batch 3 y x"]:
    """Images times a factor each, clamped to [0, 1]."""
    return (images * factor[:, None, None, None]).clamp_(0, 1)


def contrast(
    images: Float32[Tensor, "batch 3 y x"], factor: Float32[Tensor, " batch"]
) -> Float32[Tensor, "batch 3 y x"]:
    """Distance from the image's mean grey times a factor, clamped to [0, 1]."""
    return _blend(images, _grey(images).mean((1, 2, 3), keepdim=True), factor)


def saturation(
    images: Float32[Tensor, "batch 3 y x"], factor: Float32[Tensor, " batch"]
) -> Float32[Tensor, "batch 3 y x"]:
    """Distance from each pixel's grey times a factor, clamped to [0, 1]."""
    return _blend(images, _grey(images), factor)


def hue(images: Float32[Tensor, "batch 3 y x"], turns: Float32[Tensor, " batch"]) -> Float32[Tensor, "batch 3 y x"]:
    """Hue shifted by a number of turns, in HSV space. Images in [0, 1].

    A channel of hue angle h (in sixths of a turn) is value - chroma * clamp(min(k, 4 - k), 0, 1).
    Here k is (n + h) mod 6, and n is 5 for red, 3 for green and 1 for blue. This is the usual
    conversion without its six cases.
    """
    red, green, blue = images.unbind(1)
    value = images.amax(1)
    chroma = value - images.amin(1)
    per_chroma = torch.where(chroma > 0, chroma, 1.0).reciprocal_()  # grey has no hue; any will do
    after_blue = (red - green).mul_(per_chroma).add_(4)
    after_green = (blue - red).mul_(per_chroma).add_(2)
    after_red = (green - blue).mul_(per_chroma)
    angle = torch.where(value == red, after_red, torch.where(value == green, after_green, after_blue))
    angle += 6 * turns[:, None, None]
    phase = angle[:, None] + torch.arange(5.0, 0.0, -2.0, device=images.device)[:, None, None]
    phase -= (phase / 6).floor_().mul_(6)
    share = torch.minimum(phase, 4 - phase).clamp_(0, 1).mul_(chroma[:, None])
    return torch.sub(value[:, None], share, out=share)


def greyscale(images: Float32[Tensor, "batch 3 y x"]) -> Float32[Tensor, "batch 3 y x"]:
    """The grey of each pixel in all three channels."""
    return _grey(images).expand_as(images)


def solarise(images: Float32[Tensor, "batch 3 y x"], threshold: float) -> Float32[Tensor, "batch 3 y x"]:
    """Values at or above the threshold inverted. Images in [0, 1]."""
    return torch.where(images < threshold, images, 1 - images)


def blur(
    images: Float32[Tensor, "batch 3 y x"], sigma: Float32[Tensor, " batch"], kernel: int
) -> Float32[Tensor, "batch 3 y x"]:
    """Gaussian blur of a width each, truncated to `kernel` pixels, borders reflected (kernel // 2 below the size).

    A product with one dense matrix per sample and axis: on views this small faster than convolving each sample. Large
    ones are multiplied band by band, without most zeros.
    """
    rows, columns = images.shape[-2:]
    distance = torch.arange(kernel // 2 + 1, device=images.device)
    weights = torch.exp(-0.5 * (distance / sigma[:, None]) ** 2)
    weights = weights / (2 * weights.sum(1, keepdim=True) - 1)  # both sides, the centre once
    along_y = (weights @ _reflections(kernel // 2, rows, images.device)).view(-1, rows, rows)
    along_x = (weights @ _reflections(kernel // 2, columns, images.device)).view(-1, columns, columns)
    if is_dense(images.device, rows, columns):
        return resample(rows_first(images), along_y, along_x)
    half = torch.empty_like(images)
    for new, old in _bands(rows, kernel // 2):
        torch.matmul(along_y[:, None, new, old], images[:, :, old], out=half[:, :, new])
    out = torch.empty_like(images)
    for new, old in _bands(columns, kernel // 2):
        out[..., new] = half[..., old] @ along_x[:, None, new, old].mT
    return out


def _bands(pixels: int, half: int) -> list[tuple[slice, slice]]:
    """Some new pixels each, and the old ones within `half` of them."""
    return [
        (slice(first, first + _BAND), slice(max(0, first - half), first + _BAND + half))
        for first in range(0, pixels, _BAND)
    ]


@lru_cache(maxsize=16)
def _reflections(half: int, pixels: int, device: torch.device) -> Float32[Tensor, "distance pixels_squared"]:
    """How often an axis with reflected borders has source j at each distance of target i; columns are i * n + j."""
    source = torch.arange(pixels).expand(pixels, pixels)
    target = source.T
    last = pixels - 1
    distances = torch.arange(half + 1)[:, None, None]
    direct = (target - source).abs() == distances
    mirrored_at_start = (target + source == distances) & (source > 0)
    mirrored_at_end = (2 * last - target - source == distances) & (source < last)
    return (direct.float() + mirrored_at_start.float() + mirrored_at_end.float()).flatten(1).to(device)


def _grey(images: Float32[Tensor, "batch 3 y x"]) -> Float32[Tensor, "batch 1 y x"]:
    red, green, blue = images.unbind(1)
    return (_GREY[0] * red).add_(green, alpha=_GREY[1]).add_(blue, alpha=_GREY[2])[:, None]


def _blend(images: Tensor, other: Tensor, factor: Tensor) -> Tensor:
    return torch.lerp(other, images, factor[:, None, None, None]).clamp_(0, 1)
