"""An image on one grid, read by windows in the sensor's own unit, with a record of what was assumed."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from rasterio.transform import Affine

from brew.data.images.bilinear import finer_where_valid, repeated
from brew.data.images.calibration import Calibration, Levels
from brew.data.images.parts import ADDED, Grid, Layer, Part
from brew.sensors import SENTINEL2_BANDS, Sensor

#: Stored value of a saturated pixel.
_SATURATED = 65535
#: Steps of 16 bit per digital number if 65535 stands for a reflectance of 1; distinct numbers that tell it.
_STRETCH, _DISTINCT = 6.5535, 100
#: Bands of the image's own resolution that tell a pixel without a value by themselves.
_TELLING = 3
#: Stored values of no reflectance, in whatever unit: codes of missing ones (-9999, -32768, 1e20) that nothing declares.
_LEAST, _MOST = -5000.0, 1e9
#: Windows along each axis, and their pixels per side, from which levels are measured.
_WINDOWS, _WINDOW = 4, 96
#: Pixels of a sample from which levels are measured; at most twice as many are taken.
_ENOUGH = 32_768


@dataclass(frozen=True)
class Source:
    """Where one band comes from. ratio: of its pixels' side to those of the image."""

    part: Part
    number: int
    ratio: int
    calibration: Calibration

    @property
    def layer(self) -> Layer:
        return self.part.layers[self.number]


@dataclass(frozen=True)
class _Native:
    """A window as it is stored. numbers: digital numbers per band. valid: of all bands, on the image's grid."""

    numbers: list[np.ndarray]
    held: list[np.ndarray]
    saturated: list[np.ndarray]
    valid: np.ndarray


