"""The miniature's store: rendered scenes of four splits."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from brew.data.miniature import legends
from brew.data.miniature.rendering import PRODUCTS, render
from brew.data.rasters import content_hash
from brew.data.store import IMAGES, Variable, write_store
from brew.errors import BrewError

LICENCE = "MIT"
_SPLITS = ("pretrain", "train", "validation", "test")
#: Identifiers of a split start at a multiple of this number, so that a longer split never meets the next one.
_SPLIT_STRIDE = 10**7
_DIMS = {name: dims for name, (_, dims) in IMAGES.items()} | {
    "materials": ("sample", "y", "x"),
    "crops": ("sample", "y", "x"),
    "change": ("sample", "y", "x"),
    "roofs": ("sample", "optical_y", "optical_x"),
    "scene": ("sample",),
    "scene_labels": ("sample", "label"),
}


@dataclass(frozen=True)
class MiniatureSettings:
    """Scenes per split. Each split has identifiers of its own, so a longer one changes no scene of the others.

    seed: of the world. size: pixels at 10 m per side. optical_ratio: optical pixels for each of them. sar: with radar.
    """

    pretrain: int
    train: int
    validation: int
    test: int
    seed: int = 1
    size: int = 64
    optical_ratio: int = 4
    sar: bool = False


def build(path: Path, settings: MiniatureSettings) -> None:
    """Render the miniature into a store, split by split, in blocks that fit memory.

    Raises BrewError for numbers of scenes that do not fit their split, and whatever `render` and `write_store` raise.
    """
    splits = {name: getattr(settings, name) for name in _SPLITS}
    if min(splits.values()) < 0 or max(splits.values()) > _SPLIT_STRIDE or not any(splits.values()):
        raise BrewError(f"scenes per split are {splits}; expected 0 to {_SPLIT_STRIDE}, not all 0. Change the settings")
    variables = {name: _variable(name, value) for name, value in _render(torch.arange(1), settings).items()}
    variables |= {
        "split": Variable(("sample",), (), "text"),
        "hash": Variable(("sample",), (), "text"),
        "identity": Variable(("sample",), (), "int64"),
    }
    attributes = {
        "source": "miniature: a procedural Earth, no real imagery",
        "licence": LICENCE,
        "world seed": settings.seed,
        "materials": list(legends.MATERIALS),
        "crops": list(legends.CROPS),
        "roofs": list(legends.ROOFS),
        "changes": list(legends.CHANGES),
        "scenes": list(legends.SCENES),
    }
    write_store(path, sum(splits.values()), variables, _blocks(settings, splits), attributes)


def _render(ids: torch.Tensor, settings: MiniatureSettings) -> dict[str, torch.Tensor]:
    products = tuple(name for name in PRODUCTS if name != "sar" or settings.sar)
    return render(ids, settings.seed, products, size=settings.size, optical_ratio=settings.optical_ratio)


def _variable(name: str, value: torch.Tensor) -> Variable:
    return Variable(_DIMS[name], tuple(value.shape[1:]), str(value.dtype).removeprefix("torch."))


def _blocks(settings: MiniatureSettings, splits: dict[str, int], block: int = 64) -> Iterator[dict[str, np.ndarray]]:
    for number, (name, count) in enumerate(splits.items()):
        for start in range(0, count, block):
            ids = torch.arange(start, min(start + block, count)) + number * _SPLIT_STRIDE
            products = {key: value.numpy() for key, value in _render(ids, settings).items()}
            pairs = zip(products["multispectral"], products["optical"], strict=True)
            yield products | {
                "split": np.full(len(ids), name, dtype=object),
                "hash": np.array([content_hash(*pair) for pair in pairs], dtype=object),
                "identity": ids.numpy(),
            }
