"""Sunlight and atmosphere over a scene on one date: what reaches a sensor from each optical pixel."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from brew.data.miniature.arithmetic import Lookup, between, positive
from brew.data.miniature.clouds import Clouds
from brew.data.miniature.draws import Draws
from brew.data.miniature.grid import GROUND, Grid
from brew.data.miniature.ground import Ground
from brew.data.miniature.land_cover import LandCover
from brew.data.miniature.planning import Plan
from brew.data.miniature.spectra import WAVELENGTHS_UM
from brew.data.miniature.surfaces import LEVELLED, LEVELS, PALETTE

#: Path reflectance of clean air at each band relative to 0.49 um, falling with the third power of the wavelength.
_PATH = tuple((0.4924 / um) ** 3 for um in WAVELENGTHS_UM)


@dataclass(frozen=True)
class Light:
    """One fine scene under one atmosphere."""

    rows: Lookup  # into the palette
    palette: Tensor  # (batch, band, palette)
    gain: Tensor  # surface brightness times illumination
    haze: Tensor  # path reflectance at 0.49 um
    clear: tuple[Tensor, ...]  # transmittance of each band, (batch, 1, 1)
    clouds: Clouds | None = None


def illuminate(
    draw: Draws, grid: Grid, cover: LandCover, ground: Ground, plan: Plan, date: int, clouds: Clouds | None = None
) -> Light:
    """The light of one date. Haze and illumination vary over the scene."""
    name = plan.moments[date].name
    u = draw(f"light/{name}", 6).to(grid.device)[:, :, None, None]
    extent = 1 / (grid.size * GROUND)
    tilt = (u[:, 0] - 0.5) * 0.08 * (grid.x * extent) + (u[:, 1] - 0.5) * 0.08 * (grid.y * extent)
    illumination = between(u[:, 2], 0.80, 1.06) + tilt
    # Thin haze drifts over some scenes. Clean air scatters blue light over all of them.
    veil = grid.field(draw, f"haze/{name}", 80) * 0.3 + 1
    thick = u[:, 3] * u[:, 3] * u[:, 3]
    haze = 0.024 + 0.015 * u[:, 4] + thick * 0.055 * veil.clamp_min_(0.15)
    clear = tuple(1 - (0.04 + thick[:, 0] * 0.16) * path**0.5 for path in _PATH)
    levelled = positive(LEVELLED - 0.5 - cover.index)
    row = cover.index + levelled * ground.level * LEVELLED + (1 - levelled) * (LEVELLED * (LEVELS - 1))
    palette = plan.palettes[date].transpose(1, 2).contiguous().to(grid.device)
    gain = cover.shade * illumination
    return Light(Lookup(row, PALETTE), palette, clouds.lit(gain) if clouds else gain, haze, clear, clouds)


def reflectance_seen(light: Light, band: int) -> Float[Tensor, "batch fine_y fine_x"]:
    """Reflectance of one band at the top of the atmosphere, on the optical grid."""
    clear = light.gain * light.clear[band][:, :, None]
    seen = light.rows(light.palette[:, band]) * clear + light.haze * _PATH[band]
    return light.clouds.over(seen, band) if light.clouds else seen