class Image:
    """Bands of a sensor on one grid. Reading from several threads at a time is safe.

    shape: (y, x) in pixels. y, x: coordinates of the pixels' centres. crs: WKT, None if unknown. transform: None if
    unknown. `read` reads one window.
    """

    def __init__(
        self, sensor: Sensor, grid: Grid, sources: Mapping[str, Source], record: Mapping[str, Any], mask: Any = None
    ):
        """sources: by band. mask: of `brew.data.images.validity`, None if all is seen."""
        self.sensor, self.grid, self.sources = sensor, grid, dict(sources)
        self._record, self._mask, self._lock = dict(record), mask, threading.Lock()
        self._seen = {"pixels": 0, "without_value": 0, "negative": 0, "saturated": 0}
        self._fill = np.array(sensor.mean, np.float32)[:, None, None]
        self._reflective = sensor.band_names[0] in SENTINEL2_BANDS

    @property
    def shape(self) -> tuple[int, int]:
        return self.grid.shape

    @property
    def crs(self) -> str | None:
        return self.grid.crs or None

    @property
    def transform(self) -> Affine | None:
        return self.grid.transform

    @cached_property
    def _centres(self) -> tuple[np.ndarray, np.ndarray]:
        return self.grid.centres

    @property
    def y(self) -> np.ndarray:
        return self._centres[0]

    @property
    def x(self) -> np.ndarray:
        return self._centres[1]

    @property
    def record(self) -> dict[str, Any]:
        """What was assumed, in plain values; `read` counts what was clipped so far, twice where windows overlap."""
        with self._lock:
            return {**self._record, "read": dict(self._seen)}

    def read(self, rows: slice, columns: slice) -> tuple[np.ndarray, np.ndarray]:
        """Values (band, y, x) float32 in the sensor's unit, and validity (y, x), of one window.

        Negative and saturated numbers are clipped and counted. A pixel without a value has each band's mean.
        """
        place = [slice(*part.indices(side)[:2]) for part, side in zip((rows, columns), self.shape, strict=True)]
        around = [self._around(part, side) for part, side in zip(place, self.shape, strict=True)]
        native = self._native(around[0], around[1])
        inner = tuple(
            slice(part.start - outer.start, part.stop - outer.start) for part, outer in zip(place, around, strict=True)
        )
        valid = native.valid[inner]
        values = np.empty((len(self.sources), *valid.shape), np.float32)
        seen = {"pixels": valid.size, "without_value": int((~valid).sum()), "negative": 0, "saturated": 0}
        for band, source in enumerate(self.sources.values()):
            numbers, held = native.numbers[band], native.held[band]
            if self._reflective:
                negative, saturated = (numbers < 0) & held, native.saturated[band] & held
                for name, found in (("negative", negative), ("saturated", saturated)):
                    if found.any():
                        seen[name] += int((repeated(found, source.ratio)[inner] & valid).sum())
                np.clip(numbers, *self.sensor.valid, out=numbers)
            values[band] = finer_where_valid(numbers, held, source.ratio)[inner]
        if not valid.all():
            values = np.where(valid, values, self._fill)
        with self._lock:
            for name, count in seen.items():
                self._seen[name] += count
        return values, valid

    def _around(self, part: slice, side: int) -> slice:
        """The window with a coarse pixel around it, from corner to corner of coarse pixels."""
        ratio = int(np.lcm.reduce([source.ratio for source in self.sources.values()]))
        if ratio == 1:
            return part
        return slice(max(0, part.start // ratio - 1) * ratio, min(side, (-(-part.stop // ratio) + 1) * ratio))

    def _native(self, rows: slice, columns: slice) -> _Native:
        """Each band at its own resolution; the window begins and ends with coarse pixels."""
        count = len(self.sources)
        numbers, held, saturated = ([np.empty(0)] * count for _ in range(3))
        sources = list(self.sources.values())
        for part in dict.fromkeys(source.part for source in sources):
            own = [index for index, source in enumerate(sources) if source.part is part]
            ratio = sources[own[0]].ratio
            coarse = [slice(side.start // ratio, side.stop // ratio) for side in (rows, columns)]
            values, valid = part.read([sources[index].number for index in own], coarse[0], coarse[1])
            for place, index in enumerate(own):
                source = sources[index]
                # What is no number is not computed with.
                stored = np.where(valid[place], values[place], values.dtype.type(0))
                saturated[index] = stored == _SATURATED if values.dtype.kind in "iu" else np.zeros(stored.shape, bool)
                numbers[index], held[index] = source.calibration.numbers(stored), valid[place]
                if self._reflective:
                    held[index] = valid[place] & (stored > _LEAST) & (stored < _MOST)
        valid = np.ones((rows.stop - rows.start, columns.stop - columns.start), bool)
        for source, own_held in zip(sources, held, strict=True):
            valid &= repeated(own_held, source.ratio)
        if self._reflective:
            valid &= ~self._void(numbers)
        if self._mask is not None:
            valid &= ~self._mask(rows, columns)
        held = [
            own & _all_below(valid, source.ratio) if source.ratio > 1 else own & valid
            for source, own in zip(sources, held, strict=True)
        ]
        return _Native(numbers, held, saturated, valid)

    def _void(self, numbers: Sequence[np.ndarray]) -> np.ndarray:
        """Where all bands of the image's own resolution are a stored 0, or such a 0 from which the offset was taken."""
        pairs = list(zip(self.sources.values(), numbers, strict=True))
        fine = [pair for pair in pairs if pair[0].ratio == 1]
        empty = []
        for source, own in fine if len(fine) >= _TELLING else pairs:
            zero = source.layer.zero * source.calibration.slope + source.calibration.shift
            # Values whose unit nobody says may be fractions, of which every one is near 0.
            near = 0.5 if source.calibration.slope > 1 else 1e-6
            dark = (np.abs(own - zero) < near) | (np.abs(own + ADDED) < 0.5)
            empty.append(repeated(dark, source.ratio))
        return np.logical_and.reduce(empty)

    def levels(self) -> Levels | None:
        """Levels of valid pixels in windows spread over the image; None if no pixel has a value."""
        for windows in (_WINDOWS, 4 * _WINDOWS):
            found = [
                self._sample(rows, columns) for rows in self._spread(0, windows) for columns in self._spread(1, windows)
            ]
            pixels = np.concatenate(found, axis=1)
            if pixels.size:
                return self._levels(pixels[:, :: max(1, pixels.shape[1] // _ENOUGH)])
        return None

    def _spread(self, axis: int, windows: int) -> list[slice]:
        ratio = int(np.lcm.reduce([source.ratio for source in self.sources.values()]))
        side, size = self.shape[axis], -(-_WINDOW // ratio) * ratio
        if side <= windows * size:
            return [slice(start, min(side, start + size)) for start in range(0, side, size)]
        starts = np.linspace(0, side - size, windows).astype(int) // ratio * ratio
        return [slice(int(start), int(start) + size) for start in starts]

    def _sample(self, rows: slice, columns: slice) -> np.ndarray:
        """(band, pixel) digital numbers of valid pixels."""
        native = self._native(rows, columns)
        sources = self.sources.values()
        return np.stack(
            [repeated(own, source.ratio)[native.valid] for own, source in zip(native.numbers, sources, strict=True)]
        )

    def _levels(self, pixels: np.ndarray) -> Levels:
        shifts = np.array([source.calibration.shift for source in self.sources.values()], np.float32)[:, None]
        blue, before = pixels[self.sensor.band_names.index("B2")], pixels - shifts
        tops = np.quantile(before, 0.99, axis=1).tolist()
        whole = (before == np.rint(before)).mean(1).tolist()
        return Levels(
            low=float(np.quantile(before, 0.001)), after=float(np.quantile(pixels, 0.001)),
            high=float(np.quantile(pixels, 0.99)), most=float(pixels.max()), blue=float((blue <= 0).mean()),
            tops=dict(zip(self.sources, tops, strict=True)), whole=dict(zip(self.sources, whole, strict=True)),
            full=float((before == _SATURATED).all(0).mean()), stretched=_is_stretched(before),
        )  # fmt: skip

    def with_record(self, **more: Any) -> "Image":
        """The same image whose record says more."""
        return Image(self.sensor, self.grid, self.sources, {**self._record, **more}, self._mask)


def _is_stretched(stored: np.ndarray) -> bool:
    """Whether digital numbers were multiplied by 6.5535 and rounded: chance would not miss the gaps a hundred times."""
    distinct = np.unique(stored)
    apart = np.abs(distinct - np.rint(distinct / _STRETCH) * _STRETCH)
    return bool(len(distinct) > _DISTINCT and (apart < 0.51).all())


def _all_below(valid: np.ndarray, ratio: int) -> np.ndarray:
    """Whether all of the fine pixels below a coarse one are valid."""
    height, width = (side // ratio for side in valid.shape)
    return np.asarray(valid.reshape(height, ratio, width, ratio).all((1, 3)))
