"""Scenes in true and false colour: what a reader who knows Sentinel-2 checks first."""

import numpy as np
from jaxtyping import Shaped
from matplotlib.figure import Figure

from brew.compendium.report.figures.picture_grid import Picture, picture_grid
from brew.compendium.report.pictures import false_colour, true_colour

#: Width and height of a picture's place, in inches.
_SIZE = (2.0, 2.1)


def scene_colours(
    multispectral: Shaped[np.ndarray, "scene band y x"], optical: Shaped[np.ndarray, "scene 3 row column"] | None
) -> Figure:
    """A column per scene. multispectral: of sensor sentinel2. optical: of sensor rgb, if the source has such images."""
    rows = {} if optical is None else {"optical, 2.5 m": [true_colour(each, "rgb") for each in optical]}
    rows["true colour, 10 m (B4 B3 B2)"] = [true_colour(each, "sentinel2") for each in multispectral]
    rows["false colour, 10 m (B8 B4 B3)"] = [false_colour(each) for each in multispectral]
    return picture_grid([[Picture(each) for each in row] for row in rows.values()], _SIZE, list(rows))


def caption(source: str, metres: int) -> str:
    """The figure's caption. metres: the width of a scene."""
    known = {"miniature": "scenes of the miniature, a procedural Earth (no real imagery)", "oscd": "tiles of OSCD"}
    return f"Columns show {known.get(source, f'images of {source}')}, each {metres} m wide."
