"""The optical training images of a scale, as frozen teachers read them; never a scored one."""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from brew.compendium.stages import Stage
from brew.data.store import ArrayReader, open_store
from brew.sensors import SENSORS

#: Stores with optical images, in the order in which they are shown; training splits alone are read.
OPTICAL_SOURCES = ("miniature", "rsscn7", "hot_buildings", "spacenet1", "fmow")
TRAINING = ("pretrain", "train")


def displays(
    stage: Stage, limit: int, batch: int = 64, sources: tuple[str, ...] = OPTICAL_SOURCES
) -> Iterator[Float[Tensor, "_batch 3 _y _x"]]:
    """Training images of the optical sources in [0, 1]. limit: images per source."""
    for name in sources:
        path = stage.layout.store(name)
        if not path.exists():
            continue
        chosen = spread(np.flatnonzero(np.isin(open_store(path)["split"].values, TRAINING)), limit)
        reader = ArrayReader(path, "optical")
        for start in range(0, len(chosen), batch):
            yield as_display(reader.read(chosen[start : start + batch])[:, 0])


def as_display(images: np.ndarray) -> Float[Tensor, "batch 3 y x"]:
    """8-bit images in [0, 1]."""
    return torch.from_numpy(images).float() / SENSORS["rgb"].white


def spread(members: np.ndarray, limit: int) -> np.ndarray:
    """At most `limit` of the members, evenly spaced: stores are sorted by class or city."""
    return members[np.unique(np.linspace(0, len(members) - 1, min(limit, len(members))).astype(int))]
