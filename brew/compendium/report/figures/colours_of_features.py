"""Test images beside the principal components of every model's features."""

from collections.abc import Mapping
from textwrap import fill

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from brew.compendium.report.figures.picture_grid import Picture, picture_grid

#: Width and height of a picture's place, in inches; characters of a title's line.
_SIZE, _LINE = (1.9, 2.0), 24


def colours_of_features(
    images: Float[np.ndarray, "image row column 3"], components: Mapping[str, Float[np.ndarray, "image y x 3"]]
) -> Figure:
    """A row of images, then a row per model. components: the first three of its features, each in [0, 1]."""
    rows = {"image": images, **components}
    pictures = [[Picture(each) for each in row] for row in rows.values()]
    return picture_grid(pictures, _SIZE, [fill(title, _LINE) for title in rows])


def caption(source: str) -> str:
    """The figure's caption. source: of the images."""
    return (
        f"The first row shows test images of {source}. Each row below shows the first three principal components of a "
        "backbone's features at stride 8, as red, green and blue. Each backbone has components of its own, so colours "
        "compare within a row, not between rows."
    )
