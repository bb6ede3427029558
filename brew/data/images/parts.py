"""A part of an image: some bands on one grid, read by windows. What an image comes as decides which class reads it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from rasterio.transform import Affine

from brew.errors import BrewError

#: What products of baseline 04.00 and later add to digital numbers.
ADDED = 1000.0
#: Who declares a packing that the flag of a STAC item overrules.
RASTER_BANDS = "raster:bands"
#: Metres of one degree of latitude.
_DEGREE = 111_320.0


@dataclass(frozen=True)
class Grid:
    """Where pixels lie. shape: (y, x). transform: of a corner, not turned; None if unknown.

    crs: WKT, empty if unknown. degrees: whether its unit is degrees.
    """

    shape: tuple[int, int]
    transform: Affine | None = None
    crs: str = ""
    degrees: bool = False

    @property
    def step(self) -> float:
        """The width of a pixel in the grid's own unit, 1 if the grid is unknown."""
        return abs(self.transform.a) if self.transform else 1.0

    @property
    def metres(self) -> tuple[float, float] | None:
        """Height and width of a pixel on the ground at the image's middle; None if the grid is unknown."""
        if self.transform is None or not self.crs:
            return None
        height, width = abs(self.transform.e), abs(self.transform.a)
        if not self.degrees:
            return height, width
        middle = self.transform.f + self.transform.e * self.shape[0] / 2
        return height * _DEGREE, width * _DEGREE * math.cos(math.radians(middle))

    @property
    def centres(self) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates (y), (x) of the pixels' centres; the pixels' numbers + 0.5 if the grid is unknown."""
        found = self.transform or Affine.identity()
        rows, columns = (np.arange(side) + 0.5 for side in self.shape)
        return found.f + found.e * rows, found.c + found.a * columns


@dataclass(frozen=True)
class Layer:
    """One band as its part holds it.

    names: what the source calls the band, the most telling first. where: of the band, for messages and the record.
    dtype: of stored values. scale, offset: to the measured quantity, as declared; None if nothing is.
    decoded: whether values have had `scale` and `offset` applied, so that a stored 0 is `offset` now.
    unit: as declared, such as "%"; empty if nothing is. tags: what else the band says of itself.
    """

    names: tuple[str, ...]
    where: str
    dtype: np.dtype
    scale: float | None = None
    offset: float | None = None
    decoded: bool = False
    unit: str = ""
    declared_by: str = ""
    nodata: tuple[float, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def zero(self) -> float:
        """The value that a stored 0 has as it is read."""
        return float(self.offset or 0) if self.decoded else 0.0

    def is_none(self, values: np.ndarray) -> np.ndarray:
        """Where values, as they are read, are none: NaN, infinite, or declared nodata."""
        none = ~np.isfinite(values) if values.dtype.kind == "f" else np.zeros(values.shape, bool)
        for value in self.nodata:
            close = abs(value) * 1e-6 if values.dtype.kind == "f" else 0
            none |= np.abs(values - value) <= close if close else values == value
        return none


@runtime_checkable
class Part(Protocol):
    """Some bands on one grid."""

    @property
    def grid(self) -> Grid: ...

    @property
    def layers(self) -> Sequence[Layer]: ...

    def read(self, which: Sequence[int], rows: slice, columns: slice) -> tuple[np.ndarray, np.ndarray]:
        """Values (layer, y, x) as they are stored, and validity (layer, y, x), of the layers numbered `which`."""
        ...


@dataclass(frozen=True)
class Statement:
    """who: says it. offset: that leads to digital numbers. above_bands: whether it overrules `raster:bands`."""

    who: str
    offset: float
    above_bands: bool = False


@dataclass(frozen=True)
class Opened:
    """What a source holds. kind: of source, in words. source: its name.

    said: `Statement`s of metadata on the offset, the first to be believed first.
    aside: names of what is known not to be a band. notes: further facts for the record.
    """

    kind: str
    source: str
    parts: tuple[Part, ...]
    said: tuple[Statement, ...] = ()
    aside: tuple[str, ...] = ()
    notes: Mapping[str, object] = field(default_factory=dict)

    def refuse(self, problem: str) -> BrewError:
        return BrewError(f"{self.source}: {problem}")
