"""Which patches of a view a masked student does not see: squares of one size, always the same share, keyed by sample.

Source: SimMIM (Xie et al. 2022, arXiv 2111.09886, section 3.2): random squares of 32 px, a share of .6.
"""

import math

from jaxtyping import Bool, Int64
from torch import Tensor

from brew import randomness


def draw_mask(
    seed: int, epoch: int, samples: Int64[Tensor, " batch"], view: str, size: int, square: int, ratio: float
) -> Bool[Tensor, "batch size size"]:
    """True where a pixel of the view is hidden; on the device of `samples`.

    size: of the view, in pixels per side. square: of what is hidden at once, in pixels, cut at the right and lower
    border. ratio: share of the squares that are hidden, to the nearest whole one.
    """
    cells = math.ceil(size / square)
    rank = randomness.uniform(seed, epoch, samples, f"mask/{view}", cells**2).argsort(1).argsort(1)
    hidden = (rank < round(ratio * cells**2)).view(-1, cells, cells)
    return hidden.repeat_interleave(square, 1).repeat_interleave(square, 2)[:, :size, :size]
