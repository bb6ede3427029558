"""Stage `data`: stores from sources, and a look at them."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from brew.compendium.report.figures.scene_colours import caption, scene_colours
from brew.compendium.report.figures.spectrum_curves import (
    CAPTION_OF_MATERIALS,
    band_distributions,
    caption_of_bands,
    material_spectra,
)
from brew.compendium.report.figures.year_pictures import (
    CAPTION_OF_SEASONS,
    caption_of_year,
    seasons,
    year_of_places,
)
from brew.compendium.report.style import save
from brew.compendium.stages import Stage
from brew.data.sources.catalogue import SOURCES
from brew.data.sources.stores import build_store, check_source
from brew.data.store import ArrayReader, open_store
from brew.errors import BrewError
from brew.files import sha256

#: Ground sampling distance of multispectral images.
_METRES = 10


def build(stage: Stage) -> pd.DataFrame:
    """Build every store of the scale; one row per source and split, with what it was made from.

    Hashes are cut to 16 characters. `made from` is what `sha256sum` prints for the source's manifest, or the key of a
    generated source's settings. `store` is what it prints for its own lines about the store's files.
    Every source is checked before the first store is built, so that a missing file is told before long work.
    """
    rows, present = [], stage.settings.data.present()
    inputs = {name: check_source(name, settings) for name, settings in present.items()}
    for name, made_from in inputs.items():
        path = _store(stage, name)
        build_store(name, path, present[name])
        dataset = open_store(path)
        splits, counts = np.unique(dataset["split"].values, return_counts=True)
        rows += [
            {
                "source": name, "split": split, "samples": int(count), "licence": SOURCES[name].licence,
                "made from": made_from[:16], "store": sha256(path)[:16],
            }
            for split, count in zip(splits, counts, strict=True)
        ]  # fmt: skip
    table = pd.DataFrame(rows)
    table.to_csv(stage.layout.write("data") / "sources.csv", index=False)
    return table


def _store(stage: Stage, name: str) -> Path:
    """A source's store; while exploring one beside what else is tried, so that no other stage reads it."""
    return stage.layout.write("data") / f"{name}.zarr" if stage.layout.explore else stage.layout.store(name)


def look(stage: Stage, scenes: int = 6) -> Figure:
    """Scenes in true and false colour: what a reader who knows Sentinel-2 checks first."""
    name = _shown(stage)
    path = _store(stage, name)
    dataset = open_store(path)
    chosen = np.linspace(0, dataset.sizes["sample"] - 1, scenes).astype(int)
    multispectral = ArrayReader(path, "multispectral").read(chosen)[:, 0]
    optical = ArrayReader(path, "optical").read(chosen)[:, 0] if "optical" in dataset else None
    figure = scene_colours(multispectral, optical)
    save(figure, stage.layout.write("data") / "scenes.png", caption(name, multispectral.shape[-1] * _METRES))
    return figure


def _shown(stage: Stage) -> str:
    """The source that is looked at: the miniature, OSCD, or the first other one with multispectral images."""
    names = sorted(stage.settings.data.present(), key=lambda name: name not in ("miniature", "oscd"))
    for name in names:
        if "multispectral" in open_store(_store(stage, name)):
            return name
    raise BrewError(f"no multispectral images among {', '.join(names) or 'no sources'}; expected some. Add a source")


def spectra(stage: Stage) -> Figure:
    """What the multispectral images are made of: the miniature's materials, or the real images' bands."""
    if "miniature" in stage.settings.data.present():
        figure, text = material_spectra(), CAPTION_OF_MATERIALS
    else:
        name = _shown(stage)
        pixels = _training_pixels(_store(stage, name))
        figure, text = band_distributions(pixels), caption_of_bands(name, len(pixels))
    save(figure, stage.layout.write("data") / "spectra.png", text)
    return figure


def year(stage: Stage, places: int = 3) -> tuple[Figure, ...]:
    """Places of the miniature over their year, and what grows when; nothing if the scale has a pair of dates."""
    world = stage.settings.data.miniature
    if world is None or world.year is None:
        return ()
    path, days = _store(stage, "miniature"), list(world.year.days)
    chosen = np.linspace(0, open_store(path).sizes["sample"] - 1, places).astype(int)
    pictures = year_of_places(ArrayReader(path, "multispectral").read(chosen), days)
    save(pictures, stage.layout.write("data") / "year.png", caption_of_year(world.size * _METRES))
    curves = seasons(days)
    save(curves, stage.layout.write("data") / "seasons.png", CAPTION_OF_SEASONS)
    return pictures, curves


def _training_pixels(path: Path, tiles: int = 400) -> np.ndarray:
    """(tile, band, y, x) of the first date: every fourth row and column of training tiles, which are evenly chosen."""
    members = np.flatnonzero(open_store(path)["split"].values == "train")
    chosen = members[np.linspace(0, len(members) - 1, min(tiles, len(members))).astype(int)]
    return ArrayReader(path, "multispectral").read(chosen)[:, 0, :, ::4, ::4]
