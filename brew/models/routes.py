"""How an image enters the student: through which stem, with which bands, and whether its values can be what they say.

A sensor's own stem reads it if training reached that stem. Otherwise its bands are matched by wavelength to those of
another stem, whose remaining bands stay at their mean. What was absent and what went unused is part of the answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from brew.errors import BrewError
from brew.sensors import SENSORS, Sensor, sensor_of

#: A band stands in for another one whose central wavelength differs by less than this (a camera's red for B4).
_SAME_BAND_UM = 0.05
#: Largest floating-point value still taken for a fraction (reflectance or brightness in [0, 1], glints included).
_FRACTION = 2.0


@dataclass(frozen=True)
class Route:
    """How images of a sensor enter the student.

    path: the stem. channels: for each of the stem's channels, the image's band that fills it, or None.
    absent: the stem's bands that the image lacks; they hold their mean (0 once normalised).
    unused: the image's bands that the stem does not read.
    """

    path: str
    channels: tuple[int | None, ...]
    absent: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()

    def apply(self, values: Tensor) -> Tensor:
        """The stem's channels from normalised images (batch, band, y, x)."""
        if self.channels == tuple(range(values.shape[1])):
            return values
        mean = torch.zeros_like(values[:, 0])
        return torch.stack([mean if band is None else values[:, band] for band in self.channels], 1)


def find_route(source: Sensor, trained_paths: Sequence[str]) -> Route:
    """Through the sensor's own stem if it is trained, otherwise through the one that reads most of its bands.

    Raises BrewError if no trained stem reads any of them.
    """
    if source.path in trained_paths:
        return Route(source.path, tuple(range(len(source))))
    best = min((_matched(source, path) for path in trained_paths), key=lambda each: len(each.unused), default=None)
    if best is None or len(best.unused) == len(source):
        raise BrewError(
            f"no trained stem of this student reads any band of sensor {source.name!r} (trained: "
            f"{', '.join(trained_paths) or 'none'}); expected the stem {source.path!r} or one for bands of like "
            "wavelengths; use a student whose trained_paths include it"
        )
    return best


def _matched(source: Sensor, path: str) -> Route:
    """`source` through a stem that is not its own."""
    stem = sensor_of(path)
    channels = tuple(_match(wavelength, stem, source) for wavelength in stem.wavelengths_um)
    return Route(
        path,
        channels,
        absent=tuple(name for name, band in zip(stem.band_names, channels, strict=True) if band is None),
        unused=tuple(name for i, name in enumerate(source.band_names) if i not in channels),
    )


def _match(wavelength: float, stem: Sensor, source: Sensor) -> int | None:
    """The image's band for one of the stem's: each the other's nearest, so that no band serves twice."""
    band = min(range(len(source)), key=lambda i: abs(source.wavelengths_um[i] - wavelength))
    found = source.wavelengths_um[band]
    back = min(stem.wavelengths_um, key=lambda each: abs(each - found))
    return band if back == wavelength and abs(found - wavelength) < _SAME_BAND_UM else None


def check_shape(images: object, source: Sensor, patch: int) -> None:
    """BrewError unless `images` are a tensor (batch, band, y, x) with the sensor's bands and at least one patch."""
    if not isinstance(images, Tensor):
        raise BrewError(f"images are a {type(images).__name__}; expected a torch.Tensor; use torch.from_numpy(array)")
    if images.is_complex() or images.dtype == torch.bool:
        raise BrewError(f"images are of {images.dtype}; expected integers or floating-point numbers; convert them")
    if images.ndim != 4 or images.shape[1] != len(source):
        raise BrewError(
            f"images have shape {tuple(images.shape)}; expected (batch, {len(source)}, y, x) for sensor "
            f"{source.name!r}, whose bands are {' '.join(source.band_names)}; reorder or select the bands, or name "
            f"another sensor ({', '.join(SENSORS)})"
        )
    if len(images) == 0 or min(images.shape[2:]) < patch:
        raise BrewError(
            f"images have shape {tuple(images.shape)}; expected at least one image of {patch} x {patch} px; pad them"
        )


def check_values(images: Tensor, source: Sensor, normalised: bool) -> None:
    """BrewError, naming the band, for values that are not finite or not in the sensor's unit.

    normalised: only finiteness is checked. On an accelerator this waits for the images once.
    """
    low, high = torch.stack(torch.aminmax(images.float())).tolist()
    # Decibels may well lie in [0, 2]; fractions are looked for if values count up from nothing.
    fractions = images.is_floating_point() and source.valid[0] == 0 and 0 < high <= _FRACTION
    sound = source.valid[0] <= low and high <= source.valid[1] and not fractions
    if not (sound or (normalised and high - low < float("inf"))):
        raise BrewError(_complaint(images, source, normalised))


def _complaint(images: Tensor, source: Sensor, normalised: bool) -> str:
    smallest, largest = source.valid
    for name, band in zip(source.band_names, images.float().unbind(1), strict=True):
        where = f"sensor {source.name!r}, band {name}"
        if not band.isfinite().all():
            return f"{where}: NaN or infinite values; expected finite ones; fill or leave out nodata first"
        low, high = band.min().item(), band.max().item()
        if not normalised and not smallest <= low <= high <= largest:
            return (
                f"{where}: values from {low:g} to {high:g}; expected {source.unit} from {smallest:g} to {largest:g}; "
                "fill or leave out nodata, or pass normalised=True for normalised images"
            )
    return (
        f"sensor {source.name!r}: {images.dtype} values of at most {images.max().item():g} look like fractions "
        f"(reflectance or brightness in [0, 1]); expected {source.unit}; convert them, or pass normalised=True for "
        "normalised images"
    )
