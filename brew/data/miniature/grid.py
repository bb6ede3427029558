"""The grid on which a scene is rendered, and smooth random fields on that grid."""

import torch
from jaxtyping import Float
from torch import Tensor

from brew.data.miniature.arithmetic import total
from brew.data.miniature.draws import Draws

#: Metres of a multispectral pixel.
GROUND = 10.0


class Grid:
    """The optical grid: pixels per side, metres from the scene's centre (x to the east, y to the south)."""

    def __init__(self, size: int, ratio: int, device: torch.device) -> None:
        self.size, self.ratio, self.device = size, ratio, device
        self.pixels = size * ratio
        self.step = GROUND / ratio
        axis = (torch.arange(self.pixels, device=device) + 0.5) * self.step - size * GROUND / 2
        self.x, self.y = axis[None, None, :], axis[None, :, None]

    def average(self, fine: Float[Tensor, "batch fine_y fine_x"], by: int) -> Float[Tensor, "batch y x"]:
        """Mean over by x by pixels, summed in a fixed order."""
        wide = fine[:, :, 0::by] + fine[:, :, 1::by]
        for i in range(2, by):
            wide += fine[:, :, i::by]
        mean = wide[:, 0::by] + wide[:, 1::by]
        for i in range(2, by):
            mean += wide[:, i::by]
        return mean.mul_(1 / by**2)

    def field(self, draw: Draws, stream: str, metres: int) -> Float[Tensor, "batch fine_y fine_x"]:
        """A smooth random field of about mean 0 and deviation 1: a quadratic B-spline of draws every `metres`."""
        cells = round(self.size * GROUND / metres)
        knots = draw(stream, (cells + 2) ** 2).to(self.device).view(-1, cells + 2, cells + 2)
        knots = (knots - 0.5) * 6.3
        inner = self.pixels // cells
        t = (torch.arange(inner, device=self.device) + 0.5) / inner
        weights = ((1 - t) * (1 - t) * 0.5, 0.75 - (t - 0.5) * (t - 0.5), t * t * 0.5)
        rows = total(knots[:, i : i + cells, None, :] * w[:, None] for i, w in enumerate(weights))
        rows = rows.reshape(-1, self.pixels, cells + 2)
        both = total(rows[:, :, i : i + cells, None] * w for i, w in enumerate(weights))
        return both.reshape(-1, self.pixels, self.pixels)
