"""Optical images that lie beside the multispectral ones: the paper's assumption of aligned inputs, broken by measure.

Both images are rendered with a margin and cut. The multispectral one is cut in the middle, the optical one (and the
roofs, which lie on its grid) beside it: the directions are drawn per scene, the distances are the same for all. The
optical image may also show another date, as fMoW's pairs of one location do.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Shaped
from scipy.ndimage import affine_transform
from torch import Tensor

from brew.data.miniature.draws import Draws
from brew.errors import BrewError

_OPTICAL = ("optical", "roofs")
_ON_GRID = ("multispectral", "sar", "materials", "crops", "crops_year", "materials_by_date", "change", "clouds")


@dataclass(frozen=True)
class Misalignment:
    """How far the optical image lies off, in the split `pretrain` alone; scored images stay aligned.

    shift: pixels of 10 m. turn: degrees about the scene's centre. margin: pixels of 10 m that are rendered around every
    scene and cut off again. Compare worlds of one margin: another margin is another world. other_date: optical images
    are those of another date of the place: of a pair's other one, of the day half the list away in a year.
    """

    shift: float = 0.0
    turn: float = 0.0
    margin: int = 12
    other_date: bool = False

    def __post_init__(self) -> None:
        if not (self.shift >= 0 and 0 <= self.turn <= 2):
            raise BrewError(f"shift {self.shift:g} px, turn {self.turn:g} degrees; expected 0 px or more, and 0 to 2")
        if self.margin < 1 or self.margin % 4:
            raise BrewError(f"margin {self.margin} px; expected a positive multiple of 4")

    def check(self, size: int) -> None:
        """BrewError if a scene of `size` pixels would show what was not rendered."""
        needed = self.shift + np.deg2rad(self.turn) * size * 0.71 + 1
        if needed > self.margin:
            raise BrewError(
                f"margin {self.margin} px; expected at least {needed:.0f} for a shift of {self.shift:g} px and a turn "
                f"of {self.turn:g} degrees. Raise it to a multiple of 4"
            )

    def cut(self, products: dict[str, Tensor], ids: Tensor, seed: int, ratio: int, moved: bool) -> dict[str, Tensor]:
        """The products without their margin. moved: whether optical images are cut beside the others."""
        drawn = Draws(seed, ids)("misalignment", 2).double()
        angle, side = drawn[:, 0] * 2 * np.pi, torch.where(drawn[:, 1] < 0.5, -1.0, 1.0)
        result = dict(products)
        for name, values in products.items():
            margin = self.margin * ratio if name in _OPTICAL else self.margin
            if name in (*_ON_GRID, *_OPTICAL):
                result[name] = values[..., margin:-margin, margin:-margin]
            if name == "optical" and moved and self.other_date:
                values = values.roll(values.shape[1] // 2, 1)
            if name in _OPTICAL and moved:
                offsets = torch.stack([angle.sin(), angle.cos()], 1).mul(self.shift * ratio).round()
                turns = side * np.deg2rad(self.turn)
                each = zip(values.numpy(), offsets.numpy(), turns.tolist(), strict=True)
                order = 1 if name == "optical" else 0
                result[name] = torch.from_numpy(np.stack([_moved(*one, margin, order) for one in each]))
        return result


def _moved(
    image: Shaped[np.ndarray, "... y x"], offset: np.ndarray, turn: float, margin: int, order: int
) -> Shaped[np.ndarray, "... inner_y inner_x"]:
    """The middle of the image, `offset` (y, x) pixels further and turned by radians. order: of the interpolation."""
    sides = np.array(image.shape[-2:]) - 2 * margin
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    centre = (np.array(image.shape[-2:]) - 1) / 2
    start = centre + offset - matrix @ ((sides - 1) / 2)
    planes = image.reshape(-1, *image.shape[-2:])
    cut = [
        np.rint(affine_transform(plane.astype(np.float64), matrix, start, tuple(sides), order=order, mode="nearest"))
        for plane in planes
    ]
    return np.stack(cut).astype(image.dtype).reshape(*image.shape[:-2], *sides)
