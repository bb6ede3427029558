"""Stems: one patch embedding per path, so that sensors with other bands share one trunk."""

from jaxtyping import Float
from torch import Tensor, nn

from brew.models.matrix_products import applied


class Stem(nn.Module):
    """A convolution whose stride is its kernel, then a layer norm if the trunk expects one (Swin).

    Rows and columns beyond the last whole patch are not seen, as in torchvision.
    """

    def __init__(self, channels: int, width: int, patch: int, norm: bool):
        super().__init__()
        self.proj = nn.Conv2d(channels, width, patch, patch)
        self.norm = nn.LayerNorm(width) if norm else nn.Identity()

    def forward(self, images: Float[Tensor, "batch channel y x"]) -> Float[Tensor, "batch patch_y patch_x width"]:
        return self.norm(applied(self.proj, images).permute(0, 2, 3, 1))
