"""How alike the patches of one image are to a backbone: the cosine of their features, each patch with every other."""

import base64

import numpy as np
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

#: Patches along a side of an image.
GRID = 8
#: A byte is the cosine in so many steps from -1 to 1.
_STEPS = 254


def likeness(maps: Float[Tensor, "image width y x"], grid: int = GRID) -> Float[np.ndarray, "image patch patch2"]:
    """Cosines of the mean features of grid x grid patches, row by row."""
    patches = F.normalize(F.adaptive_avg_pool2d(maps.double(), grid).flatten(2), dim=1)
    return (patches.transpose(1, 2) @ patches).clamp(-1, 1).numpy()


def packed(cosines: Float[np.ndarray, "patch patch2"]) -> str:
    """The half above the diagonal, row by row, a byte each, in base 64."""
    half = cosines[np.triu_indices(len(cosines), 1)]
    return base64.b64encode(((half + 1) * _STEPS / 2).round().astype(np.uint8).tobytes()).decode()
