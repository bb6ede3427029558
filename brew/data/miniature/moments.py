"""A date of a place: one of a pair, or a day of a year.

Draws of a date are keyed by its name. The images of a day are so the same whatever other days are asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from brew.data.miniature.arithmetic import between
from brew.data.miniature.draws import Draws

#: The days between which what is built, felled or flooded in a year happens.
_HAPPENS = (90.0, 275.0)


@dataclass(frozen=True)
class Moment:
    """One date of the scenes of a block.

    name: keys its draws. changed: 1.0 in scenes whose change has happened by then. day: of the year; None in a pair.
    """

    name: str
    changed: Float[Tensor, " batch"]
    day: int | None = None


def moments_of(draw: Draws, dates: int | Sequence[int]) -> tuple[Moment, ...]:
    """dates: 1 or 2 of a pair, between which the change happens; or days of one year, each scene with a day of its own
    for the change."""
    count = len(draw.ids)
    if isinstance(dates, int):
        return tuple(Moment(str(date), torch.full((count,), float(date))) for date in range(dates))
    happens = between(draw("change/day")[:, 0], *_HAPPENS)
    return tuple(Moment(f"day {day}", (day > happens).float(), day) for day in dates)
