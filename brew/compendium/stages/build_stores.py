"""Stage `data`: stores from sources, and a look at them."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from brew.compendium.report.pictures import false_colour, true_colour
from brew.compendium.report.style import save
from brew.compendium.stages import Stage
from brew.data.miniature import materials
from brew.data.sources.catalogue import SOURCES
from brew.data.sources.stores import build_store
from brew.data.store import ArrayReader, open_store
from brew.errors import BrewError
from brew.files import sha256
from brew.sensors import SENSORS


def build(stage: Stage) -> pd.DataFrame:
    """Build every store of the scale; one row per source and split, with what it was made from."""
    rows = []
    for name, settings in stage.settings.data.present().items():
        path = _store(stage, name)
        made_from = build_store(name, path, settings)
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
    images = ArrayReader(path, "multispectral").read(chosen)[:, 0]
    rows = [("true colour, 10 m (B4 B3 B2)", [true_colour(each, "sentinel2") for each in images]),
            ("false colour, 10 m (B8 B4 B3)", [false_colour(each) for each in images])]  # fmt: skip
    if "optical" in dataset:
        optical = ArrayReader(path, "optical").read(chosen)[:, 0]
        rows.insert(0, ("optical, 2.5 m", [true_colour(each, "rgb") for each in optical]))
    figure, axes = plt.subplots(len(rows), scenes, figsize=(2 * scenes, 2.1 * len(rows)), layout="constrained")
    for row, (title, pictures) in zip(axes, rows, strict=True):
        for axis, picture in zip(row, pictures, strict=True):
            axis.imshow(picture)
            axis.set(xticks=[], yticks=[])
        row[0].set_ylabel(title, fontsize=8)
    known = {"miniature": "Scenes of the miniature, a procedural Earth (no real imagery)", "oscd": "Tiles of OSCD"}
    what = known.get(name, f"Images of {name}")
    save(figure, stage.layout.write("data") / "scenes.png", f"{what}, each {images.shape[-1] * 10} m wide.")
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
    return _of_materials(stage) if "miniature" in stage.settings.data.present() else _of_images(stage)


def _of_images(stage: Stage, tiles: int = 400) -> Figure:
    """Per band, how the training tiles' pixels are distributed, beside the statistics that the student subtracts."""
    name = _shown(stage)
    path, sensor = _store(stage, name), SENSORS["sentinel2"]
    members = np.flatnonzero(open_store(path)["split"].values == "train")
    chosen = members[np.linspace(0, len(members) - 1, min(tiles, len(members))).astype(int)]
    pixels = ArrayReader(path, "multispectral").read(chosen)[:, 0, :, ::4, ::4]
    order = np.argsort(sensor.wavelengths_um)
    figure, axis = plt.subplots(figsize=(8, 3), layout="constrained")
    axis.boxplot(
        [pixels[:, band].ravel() for band in order], whis=(5, 95), showfliers=False, widths=0.5,
        tick_labels=[f"{sensor.band_names[band]}\n{sensor.wavelengths_um[band]:.2f}" for band in order],
    )  # fmt: skip
    places, mean, std = np.arange(1, len(order) + 1) + 0.38, np.array(sensor.mean)[order], np.array(sensor.std)[order]
    axis.errorbar(places, mean, std, fmt="o", ms=4, color="C1", label="student's statistics (mean, deviation)")
    axis.set(xlabel="band and central wavelength (um)", ylabel=sensor.unit)
    axis.legend()
    caption = (
        f"Pixels of {len(chosen)} training tiles of {name}, first date: quartiles, median and 5th to 95th percentile "
        "per band, beside the mean and deviation that the student normalises with (the released weights' statistics)."
    )
    save(figure, stage.layout.write("data") / "spectra.png", caption)
    return figure


def _of_materials(stage: Stage) -> Figure:
    """Reflectance of every material of the miniature beside published ranges (grey lines: the ten bands)."""
    wavelengths = np.linspace(*materials.VALID_UM, 400)
    names = list(materials.MATERIALS)
    columns = 4
    rows = -(-len(names) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(11, 1.9 * rows), sharex=True, sharey=True, layout="constrained")
    for axis, name in zip(axes.flat, names, strict=False):
        for vigour, moisture, style in ((0.2, 0.8, ":"), (0.5, 0.5, "-"), (0.9, 0.2, "--")):
            values = materials.reflectance(name, wavelengths, vigour, moisture)
            axis.plot(wavelengths, values, style, color="C0", lw=1.2)
        for each in materials.PUBLISHED.get(name, ()):
            axis.plot([each.wavelength_um] * 2, [each.low, each.high], color="C1", lw=3, solid_capstyle="butt")
        axis.set_title(name, fontsize=9)
    for axis in axes.flat[len(names) :]:
        axis.set_visible(False)
    for band in SENSORS["sentinel2"].wavelengths_um:
        for axis in axes.flat[: len(names)]:
            axis.axvline(band, color="0.9", lw=0.8, zorder=0)
    figure.supxlabel("wavelength (um)")
    figure.supylabel("reflectance")
    caption = (
        "Reflectance of the miniature's materials (blue: three states of vigour and moisture) beside the ranges in "
        "which published spectra of such surfaces usually lie (orange bars). Grey lines: the ten Sentinel-2 bands."
    )
    save(figure, stage.layout.write("data") / "spectra.png", caption)
    return figure
