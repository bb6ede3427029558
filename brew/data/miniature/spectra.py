"""Spectra of the materials at Sentinel-2's bands, read off a lattice of their states."""

from functools import cache

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from brew.data.miniature import materials
from brew.data.miniature.legends import MATERIALS
from brew.sensors import SENSORS

WAVELENGTHS_UM = SENSORS["sentinel2"].wavelengths_um
_VIGOURS, _MOISTURES = 9, 5


@cache
def _lattice() -> Float[Tensor, "material vigour moisture band"]:
    """Reflectance of every material over a lattice of its two states."""
    table = [
        [[materials.reflectance(name, WAVELENGTHS_UM, v, m) for m in np.linspace(0, 1, _MOISTURES)]
         for v in np.linspace(0, 1, _VIGOURS)]
        for name in MATERIALS
    ]  # fmt: skip
    return torch.from_numpy(np.array(table, dtype=np.float32))


def spectrum(
    material: Int64[Tensor, "..."], vigour: Float[Tensor, "..."], moisture: Float[Tensor, "..."]
) -> Float[Tensor, "... band"]:
    """Reflectance at Sentinel-2's bands, interpolated linearly in both states. States are clamped to [0, 1]."""
    table = _lattice()
    bands = table.shape[-1]
    v = vigour.clamp(0, 1) * (_VIGOURS - 1)
    m = moisture.clamp(0, 1) * (_MOISTURES - 1)
    v0, m0 = v.floor().clamp_max(_VIGOURS - 2), m.floor().clamp_max(_MOISTURES - 2)
    fv, fm = (v - v0)[..., None], (m - m0)[..., None]
    index = (material.long() * _VIGOURS + v0.long()) * _MOISTURES + m0.long()
    flat = table.view(-1, bands)

    def at(offset: int) -> Tensor:
        return flat.index_select(0, (index + offset).view(-1)).view(*index.shape, bands)

    low = at(0) * (1 - fm) + at(1) * fm
    high = at(_MOISTURES) * (1 - fm) + at(_MOISTURES + 1) * fm
    return low * (1 - fv) + high * fv
