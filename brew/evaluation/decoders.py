"""The decoder that every dense task trains on frozen maps: UPerNet (Xiao et al. 2018, arXiv 1807.10221).

The blocks are segmentation_models_pytorch's. One change: its layer norm over the channels of every pixel is replaced
by a fixed affine map per channel, from the training maps' mean and deviation. A norm per pixel divides each pixel by
its own magnitude, and the magnitude is the signal if the maps are differences of two dates or plain bands.
Left out: auxiliary heads and dropout.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from brew.errors import BrewError


class Standardise(nn.Module):
    """Fixed (value - mean) / std per channel; channels that never vary become zero."""

    scale: Tensor
    mean: Tensor

    def __init__(self, mean: Float[Tensor, " channel"], std: Float[Tensor, " channel"]) -> None:
        super().__init__()
        varies = std > 1e-6 * std.max().clamp(min=1e-30)
        self.register_buffer("scale", torch.where(varies, 1 / std.clamp(min=1e-30), 0.0).view(1, -1, 1, 1))
        self.register_buffer("mean", mean.clone().view(1, -1, 1, 1))

    def forward(self, maps: Float[Tensor, "batch channel y x"]) -> Float[Tensor, "batch channel y x"]:
        return (maps.float() - self.mean) * self.scale


class Decoder(nn.Module):
    """UPerNet over four maps of descending resolution; logits at the first map's resolution.

    means, stds: per map, of each of its channels over the training set. width: channels throughout the decoder.
    """

    def __init__(self, means: Sequence[Tensor], stds: Sequence[Tensor], classes: int, width: int = 64) -> None:
        super().__init__()
        if len(means) != 4 or [len(mean) for mean in means] != [len(std) for std in stds]:
            raise BrewError(
                f"statistics of {[len(mean) for mean in means]} and {[len(std) for std in stds]} channels; expected "
                "the same four numbers"
            )
        # The library counts from full resolution and skips strides 1 and 2: they have no channels here.
        # Takes seconds to import (timm, torchvision), and whoever reads settings or scores needs none of it.
        from segmentation_models_pytorch.base.heads import SegmentationHead
        from segmentation_models_pytorch.decoders.upernet.decoder import UPerNetDecoder

        self.decoder = UPerNetDecoder([0, 0, *(len(mean) for mean in means)], encoder_depth=5, decoder_channels=width)
        self.decoder.feature_norms = nn.ModuleList(
            Standardise(mean, std) for mean, std in zip(means, stds, strict=True)
        )
        self.head = SegmentationHead(width, classes, kernel_size=1)

    def forward(self, maps: Sequence[Float[Tensor, "batch _channel _y _x"]]) -> Float[Tensor, "batch classes _y _x"]:
        return self.head(self.decoder([None, None, *maps]))


def at_size(logits: Float[Tensor, "batch classes y x"], size: tuple[int, int]) -> Float[Tensor, "batch classes y2 x2"]:
    """Logits resized bilinearly to the labels' grid; on a coarser one, every value has its part."""
    if tuple(logits.shape[-2:]) == tuple(size):
        return logits
    shrinks = size[0] < logits.shape[-2]
    return F.interpolate(logits, size=size, mode="bilinear", align_corners=False, antialias=shrinks)
