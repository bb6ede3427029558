"""How well hidden pixels were restored.

Source: SimMIM (Xie et al. 2022, arXiv 2111.09886, section 3.4): the mean absolute error over hidden pixels alone.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from brew.errors import BrewError


def reconstruction(
    images: Float[Tensor, "batch channel y x"],
    restored: Float[Tensor, "batch channel y x"],
    hidden: Bool[Tensor, "batch y x"],
) -> Float[Tensor, ""]:
    """The negative mean absolute error over hidden pixels and all channels, at most 0; more is better.

    images: as the student's stem reads them, normalised. hidden: which pixels the student did not see.
    Raises BrewError if no pixel is hidden.
    """
    if hidden.device.type == "cpu" and not hidden.any():
        raise BrewError("no pixel is hidden; expected a share of them; raise mask_ratio or lower mask_patch")
    with torch.autocast(images.device.type, enabled=False):
        error = (restored.float() - images.float()).abs().mean(1)
        return -(error * hidden).sum() / hidden.sum()
