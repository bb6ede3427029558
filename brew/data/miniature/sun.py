"""Where the sun stands, for shadows and for the light side of crowns."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from brew.data.miniature.arithmetic import between
from brew.data.miniature.draws import Draws
from brew.data.miniature.moments import Moment

#: Latitude of every place in degrees, and degrees of the hour angle when Sentinel-2 passes, at about 10:30.
_LATITUDE, _HOUR = 48.0, -20.0
#: Metres of shadow per metre of height, at most.
_LONGEST = 3.0


def sun_direction(draw: Draws, moment: Moment) -> Float[Tensor, "3 batch 1 1"]:
    """Towards the sun: unit vector (east, south) and metres of shadow per metre of height.

    In a year the height follows from the day, to within a degree; of a pair it is drawn.
    """
    u = draw(f"sun/{moment.name}", 2)
    if moment.day is not None:
        return _sun_of_day(moment.day, u)
    azimuth = between(u[:, 0], 138.0, 168.0) * (np.pi / 180)
    return torch.stack([azimuth.sin(), -azimuth.cos(), between(u[:, 1], 0.55, 1.25)])[:, :, None, None]


def _sun_of_day(day: int, u: Float[Tensor, "batch 2"]) -> Float[Tensor, "3 batch 1 1"]:
    """Spherical astronomy (Cooper's declination)."""
    declination = np.deg2rad(23.45) * np.sin(2 * np.pi * (284 + day) / 365)
    latitude, hour = np.deg2rad(_LATITUDE), np.deg2rad(_HOUR)
    sine = np.sin(latitude) * np.sin(declination) + np.cos(latitude) * np.cos(declination) * np.cos(hour)
    height = np.arcsin(sine) + np.deg2rad(1) * (2 * u[:, 1].double() - 1)
    east = -np.sin(hour) * np.cos(declination)
    south = np.cos(hour) * np.sin(latitude) * np.cos(declination) - np.cos(latitude) * np.sin(declination)
    across = torch.full_like(height, 1 / np.hypot(east, south))
    shadow = (1 / torch.tan(height)).clamp_max(_LONGEST)
    return torch.stack([across * east, across * south, shadow]).float()[:, :, None, None]


def toward_sun(image: Tensor, pixels: int) -> Tensor:
    """The image's value `pixels` further to the south-east, where Sentinel-2's morning sun stands in the north."""
    moved = image.clone()
    moved[:, :-pixels, :-pixels] = image[:, pixels:, pixels:]
    return moved
