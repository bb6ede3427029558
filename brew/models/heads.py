"""Heads: through one of these the student meets one teacher.

Source: paper, section 3; released code's `DINOHead` without batch norm and without the last weight-normed layer.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class Head(nn.Module):
    """Three linear layers with GELU between them, then L2 normalisation, in float32 outside autocast.

    inputs, outputs: widths. hidden: of both inner layers.
    """

    def __init__(self, inputs: int, outputs: int, hidden: int = 2048):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(inputs, hidden), nn.GELU(), nn.Linear(hidden, hidden), nn.GELU(), nn.Linear(hidden, outputs)
        )
        for layer in self.layers:
            if isinstance(layer, nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=0.02)
                nn.init.zeros_(layer.bias)

    def forward(self, x: Float[Tensor, "*batch inputs"]) -> Float[Tensor, "*batch outputs"]:
        """Unit vectors."""
        # bf16 outputs lose so much in the coding rate's covariance that its Cholesky factorisation fails.
        with torch.autocast(x.device.type, enabled=False):
            return F.normalize(self.layers(x.float()), dim=-1)

    def patches(self, x: Float[Tensor, "batch channel y x"]) -> Float[Tensor, "batch outputs y x"]:
        """Unit vectors of every patch of a map."""
        return self(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class PixelHead(nn.Module):
    """One linear layer from each patch to the pixels that it stands for, in float32 (SimMIM, arXiv 2111.09886).

    inputs: width of a patch. channels: of the restored image. stride: pixels per side of a patch.
    """

    def __init__(self, inputs: int, channels: int, stride: int):
        super().__init__()
        self.project = nn.Conv2d(inputs, channels * stride**2, 1)
        self.unfold = nn.PixelShuffle(stride)

    def forward(self, x: Float[Tensor, "batch inputs _y _x"], size: int) -> Float[Tensor, "batch channel y x"]:
        """Images of `size` pixels per side; what padded patches stand for is cut."""
        with torch.autocast(x.device.type, enabled=False):
            return self.unfold(self.project(x.float()))[..., :size, :size]
