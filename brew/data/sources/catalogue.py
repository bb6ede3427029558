"""SOURCES: where stores come from, one entry each.

A generated source needs nothing; a real one is found below ``$BREW_DATA`` and described by a manifest in git
(`data/manifests/`), which `python -m brew.data.sources.catalogue` writes anew after the files themselves have changed.
Adding a source is one entry here and at most one reader beside it.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from brew import randomness
from brew.data.fetch import Remote
from brew.data.manifest import check_manifest, write_manifest
from brew.data.miniature import rendering
from brew.data.rasters import content_hash
from brew.data.sources import (
    aerial,
    bigearthnet_v2,
    geobench,
    geotiff,
    levir_cd,
    oscd,
    pastis,
    sen1floods11,
    spacenet1,
    treesatai,
)
from brew.data.store import IMAGES, Variable, write_store
from brew.errors import BrewError, unknown
from brew.files import DATA, real_data


@dataclass(frozen=True)
class MiniatureSettings:
    """Scenes per split; each split has identifiers of its own, so a longer one changes no scene of the others.

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


@dataclass(frozen=True)
class Source:
    """One source.

    build: (root, store, settings); root is None for a source without a folder of its own. folder: below ``$BREW_DATA``.
    patterns: of the files it reads there. obtain: one line for whoever does not have them. remotes: what `make data`
    fetches into the folder. listed: what else the fetched files name.
    """

    name: str
    summary: str
    licence: str
    build: Callable[[Path | None, Path, Any], None]
    folder: str | None = None
    patterns: tuple[str, ...] = ()
    obtain: str = ""
    remotes: tuple[Remote, ...] = ()
    listed: Callable[[Path], tuple[Remote, ...]] = lambda _: ()

    @property
    def manifest(self) -> Path:
        return DATA / "manifests" / f"{self.name}.yaml"

    def root(self) -> Path | None:
        """Where its files lie; BrewError with how to obtain them where they are absent."""
        return None if self.folder is None else real_data(self.folder, self.obtain)


def build_miniature(root: Path | None, path: Path, settings: MiniatureSettings) -> None:
    """Render the miniature into a store, split by split, in blocks that fit memory."""
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
        "licence": "MIT",
        "world seed": settings.seed,
        "materials": list(rendering.MATERIALS),
        "crops": list(rendering.CROPS),
        "roofs": list(rendering.ROOFS),
        "changes": list(rendering.CHANGES),
        "scenes": list(rendering.SCENES),
    }
    write_store(path, sum(splits.values()), variables, _rendered(settings, splits), attributes)


_SPLITS = ("pretrain", "train", "validation", "test")
#: Identifiers of a split start at its multiple, so that a longer split never meets the next one.
_SPLIT_STRIDE = 10**7


def _render(ids: torch.Tensor, settings: MiniatureSettings) -> dict[str, torch.Tensor]:
    products = tuple(name for name in rendering.PRODUCTS if name != "sar" or settings.sar)
    return rendering.render(ids, settings.seed, products, size=settings.size, optical_ratio=settings.optical_ratio)


def _rendered(settings: MiniatureSettings, splits: dict[str, int], block: int = 64) -> Iterator[dict[str, np.ndarray]]:
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


_DIMS = {name: dims for name, (_, dims) in IMAGES.items()} | {
    "materials": ("sample", "y", "x"),
    "crops": ("sample", "y", "x"),
    "change": ("sample", "y", "x"),
    "roofs": ("sample", "optical_y", "optical_x"),
    "scene": ("sample",),
    "scene_labels": ("sample", "label"),
}


def _variable(name: str, value: torch.Tensor) -> Variable:
    return Variable(_DIMS[name], tuple(value.shape[1:]), str(value.dtype).removeprefix("torch."))


def _from_folder(build: Callable[[Path, Path], None]) -> Callable[[Path | None, Path, Any], None]:
    """The builder of a real source that has no settings."""
    return _from_folder_with_settings(lambda root, path, _: build(root, path))


def _from_folder_with_settings(build: Callable[[Path, Path, Any], None]) -> Callable[[Path | None, Path, Any], None]:
    def built(root: Path | None, path: Path, settings: Any) -> None:
        if root is None:
            raise BrewError("a real source has no folder of files; expected one. Set `folder` in its entry of SOURCES")
        build(root, path, settings)

    return built


