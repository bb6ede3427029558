"""Linear heads of multi-task pretraining, which nobody keeps: logits of images, of places, or of places that change."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from brew.models.features import Features


class SceneHead(nn.Module):
    """One linear layer on the pooled vector. Logits are float32, outside autocast."""

    def __init__(self, width: int, classes: int):
        super().__init__()
        self.layer = nn.Linear(width, classes)

    def forward(self, features: Features) -> Float[Tensor, "batch classes"]:
        with torch.autocast(features.pooled.device.type, enabled=False):
            return self.layer(features.pooled.float())


class DenseHead(nn.Module):
    """One linear layer per map; their logits are added on the finest map's grid.

    channels: of each map by name, the finest first.
    """

    def __init__(self, channels: Mapping[str, int], classes: int):
        super().__init__()
        self.layers = nn.ModuleDict({name: nn.Conv2d(width, classes, 1) for name, width in channels.items()})

    def forward(self, features: Features, later: Features | None = None) -> Float[Tensor, "batch classes y x"]:
        """Logits of places. later: the same places on another date; the head then reads the difference of both."""
        finest = next(iter(features.maps.values())).shape[-2:]
        with torch.autocast(features.pooled.device.type, enabled=False):
            parts = []
            for name, layer in self.layers.items():
                values = features.maps[name].float()
                if later is not None:
                    values = (values - later.maps[name].float()).abs()
                parts.append(F.interpolate(layer(values), size=finest, mode="bilinear", align_corners=False))
            return torch.stack(parts).sum(0)
