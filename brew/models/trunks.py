"""TRUNKS: the sizes of the student's trunk, one entry each.

Adding a size is one entry here; the contract tests (`tests/models/test_student.py`) pick it up.
"""

from collections.abc import Callable
from dataclasses import dataclass

from brew.models.swin import Swin
from brew.models.vit import ViT

#: Takes token maps (batch, y, x, stem_width), gives `Features`; says its strides, channels and widths.
Trunk = Swin | ViT


@dataclass(frozen=True)
class TrunkSize:
    """The size of a trunk.

    build: the trunk from the drop probability of its last block. stochastic_depth: that probability's default.
    summary: where it is used.
    """

    name: str
    build: Callable[[float], Trunk]
    stochastic_depth: float
    summary: str


def _swin(width: int, depths: tuple[int, ...], heads: tuple[int, ...], window: int) -> Callable[[float], Trunk]:
    return lambda stochastic_depth: Swin(width, depths, heads, window, stochastic_depth)


def _vit(width: int, depth: int, heads: int, patch: int, grid: int) -> Callable[[float], Trunk]:
    return lambda stochastic_depth: ViT(width, depth, heads, patch, grid, stochastic_depth)


#: Stochastic depth: torchvision's defaults for Swin, the released command's for ViT.
TRUNKS: dict[str, TrunkSize] = {
    entry.name: entry
    for entry in (
        TrunkSize("swin-nano", _swin(16, (1, 1, 1, 1), (1, 2, 4, 8), 4), 0.0, "tests and the scale `tiny`"),
        TrunkSize(
            "swin-micro", _swin(48, (2, 2, 2, 2), (2, 4, 8, 16), 4), 0.1, "the scale `miniature`: 64 px on a CPU"
        ),
        TrunkSize("swin-t", _swin(96, (2, 2, 6, 2), (3, 6, 12, 24), 7), 0.2, "the paper's ablation"),
        TrunkSize("swin-b", _swin(128, (2, 2, 18, 2), (4, 8, 16, 32), 12), 0.5, "the released DEO Swin-B"),
        TrunkSize("vit-micro", _vit(96, 6, 3, 8, 8), 0.1, "a ViT for the scale `miniature`"),
        TrunkSize("vit-s16", _vit(384, 12, 6, 16, 14), 0.1, "ViT-S/16"),
        TrunkSize("vit-b8", _vit(768, 12, 12, 8, 28), 0.1, "the released DEO ViT-B/8"),
    )
}