def _geobench(name: str, entry: geobench.GeobenchSet) -> Source:
    archive = f"{geobench.HOST}/{entry.part}/{entry.folder}.zip"
    return Source(
        name,
        f"GEO-Bench v1: {entry.folder}, {entry.form.size} x {entry.form.size}, {len(entry.form.classes)} classes",
        geobench.LICENCE,
        _from_folder(lambda root, path: geobench.build(root, path, entry)),
        folder=name,
        patterns=("**/*.hdf5", "**/*_partition.json", "**/task_specs.pkl"),
        obtain=f"run `make data BENCHMARK={name}`, or unpack {archive} there",
        remotes=(Remote(f"{entry.folder}.zip", archive),),
    )


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
            _from_folder_with_settings(oscd.build),
            folder="oscd",
            patterns=("*Images/*/imgs_*_rect/*.tif", "*Labels/*/cm/cm.png"),
            obtain="torchgeo.datasets.OSCD(root, download=True) writes this layout",
            remotes=oscd.REMOTES,
        ),
        Source(
            "rsscn7",
            "RSSCN7: 1,750 aerial scenes of seven classes, at 128 x 128",
            aerial.RSSCN7_LICENCE,
            _from_folder(aerial.build_rsscn7),
            folder="rsscn7",
            patterns=("*/*.jpg",),
            obtain="the authors' RSSCN7, one folder per class, each picture reduced to 128 x 128 JPEG",
        ),
        Source(
            "hot_buildings",
            "HOT buildings: 147 aerial chips with building masks",
            aerial.HOT_LICENCE,
            _from_folder(aerial.build_hot_buildings),
            folder="hot_buildings",
            patterns=("*/images/*.tif", "*/masks/*.tif"),
            obtain="Humanitarian OpenStreetMap Team's fAIr training chips, 256 x 256, in train/ and val/",
        ),
        Source(
            "paired",
            "TreeSatAI: co-located aerial (0.2 m) and Sentinel-2 images of nine places",
            treesatai.LICENCE,
            _from_folder(treesatai.build),
            folder="treesatai",
            patterns=("*__aerial.tif", "*__s2.tif", "meta.json"),
            obtain="TreeSatAI in GEO-Bench 2's cut, doi 10.5281/zenodo.6780578 for the original",
        ),
        Source(
            "bigearthnet-v2",
            "BigEarthNet v2: nine patches with their land cover, twelve bands",
            bigearthnet_v2.LICENCE,
            _from_folder(bigearthnet_v2.build),
            folder="bigearthnet_v2",
            patterns=("*__s2.tif", "meta.json"),
            obtain="BigEarthNet v2 in GEO-Bench 2's cut; doi 10.5281/zenodo.12687186 for the original",
        ),
        Source(
            "spacenet1",
            "SpaceNet 1: buildings of Rio de Janeiro, 0.5 m",
            spacenet1.LICENCE,
            _from_folder(spacenet1.build),
            folder="spacenet1",
            patterns=("SN1_buildings/train/3band/*.tif", "SN1_buildings/train/geojson/*.geojson"),
            obtain="run `make data BENCHMARK=spacenet1`, or the training archives of s3://spacenet-dataset",
            remotes=spacenet1.REMOTES,
        ),
        Source(
            "sen1floods11",
            "Sen1Floods11 v1.1, hand-labelled: flood water in Sentinel-2 images",
            sen1floods11.LICENCE,
            _from_folder(sen1floods11.build),
            folder="sen1floods11",
            patterns=tuple(sen1floods11.LISTS.values()) + sen1floods11.files("*"),
            obtain="run `make data BENCHMARK=sen1floods11`, or gs://sen1floods11/v1.1 with its folders",
            remotes=sen1floods11.REMOTES,
            listed=sen1floods11.listed,
        ),
        Source(
            "pastis",
            "PASTIS: crops of France, a year of Sentinel-2 images",
            pastis.LICENCE,
            _from_folder(pastis.build),
            folder="pastis",
            patterns=("*/metadata.geojson", "*/DATA_S2/*.npy", "*/ANNOTATIONS/TARGET_*.npy"),
            obtain="run `make data BENCHMARK=pastis`, or PASTIS-R.zip of doi 10.5281/zenodo.5735646",
            remotes=pastis.REMOTES,
        ),
        Source(
            "levir-cd",
            "LEVIR-CD: buildings in Texas on two dates, 0.5 m",
            levir_cd.LICENCE,
            _from_folder(levir_cd.build),
            folder="levir-cd",
            patterns=("A/*.png", "B/*.png", "label/*.png"),
            obtain="put train.zip, val.zip and test.zip there, from the authors' Google Drive "
            "(https://justchenhao.github.io/LEVIR); `make data BENCHMARK=levir-cd` then checks and unpacks them",
            remotes=levir_cd.REMOTES,
        ),
        *(_geobench(name, entry) for name, entry in geobench.GEOBENCH.items()),
        Source(
            "geotiff",
            "a folder of Sentinel-2 GeoTIFFs of one's own, one file per band or per scene",
            "as its settings say",
            lambda root, path, settings: geotiff.build(path, settings),
        ),
    )
}


def source(name: str) -> Source:
    """The source of that name; BrewError with the nearest known one where there is none."""
    if name not in SOURCES:
        raise unknown("source", name, SOURCES)
    return SOURCES[name]


def build_store(name: str, path: Path, settings: Any) -> str:
    """Check the source against its manifest, build its store, and return what identifies the input.

    That is the manifest's hash for a real source and the key of its settings for one that has no manifest.
    """
    entry = source(name)
    root = entry.root()
    if root is not None and not entry.manifest.is_file():
        raise BrewError(
            f"{entry.manifest} does not exist; expected a list of the files below {root}, on which results rest. "
            f"Run `python -m brew.data.sources.catalogue {name}` to describe them"
        )
    made_from = check_manifest(entry.manifest, root) if root is not None else f"{randomness.key(repr(settings)):016x}"
    entry.build(root, path, settings)
    return made_from


def describe(entry: Source) -> None:
    """Write the manifest of a real source's files, as they lie below ``$BREW_DATA``."""
    root = entry.root()
    if root is None:
        raise BrewError(f"source {entry.name!r} has no folder below BREW_DATA; there are no files to describe")
    write_manifest(entry.manifest, root, entry.patterns, entry.licence, entry.obtain)
    print(f"{entry.manifest} written")


def main() -> int:
    """Describe the named real sources' files anew, by default all described ones."""
    for name in sys.argv[1:] or [entry.name for entry in SOURCES.values() if entry.folder and entry.manifest.is_file()]:
        describe(source(name))
    return 0


if __name__ == "__main__":
    sys.exit(main())
