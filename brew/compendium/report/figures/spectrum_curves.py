"""What multispectral images are made of: the bands of real ones, or the miniature's materials."""

import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Shaped
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from brew.data.miniature import materials
from brew.sensors import SENSORS

#: Vigour and moisture of the states in which a material is drawn, with the line of each.
_STATES = ((0.2, 0.8, ":"), (0.5, 0.5, "-"), (0.9, 0.2, "--"))
#: Panels beside one another.
_ACROSS = 4
#: The caption of `material_spectra`.
CAPTION_OF_MATERIALS = (
    "Blue lines show the reflectance of the miniature's materials in three states of vigour and moisture. Orange bars "
    "show the ranges in which published spectra of such surfaces usually lie. Grey lines mark the ten Sentinel-2 bands."
)


def band_distributions(pixels: Shaped[np.ndarray, "tile band y x"]) -> Figure:
    """Per band of sensor sentinel2, how pixels are distributed, beside the statistics that the student subtracts."""
    sensor = SENSORS["sentinel2"]
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
    return figure


def caption_of_bands(source: str, tiles: int) -> str:
    """The caption of `band_distributions`. tiles: how many were read."""
    return (
        f"Boxes show the first date's pixels in {tiles} training tiles of {source}: quartiles, median, and the 5th to "
        "95th percentile per band. Points show the mean and deviation that the student normalises with (the released "
        "weights' statistics)."
    )


def material_spectra() -> Figure:
    """Reflectance of every material of the miniature beside published ranges (grey lines: the ten bands)."""
    names = list(materials.MATERIALS)
    rows = -(-len(names) // _ACROSS)
    figure, axes = plt.subplots(rows, _ACROSS, figsize=(11, 1.9 * rows), sharex=True, sharey=True, layout="constrained")
    for axis, name in zip(axes.flat, names, strict=False):
        _material(axis, name)
    for axis in axes.flat[len(names) :]:
        axis.set_visible(False)
    for band in SENSORS["sentinel2"].wavelengths_um:
        for axis in axes.flat[: len(names)]:
            axis.axvline(band, color="0.9", lw=0.8, zorder=0)
    figure.supxlabel("wavelength (um)")
    figure.supylabel("reflectance")
    return figure


def _material(axis: Axes, name: str) -> None:
    wavelengths = np.linspace(*materials.VALID_UM, 400)
    for vigour, moisture, style in _STATES:
        axis.plot(wavelengths, materials.reflectance(name, wavelengths, vigour, moisture), style, color="C0", lw=1.2)
    for each in materials.PUBLISHED.get(name, ()):
        axis.plot([each.wavelength_um] * 2, [each.low, each.high], color="C1", lw=3, solid_capstyle="butt")
    axis.set_title(name, fontsize=9)
