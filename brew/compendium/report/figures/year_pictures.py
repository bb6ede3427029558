"""A place's year: pictures of its days, and what grows when."""

import matplotlib.pyplot as plt
import numpy as np
import torch
from jaxtyping import Shaped
from matplotlib.figure import Figure

from brew.compendium.report.figures.picture_grid import Picture, picture_grid
from brew.compendium.report.pictures import false_colour, true_colour
from brew.data.miniature.phenology import BROADLEAF_SEASON, CROP_SEASONS, GRASS_SEASON

#: Width and height of a picture's place, in inches.
_SIZE = (1.7, 1.75)
#: The caption of `seasons`.
CAPTION_OF_SEASONS = (
    "Blue lines show the share of the ground that leaves hide over a year of the miniature. Orange bars show the days "
    "on which crop calendars of central Europe let such a cover exceed one half. Grey lines mark the images' days."
)


def year_of_places(multispectral: Shaped[np.ndarray, "place day band y x"], days: list[int]) -> Figure:
    """Two rows per place, true and false colour; a column per day of the year."""
    rows, titles = [], []
    for place in multispectral:
        dated = zip(place, days, strict=True)
        rows.append([Picture(true_colour(each, "sentinel2"), title=f"day {day}") for each, day in dated])
        rows.append([Picture(false_colour(each)) for each in place])
        titles += ["true colour", "false colour"]
    return picture_grid(rows, _SIZE, titles)


def caption_of_year(metres: int) -> str:
    """The caption of `year_of_places`. metres: the width of a scene."""
    return (
        f"Two rows show one place of the miniature, {metres} m wide, in true colour (B4 B3 B2) and false colour (B8 B4 "
        "B3). Columns show days of one year. White patches are clouds."
    )


def seasons(days: list[int]) -> Figure:
    """Cover over the year, for each crop, for grass and for broadleaf woods, beside published shapes."""
    curves = CROP_SEASONS | {"grass": GRASS_SEASON, "broadleaf forest": BROADLEAF_SEASON}
    figure, axes = plt.subplots(2, 4, figsize=(11, 4), sharex=True, sharey=True, layout="constrained")
    year = torch.arange(1.0, 366.0)
    for axis, (name, season) in zip(axes.flat[: len(curves)], curves.items(), strict=True):
        axis.plot(year, season.cover(year))
        axis.hlines(0.5, *season.published, color="C1", lw=5, alpha=0.6)
        for day in days:
            axis.axvline(day, color="0.9", lw=0.8, zorder=0)
        axis.set_title(name, fontsize=9)
    for axis in axes.flat[len(curves) :]:
        axis.set_visible(False)
    figure.supxlabel("day of the year")
    figure.supylabel("cover")
    return figure
