"""SOURCES: where stores come from, one entry each.

A generated source needs nothing; a real one is found below ``$BREW_DATA`` and described by a manifest in git
(`data/manifests/`), which `python -m brew.data.sources` writes anew after the files themselves have changed.
Adding a source is one entry here and at most one reader beside it.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from brew import draws
from brew.data import aerial, oscd
from brew.data.manifest import check_manifest, write_manifest
from brew.data.miniature import render
from brew.data.store import Variable, write_store
from brew.errors import BrewError, nearest
from brew.paths import DATA, real_data
from brew.sensors import SENSORS


@dataclass(frozen=True)
class MiniatureSettings:
    """Scenes per split; each split has identifiers of its own. seed: of the world. size: pixels at 10 m per side."""

    pretrain: int
    train: int
    validation: int
    test: int
    seed: int = 1
    size: int = 64


@dataclass(frozen=True)
class Source:
    """One source. build: (root, store, settings), root None for a generated one. patterns: of the files it reads.

    folder: below ``$BREW_DATA``. obtain: one line for whoever does not have it.
    """

    name: str
    summary: str
    licence: str
    build: Callable[[Path | None, Path, Any], None]
    folder: str | None = None
    patterns: tuple[str, ...] = ()
    obtain: str = ""

    @property
    def manifest(self) -> Path:
        return DATA / "manifests" / f"{self.name}.yaml"

    def root(self) -> Path | None:
        """Where its files lie; BrewError with how to obtain them where they are absent."""
        return None if self.folder is None else real_data(self.folder, self.obtain)


def build_miniature(root: Path | None, path: Path, settings: MiniatureSettings) -> None:
    """Render the miniature into a store, split by split, in blocks that fit memory."""
    splits = {name: getattr(settings, name) for name in ("pretrain", "train", "validation", "test")}
    first = render(torch.arange(1), settings.seed, size=settings.size)
    variables = {name: _variable(name, value) for name, value in first.items()} | {
        "split": Variable(("sample",), (), "text")
    }
    attributes = {
        "source": "miniature: a procedural Earth, no real imagery",
        "licence": "MIT",
        "units": SENSORS["sentinel2"].unit,
        "world seed": settings.seed,
    }
    write_store(path, sum(splits.values()), variables, _rendered(settings, splits), attributes)


_SPLIT_STRIDE = 10**7  # identifiers of a split start at its multiple, so that a longer split never meets the next one


def _rendered(settings: MiniatureSettings, splits: dict[str, int], block: int = 64) -> Iterator[dict[str, np.ndarray]]:
    for number, (name, count) in enumerate(splits.items()):
        for start in range(0, count, block):
            ids = torch.arange(start, min(start + block, count)) + number * _SPLIT_STRIDE
            products = render(ids, settings.seed, size=settings.size)
            yield {key: value.numpy() for key, value in products.items()} | {
                "split": np.full(len(ids), name, dtype=object)
            }


_DIMS = {
    "multispectral": ("sample", "time", "band", "y", "x"),
    "optical": ("sample", "time", "optical_band", "optical_y", "optical_x"),
    "materials": ("sample", "y", "x"),
    "crops": ("sample", "y", "x"),
    "change": ("sample", "y", "x"),
    "roofs": ("sample", "optical_y", "optical_x"),
    "scene": ("sample",),
    "scene_labels": ("sample", "label"),
}


def _variable(name: str, value: torch.Tensor) -> Variable:
    return Variable(_DIMS[name], tuple(value.shape[1:]), str(value.dtype).removeprefix("torch."))


def _no_settings(build: Callable[[Path, Path], None]) -> Callable[[Path | None, Path, Any], None]:
    def built(root: Path | None, path: Path, settings: Any) -> None:
        if root is None:
            raise BrewError("a real source needs the folder of its files; found none")
        build(root, path)

    return built


SOURCES: dict[str, Source] = {
    source.name: source
    for source in (
        Source(
            "miniature",
            "a procedural Earth rendered from spectra and shapes, not real imagery",
            "MIT",
            build_miniature,
        ),
        Source(
            "oscd",
            "Onera Satellite Change Detection: 24 cities, two dates, Sentinel-2 L1C",
            oscd.LICENCE,
            lambda root, path, settings: oscd.build(root, path, settings),
            folder="oscd",
            patterns=("*Images/*/imgs_*_rect/*.tif", "*Labels/*/cm/cm.png"),
            obtain="torchgeo.datasets.OSCD(root, download=True) writes this layout",
        ),
        Source(
            "rsscn7",
            "RSSCN7: 1,750 aerial scenes of seven classes, at 128 x 128",
            "not stated: local use only",
            _no_settings(aerial.build_rsscn7),
            folder="rsscn7",
            patterns=("*/*.jpg",),
            obtain="the authors' RSSCN7, one folder per class, each picture reduced to 128 x 128 JPEG",
        ),
        Source(
            "hot_buildings",
            "HOT buildings: 147 aerial chips with building masks",
            "imagery OpenAerialMap (CC BY 4.0), labels OpenStreetMap (ODbL)",
            _no_settings(aerial.build_hot_buildings),
            folder="hot_buildings",
            patterns=("*/images/*.tif", "*/masks/*.tif"),
            obtain="Humanitarian OpenStreetMap Team's fAIr training chips, 256 x 256, in train/ and val/",
        ),
    )
}


def source(name: str) -> Source:
    """The source of that name; BrewError with the nearest known one where there is none."""
    if name not in SOURCES:
        raise BrewError(f"source {name!r} is unknown; {nearest(name, tuple(SOURCES))}")
    return SOURCES[name]


def build_store(name: str, path: Path, settings: Any) -> str:
    """Check the source against its manifest, build its store, and return what identifies the input.

    That is the manifest's hash for a real source and the key of its settings for a generated one.
    """
    entry = source(name)
    root = entry.root()
    made_from = check_manifest(entry.manifest, root) if root is not None else f"{draws.key(repr(settings)):016x}"
    entry.build(root, path, settings)
    return made_from


def main() -> int:
    """`python -m brew.data.sources [name ...]`: describe the files of real sources anew."""
    for name in sys.argv[1:] or [entry.name for entry in SOURCES.values() if entry.folder]:
        entry = source(name)
        root = entry.root()
        if root is None:
            raise BrewError(f"source {name!r} is generated; it has no files to describe")
        write_manifest(entry.manifest, root, entry.patterns, entry.licence, entry.obtain)
        print(f"{entry.manifest} written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
