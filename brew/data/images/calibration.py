"""From stored values to digital numbers: who says which unit and which offset, and what the pixels say to that.

A digital number here is reflectance x 10000 without the 1000 that products of baseline 04.00 and later add.
The first that speaks decides, by itself for unit and for offset: the caller; a band's tag; scale and offset of file,
attributes or encoding; what the source's metadata say (`Opened.said`). Then the pixels have a veto.

The limits of the veto are measured on 156 real scenes. The level below which 0.1 % of the ten bands' pixels lie is
below 900 without the offset but for 5 scenes, and above 900 with it in all. The level of 99 % is at least 169 in
digital numbers and at most 156 in percent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from brew.data.images.parts import ADDED, RASTER_BANDS, Layer, Opened
from brew.errors import BrewError, unknown

#: Digital numbers of one unit.
UNITS = {"digital numbers": 1.0, "reflectance": 10_000.0, "percent": 100.0}
_SPELLINGS = {
    "digital numbers": ("digital numbers", "digital number", "digital_numbers", "dn", "digital_counts", "counts"),
    "reflectance": ("reflectance", "1", "unitless", "dimensionless", "fraction"),
    "percent": ("percent", "%", "percentage"),
}  # fmt: skip
_SHIFTED = 900.0
_TWICE = -100.0
_DARKEST = 160.0
_BRIGHTEST = 28_000.0
#: Normalised values begin below the first and end below the second; digital numbers never begin below the third.
_CENTRED, _NEGATIVE = (-0.5, 30.0), -2500.0
#: Share of saturated pixels above which they are taken for pixels without a value.
_FULL = 0.005
#: Share of pixels without any blue above which the offset was taken off twice.
_BLACK_BLUE = 0.2


@dataclass(frozen=True)
class Said:
    """What the caller says: value = stored * scale + offset, in `unit`. The offset alone is in digital numbers."""

    unit: str | None = None
    scale: float | int | None = None
    offset: float | int | None = None

    def __post_init__(self) -> None:
        if self.unit is not None and unit_named(self.unit) is None:
            raise unknown("unit", self.unit, UNITS)
        for name, value in (("scale", self.scale), ("offset", self.offset)):
            if value is not None and (
                isinstance(value, bool) or not np.isfinite(value) or (name == "scale" and value <= 0)
            ):
                raise BrewError(f"{name} {value!r}; expected a number. Say value = stored * scale + offset, in `unit`")

    @property
    def factor(self) -> float:
        """Digital numbers of one of the caller's units."""
        if self.unit is not None:
            return UNITS[str(unit_named(self.unit))]
        return UNITS["reflectance" if self.scale is not None else "digital numbers"]


@dataclass(frozen=True)
class Calibration:
    """Digital number = stored * slope + shift. unit_by, shift_by: who said it, empty if nobody did."""

    slope: float
    shift: float
    unit_by: str
    shift_by: str

    def numbers(self, stored: np.ndarray) -> np.ndarray:
        """Digital numbers as float32; sums of float64 values are rounded once."""
        if stored.dtype.kind == "f" and self.slope != 1:
            stored = stored.astype(np.float64)
        elif stored.dtype.kind != "f":
            stored = stored.astype(np.float64 if stored.dtype.itemsize > 2 else np.float32)
        with np.errstate(over="ignore"):  # a code of a missing value may become infinite
            return (stored * stored.dtype.type(self.slope) + stored.dtype.type(self.shift)).astype(np.float32)


@dataclass(frozen=True)
class Levels:
    """Of the ten bands in a sample of pixels, in digital numbers.

    low: below which 0.1 % lie, before the offset is taken off. after: the same, afterwards. high: below which 99 % lie.
    most: the largest. blue: share of pixels with none. tops: the level of 99 % by band, before the offset is taken off.
    whole: the share of whole numbers by band, before the offset is taken off. full: of pixels with 65535 in all bands.
    stretched: whether all numbers are multiples of 6.5535, as Sentinel Hub stretches reflectance to 16 bit.
    """

    low: float
    after: float
    high: float
    most: float
    blue: float
    tops: Mapping[str, float]
    whole: Mapping[str, float]
    full: float
    stretched: bool


def unit_named(text: str) -> str | None:
    """The unit that a text names, None if it names none."""
    return next((unit for unit, known in _SPELLINGS.items() if text.strip().lower() in known), None)


def calibrate(layer: Layer, opened: Opened, caller: Said) -> Calibration:
    """What the first that speaks says of unit and offset."""
    slope, shift, unit_by, shift_by = 1.0, 0.0, "", ""
    unit = unit_named(layer.unit) if layer.unit else None
    factor = UNITS["percent" if unit == "percent" else "reflectance"]
    packed = layer.scale not in (None, 1.0)
    if packed:  # scale and offset lead to reflectance, whatever the unit of stored values
        slope = factor * (1.0 if layer.decoded else float(layer.scale or 1))
        unit_by = layer.declared_by
    elif unit:
        factor, unit_by = UNITS[unit], f"unit {layer.unit!r}"
        slope = factor
    else:
        factor = 1.0
    applied = factor * float(layer.offset or 0) if layer.decoded else 0.0
    overruled = layer.declared_by == RASTER_BANDS and any(each.above_bands for each in opened.said)
    if layer.offset and not overruled:
        shift, shift_by = factor * layer.offset - applied, layer.declared_by
    elif opened.said:
        shift, shift_by = opened.said[0].offset - applied, opened.said[0].who
    for key in ("BOA_ADD_OFFSET", "RADIO_ADD_OFFSET"):
        if key in layer.tags:
            shift, shift_by = float(layer.tags[key]) - applied, f"band tag {key}"
    if caller.unit is not None or caller.scale is not None:
        slope, unit_by = caller.factor * (caller.scale or 1.0), "the caller"
    if caller.offset is not None:
        shift, shift_by = caller.factor * caller.offset, "the caller"
    return Calibration(round(slope, 9), round(shift, 6), unit_by, shift_by)


