"""Where the sun stands, for shadows and for the light side of crowns."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from brew.data.miniature.arithmetic import between
from brew.data.miniature.draws import Draws


def sun_direction(draw: Draws, date: int) -> Float[Tensor, "3 batch 1 1"]:
    """Towards the sun: unit vector (east, south) and metres of shadow per metre of height."""
    u = draw(f"sun/{date}", 2)
    azimuth = between(u[:, 0], 138.0, 168.0) * (np.pi / 180)
    return torch.stack([azimuth.sin(), -azimuth.cos(), between(u[:, 1], 0.55, 1.25)])[:, :, None, None]


def toward_sun(image: Tensor, pixels: int) -> Tensor:
    """The image's value `pixels` further to the south-east, where Sentinel-2's morning sun stands in the north."""
    moved = image.clone()
    moved[:, :-pixels, :-pixels] = image[:, pixels:, pixels:]
    return moved
