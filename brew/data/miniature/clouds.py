"""Clouds over a place on one day of a year, and the shadows that they throw.

A cloud field is larger than the scene: a shadow may fall from a cloud that the scene does not show.
Left out: cirrus, the side of a cloud, and light that clouds scatter onto the ground beside them.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from brew.data.miniature.arithmetic import between, positive, put
from brew.data.miniature.draws import Draws
from brew.data.miniature.grid import Grid
from brew.errors import BrewError
from brew.sensors import SENSORS

#: Share of clouds in all images at most. Beyond it, places would be hidden on every date.
MOST = 0.5
#: Legend of the product `clouds`.
CLOUDS: tuple[str, ...] = ("clear", "cloud", "shadow")
#: Reflectance of a thick cloud: flat up to 1 um, lower at both short waves (ice and water absorb there).
_BRIGHT = tuple(0.62 if um < 1 else 0.45 if um < 2 else 0.34 for um in SENSORS["sentinel2"].wavelengths_um)
#: Direct light that a thick cloud keeps from the ground.
_DARK = 0.6


@dataclass(frozen=True)
class Clouds:
    """opacity, shade: how much of the ground's light a cloud hides, or keeps away; in [0, 1]."""

    opacity: Float[Tensor, "batch fine_y fine_x"]
    shade: Float[Tensor, "batch fine_y fine_x"]

    def lit(self, gain: Tensor) -> Tensor:
        """The ground's light under the shadows."""
        return gain * (1 - self.shade * _DARK)

    def over(self, reflectance: Tensor, band: int) -> Tensor:
        """What is seen of the ground's reflectance in one band."""
        return reflectance + (_BRIGHT[band] - reflectance) * self.opacity

    def mask(self, grid: Grid) -> UInt8[Tensor, "batch y x"]:
        """Numbers of CLOUDS at 10 m."""
        cloud = positive(grid.average(self.opacity, grid.ratio) - 0.15)
        shadow = positive(grid.average(self.shade, grid.ratio) - 0.3)
        return put(shadow * CLOUDS.index("shadow"), cloud, float(CLOUDS.index("cloud"))).to(torch.uint8)


def check_clouds(share: float) -> None:
    """BrewError for a share of clouds that would hide places on all of their dates."""
    if not 0 <= share <= MOST:
        raise BrewError(
            f"clouds cover {share:g} of all images; expected a share between 0 and {MOST:g}. With more, places would "
            "be hidden on every date"
        )


def clouds_of_day(draw: Draws, grid: Grid, sun: Float[Tensor, "3 batch 1 1"], day: str, share: float) -> Clouds:
    """The clouds of a day. share: of the area that they cover, on average over scenes; half of a cloudy scene."""
    u = draw(f"clouds/{day}", 3)
    cloudy = (u[:, 0] < 2 * share).float()[:, None, None].to(grid.device)
    level = between(u[:, 1], -3.0, 3.0)[:, None, None].to(grid.device)
    sky = Grid(2 * grid.size, grid.ratio, grid.device)
    density = sky.field(draw, f"clouds/{day}", 160) * 0.8 + sky.field(draw, f"clouds/{day}/fine", 40) * 0.4 + level
    density = (density * 2).clamp_(0, 1) * cloudy
    throw = between(u[:, 2], 150.0, 700.0) * sun[2, :, 0, 0].cpu() / grid.step
    reach, middle = grid.pixels // 2, torch.zeros(len(u))
    east, south = ((throw * sun[axis, :, 0, 0].cpu()).round().clamp(-reach, reach) for axis in (0, 1))
    opacity = _window(density, middle, middle, grid.pixels)
    return Clouds(opacity, _window(density, south, east, grid.pixels) * (1 - opacity))


def _window(sky: Tensor, south: Tensor, east: Tensor, pixels: int) -> Tensor:
    """Of each scene, the middle of its sky moved by whole pixels."""
    first = pixels // 2
    corners = zip((south + first).int().tolist(), (east + first).int().tolist(), strict=True)
    return torch.stack([each[y : y + pixels, x : x + pixels] for each, (y, x) in zip(sky, corners, strict=True)])
