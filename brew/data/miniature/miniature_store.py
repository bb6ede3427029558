"""The miniature's store: rendered scenes of four splits."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch

from brew.data.miniature import legends
from brew.data.miniature.clouds import CLOUDS, check_clouds
from brew.data.miniature.misalignment import Misalignment
from brew.data.miniature.phenology import YEAR, check_days
from brew.data.miniature.rendering import PRODUCTS, YEAR_PRODUCTS, render
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
    "crops_year": ("sample", "y", "x"),
    "materials_by_date": ("sample", "time", "y", "x"),
    "clouds": ("sample", "time", "y", "x"),
    "scene": ("sample",),
    "scene_labels": ("sample", "label"),
}


@dataclass(frozen=True)
class YearSettings:
    """A year of every scene. days: of the year, in order. clouds: share of the images that they cover, on average."""

    days: tuple[int, ...] = YEAR
    clouds: float = 0.2

    def __post_init__(self) -> None:
        check_days(self.days)
        check_clouds(self.clouds)


@dataclass(frozen=True, repr=False)
class MiniatureSettings:
    """Scenes per split. Each split has identifiers of its own, so a longer one changes no scene of the others.

    seed: of the world. size: pixels at 10 m per side. optical_ratio: optical pixels for each of them. sar: with radar.
    year: days instead of a pair of dates. misaligned: how far optical images of the split `pretrain` lie off.
    """

    pretrain: int
    train: int
    validation: int
    test: int
    seed: int = 1
    size: int = 64
    optical_ratio: int = 4
    sar: bool = False
    year: YearSettings | None = None
    misaligned: Misalignment | None = None

    def __post_init__(self) -> None:
        if self.misaligned is not None:
            self.misaligned.check(self.size)

    def __repr__(self) -> str:
        """A store's key is made of it: what came later is named only if it is asked for."""
        named = [entry.name for entry in fields(self) if getattr(self, entry.name) is not None]
        return f"MiniatureSettings({', '.join(f'{name}={getattr(self, name)!r}' for name in named)})"

    @property
    def products(self) -> tuple[str, ...]:
        """What the store holds of `render`'s products."""
        offered = PRODUCTS if self.year is None else YEAR_PRODUCTS
        return tuple(name for name in offered if name != "sar" or self.sar)


def build(path: Path, settings: MiniatureSettings) -> None:
    """Render the miniature into a store, split by split, in blocks that fit memory.

    Raises BrewError for numbers of scenes that do not fit their split, and whatever `render` and `write_store` raise.
    """
    splits = {name: getattr(settings, name) for name in _SPLITS}
    if min(splits.values()) < 0 or max(splits.values()) > _SPLIT_STRIDE or not any(splits.values()):
        raise BrewError(f"scenes per split are {splits}; expected 0 to {_SPLIT_STRIDE}, not all 0. Change the settings")
    one = _render(torch.arange(1), settings, moved=False)
    variables = {name: _variable(name, value) for name, value in one.items()}
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
    if settings.year is not None:
        attributes |= {"days": list(settings.year.days), "clouds": list(CLOUDS)}
    write_store(path, sum(splits.values()), variables, _blocks(settings, splits), attributes)


def _render(ids: torch.Tensor, settings: MiniatureSettings, moved: bool) -> dict[str, torch.Tensor]:
    """moved: whether optical images lie off, if the settings say how far."""
    year, off, ratio = settings.year, settings.misaligned, settings.optical_ratio
    size = settings.size + (2 * off.margin if off else 0)
    products = render(
        ids, settings.seed, settings.products, size=size, optical_ratio=ratio, dates=year.days if year else 2,
        clouds=year.clouds if year else 0.0,
    )  # fmt: skip
    return off.cut(products, ids, settings.seed, ratio, moved) if off else products


def _variable(name: str, value: torch.Tensor) -> Variable:
    return Variable(_DIMS[name], tuple(value.shape[1:]), str(value.dtype).removeprefix("torch."))


def _blocks(settings: MiniatureSettings, splits: dict[str, int], block: int = 64) -> Iterator[dict[str, np.ndarray]]:
    for number, (name, count) in enumerate(splits.items()):
        for start in range(0, count, block):
            ids = torch.arange(start, min(start + block, count)) + number * _SPLIT_STRIDE
            products = {key: value.numpy() for key, value in _render(ids, settings, moved=name == "pretrain").items()}
            pairs = zip(products["multispectral"], products["optical"], strict=True)
            yield products | {
                "split": np.full(len(ids), name, dtype=object),
                "hash": np.array([content_hash(*pair) for pair in pairs], dtype=object),
                "identity": ids.numpy(),
            }