def check_levels(levels: Levels, calibrations: Sequence[Calibration], caller: Said, opened: Opened) -> str:
    """Who or what settles the offset; BrewError if the pixels contradict what was said, or ask for what was not."""
    first = calibrations[0]
    _check_unit(levels, first, caller, opened)
    _check_shift(levels, first, caller, opened)
    return first.shift_by or f"nobody; the pixels hold none (0.1 % are below {levels.low:.0f})"


def _check_unit(levels: Levels, first: Calibration, caller: Said, opened: Opened) -> None:
    found = f"99 % of the pixels are below {levels.high:.4g}"
    of_caller = first.unit_by == "the caller"
    numbers = of_caller and caller.scale is None and caller.factor == 1
    as_they_are = not of_caller or numbers
    if levels.after < _NEGATIVE or (as_they_are and levels.low < _CENTRED[0] and levels.high < _CENTRED[1]):
        raise opened.refuse(
            f"the pixels lie between {levels.low:.3g} and {levels.high:.3g} (0.1 % and 99 %), as if they were "
            "normalised; expected digital numbers (reflectance x 10000). Give the image before that: a student "
            "normalises it itself"
        )
    # xarray-eopf leaves the unit of stored values on reflectance.
    if as_they_are and levels.high <= 2:
        raise opened.refuse(
            f"{found}, which look like fractions; expected digital numbers (reflectance x 10000). Pass "
            '`unit="reflectance"`'
        )
    if numbers:
        return
    if levels.full > _FULL:
        raise opened.refuse(
            f"{levels.full:.0%} of the pixels hold 65535 in all bands, which seems to say that they have no value; "
            "expected that to be declared. Declare it (rio edit-info --nodata 65535), or pass `mask=` an array (y, x) "
            "that is True there"
        )
    if levels.stretched and not first.unit_by:
        raise opened.refuse(
            f"{found}, and all are multiples of 65535 / 10000, as reflectance that Sentinel Hub stretched to 16 bit; "
            "expected digital numbers (reflectance x 10000). Pass `scale=1 / 65535`"
        )
    if levels.high > _BRIGHTEST:
        raise opened.refuse(
            f"{found} as {first.unit_by or 'digital numbers'} leads; expected digital numbers up to {_BRIGHTEST:.0f}. "
            "Say the unit of the pixels: `unit=` as one of "
            + ", ".join(repr(unit) for unit in UNITS)
            + ", with `scale=` if packed"
        )
    if of_caller:
        if levels.high < _DARKEST / 16:
            raise opened.refuse(
                f"{found} by the caller's unit and scale; expected digital numbers from {_DARKEST:.0f} on. Correct "
                "`unit` or `scale`"
            )
        return
    if levels.high <= _DARKEST or (not first.unit_by and levels.most <= 255):
        told = f" as {first.unit_by} leads" if first.unit_by else ""
        raise opened.refuse(
            f"{found}{told} and the largest is {levels.most:.4g}; expected digital numbers (reflectance x 10000). If "
            "the "
            'values are percent, pass `unit="percent"`. If they were stretched to 8 bit, pass `scale=` with the '
            "reflectance of one step, such as `scale=0.4 / 255` for a stretch from 0 to 0.4. If they are digital "
            "numbers of "
            'a dark place, pass `unit="digital numbers"`'
        )


def _check_shift(levels: Levels, first: Calibration, caller: Said, opened: Opened) -> None:
    by_caller = first.shift_by == "the caller"
    step = ADDED / caller.factor
    off, none = f"`offset={-step:g}`", "`offset=0`"
    if first.shift < 0 and levels.after < _TWICE:
        raise opened.refuse(
            f"{first.shift_by} says an offset of {first.shift:g}, yet 0.1 % of the pixels are below {levels.low:.0f}; "
            f"expected {_SHIFTED:.0f} at least if it were in them. It was taken off already: pass {none}"
        )
    if first.shift >= 0 and levels.after < _TWICE:
        raise opened.refuse(
            f"0.1 % of the pixels are below {levels.after:.0f}; expected {_TWICE:.0f} at least. The offset was taken "
            f"off twice: pass `offset={step:g}` to add it again"
        )
    if first.shift > 0 and levels.after >= _SHIFTED:
        raise opened.refuse(
            f"an offset of {first.shift:g}, added as {first.shift_by} says, lifts 0.1 % of the pixels to "
            f"{levels.after:.0f}; expected less than {_SHIFTED:.0f}. The offset is added, as ESA's own is: pass {off} "
            f"or {none}"
        )
    if first.shift == 0 and not by_caller and levels.after >= _SHIFTED:
        told = f"although {first.shift_by} says none" if first.shift_by else "and nothing says so"
        raise opened.refuse(
            f"the pixels look as if 1000 had been added, as from baseline 04.00 on (0.1 % are below {levels.low:.0f}), "
            f"{told}; expected less than {_SHIFTED:.0f}. Pass {off} if it was added, {none} if the place is that bright"
        )
    if not by_caller and levels.blue > _BLACK_BLUE:
        raise opened.refuse(
            f"{levels.blue:.0%} of the pixels have no blue (B2 is 0 or less); expected at most {_BLACK_BLUE:.0%}. The "
            f"offset seems taken off twice: take the original, or pass {none} if the pixels are right"
        )
