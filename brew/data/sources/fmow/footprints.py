"""Which ground an image shows, which of it a store's square shows, and where that lies in the image's pixels.

Images of fMoW differ in size and are not square. A policy brings them to the store's square: "whole" shows the whole
footprint, stretched to a square; "centre" shows the largest square of ground in the middle. Both images of a pair show
the same ground, each cut from its own pixels.
"""

import math
from typing import Literal

from brew.errors import BrewError

#: West, south, east, north in degrees.
Bounds = tuple[float, float, float, float]
Policy = Literal["whole", "centre"]
#: Metres of a degree of latitude, and of longitude at the equator.
_METRES = 111_195.0
#: Share of the multispectral footprint that an optical image has to show at least.
_COMMON = 0.25


def extent(bounds: Bounds) -> tuple[float, float]:
    """Height and width in metres."""
    west, south, east, north = bounds
    return (north - south) * _METRES, (east - west) * _METRES * math.cos(math.radians((south + north) / 2))


def shown(bounds: Bounds, policy: Policy) -> Bounds:
    """The ground that the store's square shows of this footprint."""
    if policy == "whole":
        return bounds
    west, south, east, north = bounds
    height, width = extent(bounds)
    side = min(height, width)
    high, wide = (north - south) * side / height / 2, (east - west) * side / width / 2
    x, y = (west + east) / 2, (south + north) / 2
    return x - wide, y - high, x + wide, y + high


def common(first: Bounds, second: Bounds) -> Bounds:
    """The ground of both; BrewError if that is less than a quarter of the first."""
    west, south = max(first[0], second[0]), max(first[1], second[1])
    east, north = min(first[2], second[2]), min(first[3], second[3])
    share = max(0.0, east - west) * max(0.0, north - south) / ((first[2] - first[0]) * (first[3] - first[1]))
    if share < _COMMON:
        hint = ", which agree if latitude and longitude are exchanged (setting `latitude_first`)"
        exchanged = hint if _agree_exchanged(first, second) else ""
        raise BrewError(
            f"the images share {share:.0%} of their ground, {first} and {second}{exchanged}; expected {_COMMON:.0%} at "
            "least. Leave the pair out, or correct the polygon"
        )
    return west, south, east, north


def _agree_exchanged(first: Bounds, second: Bounds) -> bool:
    west, south, east, north = (second[each] for each in (1, 0, 3, 2))
    return west < first[2] and first[0] < east and south < first[3] and first[1] < north


def box(image: Bounds, ground: Bounds, width: int, height: int) -> tuple[float, float, float, float]:
    """Left, upper, right, lower edge of the ground in the pixels of an image with these bounds, north up."""
    west, south, east, north = image
    x, y = width / (east - west), height / (north - south)
    edges = (ground[0] - west) * x, (north - ground[3]) * y, (ground[2] - west) * x, (north - ground[1]) * y
    left, upper, right, lower = edges
    return max(0.0, left), max(0.0, upper), min(float(width), right), min(float(height), lower)
