"""What a network expects of its images: bands and their order, units, statistics with their source.

The images of a benchmark come in a sensor's native units with that sensor's bands. A contract names the ones that a
network reads and turns them into what it was trained on; a band that it needs and does not get is an error.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from brew.errors import BrewError
from brew.evaluation.backbones import check_bands
from brew.sensors import SENSORS, SENTINEL2_BANDS, Band, Sensor

_EPSILON = 1e-6
_BANDS: dict[str, Band] = SENTINEL2_BANDS | {band.name: band for band in SENSORS["rgb"].bands}


@dataclass(frozen=True)
class Inputs:
    """What a network takes from images of one unit: digital numbers, or 8-bit brightness.

    bands: in the order of its channels. white: per band, the native value that becomes 1; 1 if it takes native ones.
    mean, std: per band, after division by white; None if it takes values that are not centred.
    cut: values are cut to [0, 1] after the division, as 8-bit files are. source: of these numbers.
    missing: what happens to a band that the images lack: "refuse", or "leave out" for a network of any bands.
    fill: native values that bands take which the images lack; a band that is not named follows `missing`.
    per_image: mean and deviation are each image's own; mean less and plus two deviations become 0 and 1.
    """

    bands: tuple[str, ...]
    source: str
    white: tuple[float, ...]
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    cut: bool = False
    missing: Literal["refuse", "leave out"] = "refuse"
    fill: Mapping[str, float] = field(default_factory=dict)
    per_image: bool = False

    def lacking(self, found: Sensor) -> tuple[str, ...]:
        """The bands that it needs and the sensor does not have."""
        absent = tuple(band for band in self.bands if band not in found.band_names and band not in self.fill)
        if self.missing == "leave out" and len(absent) < len(self.bands):
            return ()
        return absent

    def taken(self, found: Sensor) -> tuple[str, ...]:
        """The bands that its channels hold, in their order: those that the sensor has, and those that are filled."""
        return tuple(band for band in self.bands if band in found.band_names or band in self.fill)

    def normalise(
        self, images: Shaped[Tensor, "batch band y x"], found: Sensor, standardised: bool = False
    ) -> Float[Tensor, "batch channel y x"]:
        """Channels as the network takes them; see `Contract.prepare`."""
        names = self.taken(found)
        if self.per_image:
            return _within_two_deviations(self._select(images.float(), found, names, self.fill))
        if standardised and self.mean is not None:
            return self._select(images.float(), found, names, dict.fromkeys(self.fill, 0.0))
        values = self._select(_native(images, found) if standardised else images.float(), found, names, self.fill)
        values = values / _column(self.white, self.bands, names, values)
        values = values.clamp(0, 1) if self.cut else values
        if self.mean is None or self.std is None:
            return values
        return (values - _column(self.mean, self.bands, names, values)) / _column(self.std, self.bands, names, values)

    @staticmethod
    def _select(images: Tensor, found: Sensor, names: tuple[str, ...], fill: Mapping[str, float]) -> Tensor:
        def channel(name: str) -> Tensor:
            if name in found.band_names:
                return images[:, found.band_names.index(name)]
            return images.new_full(images[:, 0].shape, fill[name])

        return torch.stack([channel(name) for name in names], dim=1)


@dataclass(frozen=True)
class Contract:
    """What a network takes: from Sentinel-2's digital numbers, and from 8-bit red, green and blue. None: nothing."""

    sentinel2: Inputs | None
    rgb: Inputs | None

    def of(self, found: Sensor) -> Inputs | None:
        """What is taken from images in that sensor's unit."""
        return self.sentinel2 if found.unit == SENSORS["sentinel2"].unit else self.rgb

    def inputs(self, sensor: str, name: str) -> Inputs:
        """What the network of that name takes from the sensor; BrewError that names the bands it lacks."""
        found = SENSORS[sensor]
        inputs = self.of(found)
        if inputs is None:
            raise BrewError(
                f"backbone {name!r} reads no images of sensor {sensor!r}: its contract states no numbers for "
                f"{found.unit}; expected another sensor; leave the backbone out of this benchmark"
            )
        if lacking := inputs.lacking(found):
            raise BrewError(
                f"backbone {name!r} needs the bands {', '.join(lacking)}, which sensor {sensor!r} lacks (it has "
                f"{', '.join(found.band_names)}); expected all of {', '.join(inputs.bands)}; leave the backbone out of "
                "this benchmark"
            )
        return inputs

    def prepare(
        self, images: Shaped[Tensor, "batch band y x"], sensor: str, name: str, standardised: bool = False
    ) -> tuple[Float[Tensor, "batch channel y x"], tuple[Band, ...]]:
        """Channels as the network of that name takes them, and what band each of them is.

        standardised: every band has been standardised by the caller. A network that takes centred values then gets them
        as they are; for one that does not, the sensor's mean and deviation are put back first.
        """
        found = check_bands(images, sensor)
        inputs = self.inputs(sensor, name)
        return inputs.normalise(images, found, standardised), tuple(_BANDS[band] for band in inputs.taken(found))


def _native(images: Tensor, found: Sensor) -> Tensor:
    """Standardised images in native units again, within what the sensor can hold."""
    mean, std = (torch.tensor(values, device=images.device).view(1, -1, 1, 1) for values in (found.mean, found.std))
    return (images.float() * std + mean).clamp(*found.valid)


def _column(values: tuple[float, ...], bands: tuple[str, ...], names: tuple[str, ...], like: Tensor) -> Tensor:
    chosen = [values[bands.index(name)] for name in names]
    return torch.tensor(chosen, dtype=like.dtype, device=like.device).view(1, -1, 1, 1)


def _within_two_deviations(values: Tensor) -> Tensor:
    std, mean = torch.std_mean(values, dim=(2, 3), keepdim=True)
    return ((values - mean) / (4 * std.clamp(min=_EPSILON)) + 0.5).clamp(0, 1)
