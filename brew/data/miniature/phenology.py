"""When things grow: the share of the ground that leaves hide, as a curve of the day of the year.

A curve is a double logistic (Beck et al. 2006, Remote Sensing of Environment 100) that a harvest ends. Its days are
rounded readings of crop calendars of central Europe (JRC MARS bulletins; Meier's BBCH monograph). The curves are
plausible, not fitted.

Crops of a year share one canopy (`CANOPY`): time alone tells them apart.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from brew.data.miniature.legends import CROPS
from brew.errors import BrewError

#: Six days of the year that tell crops apart: 21 March, 30 April, 4 June, 9 July, 18 August, 12 October.
YEAR = (80, 120, 155, 190, 230, 285)
#: The material that every crop of a year looks like.
CANOPY = "winter wheat"
#: Days by which spring comes earlier or later, at most: in a place, and in a parcel of the place.
PLACE_SHIFT, PARCEL_SHIFT = 8.0, 16.0


@dataclass(frozen=True)
class Season:
    """One year's curve. Days count from 1 January.

    winter, peak: cover before and after green-up. greens, yellows: days of the fastest change. pace: e-folding of
    either change in days. harvest: the day that ends it. published: the days between which such a crop's cover usually
    is at least half, from calendars of central Europe.
    """

    winter: float
    peak: float
    greens: float
    yellows: float
    pace: float
    harvest: float = 400.0
    published: tuple[int, int] = (0, 0)

    def cover(self, day: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Cover in [0, 1] on days of the year."""
        grown = torch.sigmoid((day - self.greens) / self.pace)
        gone = torch.sigmoid((day - self.yellows) / self.pace)
        return (self.winter + (self.peak - self.winter) * grown) * (1 - gone) * (day < self.harvest)


#: In the order of CROPS. Winter crops are green in March, summer crops are sown in spring.
CROP_SEASONS: dict[str, Season] = {
    "winter wheat": Season(0.25, 0.95, 95.0, 182.0, 7.0, 205.0, (90, 185)),
    "maize": Season(0.0, 0.95, 166.0, 266.0, 8.0, 280.0, (165, 265)),
    "rapeseed": Season(0.45, 0.95, 76.0, 168.0, 7.0, 192.0, (75, 175)),
    "sugar beet": Season(0.0, 0.97, 152.0, 325.0, 8.0, 310.0, (155, 295)),
    "sunflower": Season(0.0, 0.92, 150.0, 226.0, 7.0, 254.0, (150, 230)),
}
GRASS_SEASON = Season(0.45, 0.92, 98.0, 330.0, 12.0, published=(90, 320))
#: Winter's cover is branches and litter.
BROADLEAF_SEASON = Season(0.30, 1.0, 113.0, 303.0, 6.0, published=(115, 300))


def crop_seasons() -> tuple[Season, ...]:
    """The seasons in the order of `CROPS`; BrewError if a crop has none."""
    absent = sorted(set(CROPS) - set(CROP_SEASONS))
    if absent:
        raise BrewError(f"no season for {', '.join(absent)}; expected one of every crop; add it to CROP_SEASONS")
    return tuple(CROP_SEASONS[name] for name in CROPS)


def check_days(days: tuple[int, ...]) -> None:
    """BrewError unless the days of a year are at least two, in order, and each one once."""
    if len(days) < 2 or not all(1 <= day <= 365 for day in days):
        raise BrewError(f"days of the year are {days}; expected at least two between 1 and 365. Correct the list")
    if doubled := sorted({day for day in days if days.count(day) > 1}):
        raise BrewError(f"days of the year name {doubled} more than once in {days}; expected each once. Remove one")
    if list(days) != sorted(days):
        raise BrewError(f"days of the year are {days}; expected them in order: {tuple(sorted(days))}")
