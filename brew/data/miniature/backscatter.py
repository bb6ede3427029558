"""Radar backscatter of the miniature's materials in C band, and what a radar adds to it.

Levels are rounded readings of what Sentinel-1 studies report for such surfaces at incidence angles of 30 to 45 degrees.
Smooth water lies far below everything. Woods are bright in cross polarisation (volume scattering) and buildings in VV
(double bounce). Upright stems of cereals are dark in VV, and wet soil is brighter than dry. The levels are plausible,
not fitted.

Left out: terrain, incidence angle, layover and shadow, interferometric phase.
"""

import numpy as np
import torch
from jaxtyping import Float
from scipy.stats import gamma
from torch import Tensor

from brew.data.miniature.materials import MATERIALS
from brew.errors import BrewError

#: Backscatter in dB: VV, VH.
LEVELS: dict[str, tuple[float, float]] = {
    "broadleaf forest": (-9.0, -14.5), "conifer forest": (-9.8, -15.2), "winter wheat": (-14.5, -20.5),
    "maize": (-10.5, -16.0), "rapeseed": (-11.0, -15.0), "sugar beet": (-9.8, -17.0), "sunflower": (-11.5, -17.5),
    "grass": (-13.0, -20.0), "dry bare soil": (-14.0, -23.0), "wet bare soil": (-10.5, -20.5),
    "clear water": (-20.0, -27.0), "turbid water": (-19.0, -26.5), "tile roof": (-5.5, -13.5),
    "metal roof": (-3.5, -13.0), "grey roof": (-4.5, -13.5), "asphalt": (-17.0, -24.5), "concrete": (-14.5, -22.5),
    "solar panels": (-9.0, -21.0), "sand": (-17.5, -25.0),
}  # fmt: skip
#: Deviation between places of one material, in dB.
VARIATION_DB = 0.9
#: Equivalent number of looks of Sentinel-1's ground range product, and its noise floor (ESA's product definition).
LOOKS, FLOOR_DB = 4.4, -24.0
#: Speckle is read off a table of its law at this many probabilities: the same bits on every device.
_STEPS = 4096


def levels() -> Float[Tensor, "material 2"]:
    """Mean backscatter in dB (VV, VH), in the order of `MATERIALS`; BrewError if a material has none."""
    absent = sorted(set(MATERIALS) - set(LEVELS))
    if absent:
        raise BrewError(f"no backscatter for {', '.join(absent)}; expected one of every material; add it to LEVELS")
    return torch.tensor([LEVELS[name] for name in MATERIALS])


def speckle_table() -> Float[Tensor, " step"]:
    """Quantiles of multi-look speckle: a gamma law of mean 1 and variance 1 / LOOKS."""
    probabilities = (np.arange(_STEPS) + 0.5) / _STEPS
    return torch.from_numpy(gamma.ppf(probabilities, LOOKS, scale=1 / LOOKS).astype(np.float32))
