"""Labels of places under the geometry of a view: the nearest label, never a mixture."""

import torch
from jaxtyping import Int64, Integer
from torch import Tensor

from brew.errors import BrewError
from brew.views.geometry import Geometry


def crop_labels(
    labels: Integer[Tensor, "batch y x"], geometry: Geometry, grid: tuple[int, int], size: int
) -> Int64[Tensor, "batch size size"]:
    """Each sample's crop, `size` labels per side, mirrored if drawn so.

    geometry: on a grid of (y, x) pixels, of which the labels' own is a whole multiple.
    Raises BrewError if it is none.
    """
    rows, columns = labels.shape[1:]
    if rows % grid[0] or rows * grid[1] != columns * grid[0]:
        raise BrewError(
            f"labels of {rows} x {columns} places for images of {grid[0]} x {grid[1]} pixels; expected a whole multiple"
        )
    drawn, device = geometry.on_grid(rows // grid[0]), labels.device
    middles = (torch.arange(size, dtype=torch.float64) + 0.5) / size
    along_y = (drawn.top[:, None] + middles * drawn.height[:, None]).long().to(device)
    along_x = (drawn.left[:, None] + middles * drawn.width[:, None]).long()
    along_x = torch.where(drawn.flip[:, None], along_x.flip(1), along_x).to(device)
    sample = torch.arange(len(labels), device=device)
    return labels[sample[:, None, None], along_y[:, :, None], along_x[:, None, :]].long()
