"""FC-Siam-diff, the supervised reference of change detection (Daudt et al. 2018, arXiv 1810.08462).

The structure is that of the authors' released code (siamunet_diff.py). One encoder of 16-32-64-128 channels reads both
dates. The absolute difference of its features makes the skip connections. 2-D dropout of .2 follows every convolution
but the last. It has 1 350 146 parameters for three bands, 1 351 154 for ten.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

_WIDTHS = (16, 32, 64, 128)
_CONVOLUTIONS = (2, 2, 3, 3)


class _Unit(nn.Sequential):
    def __init__(self, convolution: nn.Module, width: int, dropout: float) -> None:
        super().__init__(convolution, nn.BatchNorm2d(width), nn.ReLU(), nn.Dropout2d(dropout))


class FCSiamDiff(nn.Module):
    """Pairs of dates -> change logits at full resolution."""

    def __init__(self, bands: int, classes: int = 2, dropout: float = 0.2) -> None:
        super().__init__()
        self.encoder, self.decoder, self.upsampling = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        before = bands
        for width, count in zip(_WIDTHS, _CONVOLUTIONS, strict=True):
            widths = (before, *(width for _ in range(count)))
            self.encoder.append(
                nn.Sequential(
                    *(_Unit(nn.Conv2d(one, other, 3, padding=1), other, dropout) for one, other in pairwise(widths))
                )
            )
            before = width
        for level in reversed(range(len(_WIDTHS))):
            width, after = _WIDTHS[level], _WIDTHS[max(level - 1, 0)]
            last = level == 0
            widths = (2 * width, *(width for _ in range(_CONVOLUTIONS[level] - 1)), classes if last else after)
            self.upsampling.append(nn.ConvTranspose2d(width, width, 3, stride=2, padding=1, output_padding=1))
            steps = [
                _Unit(nn.ConvTranspose2d(one, other, 3, padding=1), other, dropout) for one, other in pairwise(widths)
            ]
            if last:
                steps[-1] = nn.ConvTranspose2d(widths[-2], classes, 3, padding=1)  # type: ignore[call-overload]
            self.decoder.append(nn.Sequential(*steps))

    def forward(self, pairs: Sequence[Float[Tensor, "batch 2 band y x"]]) -> Float[Tensor, "batch classes y x"]:
        (images,) = pairs
        skips, (one, other) = [], images.unbind(1)
        for stage in self.encoder:
            one, other = stage(one), stage(other)
            skips.append((one - other).abs())
            one, other = F.max_pool2d(one, 2), F.max_pool2d(other, 2)
        # As released, the decoder starts from the second date's deepest map.
        values = other
        for enlarge, stage, skip in zip(self.upsampling, self.decoder, reversed(skips), strict=True):
            values = enlarge(values)
            missing = (skip.shape[3] - values.shape[3], skip.shape[2] - values.shape[2])
            values = F.pad(values, (0, missing[0], 0, missing[1]), mode="replicate")
            values = stage(torch.cat((values, skip), dim=1))
        return values
