"""What the instruments make of a scene: an optical, a multispectral and a radar image, each with its own noise."""

import torch
from jaxtyping import Float32, Int32, UInt8, UInt16
from torch import Tensor

from brew.data.miniature import backscatter
from brew.data.miniature.draws import Draws
from brew.data.miniature.grid import Grid
from brew.data.miniature.illumination import Light, reflectance_seen
from brew.data.miniature.land_cover import LandCover
from brew.data.miniature.planning import Plan
from brew.sensors import SENSORS

SENTINEL2 = SENSORS["sentinel2"]
_TEN_METRE = tuple(band.resolution_m == 10 for band in SENTINEL2.bands)


def optical_image(light: Light, grid: Grid, draw: Draws, date: str) -> UInt8[Tensor, "batch 3 fine_y fine_x"]:
    """Red, green and blue on the optical grid. 255 is the `white` of the sensor `sentinel2`."""
    noise = draw.grain(f"optical/{date}", grid.pixels**2, grid.device).view(-1, grid.pixels, grid.pixels)
    scale = 10000 / SENTINEL2.white * 255
    image = torch.empty(len(noise), 3, grid.pixels, grid.pixels, dtype=torch.uint8, device=grid.device)
    for band in range(3):
        # Half a level of rounding, and a uniform error of up to 1.5 levels.
        error = (noise >> 8 * band & 0xFF).to(torch.float32) * (3 / 255) - 1
        image[:, band] = (reflectance_seen(light, band) * scale + error).clamp_(0, 255).to(torch.uint8)
    return image


def multispectral_image(light: Light, grid: Grid, draw: Draws, date: str) -> UInt16[Tensor, "batch 10 y x"]:
    """Digital numbers of ten bands at 10 m. Bands of 20 m are seen at 20 m and enlarged."""
    size, bands = grid.size, len(SENTINEL2)
    image = torch.empty(len(light.gain), bands, size, size, dtype=torch.uint16, device=grid.device)
    bits = draw.grain(f"multispectral/{date}", bands * size**2, grid.device).view(-1, bands, size, size)
    for band in range(bands):
        fine = reflectance_seen(light, band) * 10000
        if _TEN_METRE[band]:
            seen = _spread(grid.average(fine, grid.ratio), 0.08)
            seen = _noisy(seen, bits[:, band])
        else:
            half = size // 2
            seen = _spread(grid.average(fine, 2 * grid.ratio), 0.06)
            seen = _enlarge(_noisy(seen, bits[:, band, :half, :half]))
        image[:, band] = seen.clamp_(1, 28000).to(torch.int32).to(torch.uint16)
    return image


def radar_image(cover: LandCover, plan: Plan, grid: Grid, draw: Draws, date: int) -> Float32[Tensor, "batch 2 y x"]:
    """VV and VH in dB. Radar sees what covers the ground, not its colour, its light or the haze.

    Speckle multiplies the power, and the noise floor adds to it.
    """
    material = plan.looks[date]["material"].long()
    varied = torch.tensor(backscatter.VARIATION_DB) * 3**0.5 * (2 * draw("sar/places", material.shape[1]) - 1)
    table, speckle = 10 ** ((backscatter.levels()[material] + varied[..., None]) / 10), backscatter.speckle_table()
    speckle = speckle.to(grid.device)
    size, floor = grid.size, 10 ** (backscatter.FLOOR_DB / 10)
    bits = draw.grain(f"sar/{plan.moments[date].name}", 2 * size**2, grid.device).view(-1, 2, size, size)
    image = torch.empty(len(material), 2, size, size, device=grid.device)
    for band in range(2):
        power = grid.average(cover.look(table[..., band].contiguous()), grid.ratio)
        seen = power * speckle[(bits[:, band] >> 8 & len(speckle) - 1).long()]
        image[:, band] = _spread(seen, 0.15)  # pixels of 10 m, resolution of about 20 m: speckle is correlated
    # In double precision and rounded, so that no device's logarithm shows.
    return (torch.log10(image.double() + floor) * 1000).round().div(100).float()


def _noisy(image: Tensor, bits: Int32[Tensor, "batch y x"]) -> Tensor:
    """The image with noise of deviation 8 + 0.6 % of the signal.

    The noise is a sum of four uniform bytes, which is near enough to a normal law.
    """
    total = (bits & 0xFF) + (bits >> 8 & 0xFF) + (bits >> 16 & 0xFF) + (bits >> 24 & 0xFF)
    return image + (total.to(torch.float32) - 510) * (1 / 147.8) * (image * 0.006 + 8) + 0.5


def _neighbours(image: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Values before and after each pixel along `dim`. The border repeats."""
    size = image.shape[dim]
    before = torch.cat([image.narrow(dim, 0, 1), image.narrow(dim, 0, size - 1)], dim)
    after = torch.cat([image.narrow(dim, 1, size - 1), image.narrow(dim, size - 1, 1)], dim)
    return before, after


def _spread(image: Tensor, share: float) -> Tensor:
    """The point spread: each pixel gives `share` of its light to either neighbour, in both directions."""
    for dim in (1, 2):
        before, after = _neighbours(image, dim)
        image = image * (1 - 2 * share) + (before + after) * share
    return image


def _enlarge(image: Tensor) -> Tensor:
    """The image with twice the pixels per side, bilinear between pixel centres."""
    for dim in (1, 2):
        before, after = _neighbours(image, dim)
        pair = torch.stack([image * 0.75 + before * 0.25, image * 0.75 + after * 0.25], dim + 1)
        image = pair.flatten(dim, dim + 1)
    return image
