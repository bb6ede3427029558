"""Images beside the likeness of one of their patches to all others, as every backbone sees it."""

from collections.abc import Mapping, Sequence
from textwrap import fill

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from brew.compendium.report.figures.picture_grid import Picture, picture_grid
from brew.compendium.report.patch_likeness import GRID

#: Width and height of a picture's place, in inches; characters of a title's line.
_SIZE, _LINE = (1.5, 1.65), 18
#: The patch that is compared: right below the middle.
PATCH = GRID * GRID // 2 + GRID // 2


def likeness_maps(
    images: Sequence[Float[np.ndarray, "y x 3"]], cosines: Mapping[str, Float[np.ndarray, "image patch patch2"]]
) -> Figure:
    """A row per image: the image with its patch framed, then a map per backbone, from its least to its largest."""

    def row(place: int) -> list[Picture]:
        image = Picture(_framed(images[place]), title="image" if place == 0 else "")
        maps = {title: each[place, PATCH].reshape(GRID, GRID) for title, each in cosines.items()}
        return [
            image,
            *(Picture(each, "cividis", title=fill(title, _LINE) if place == 0 else "") for title, each in maps.items()),
        ]

    return picture_grid([row(place) for place in range(len(images))], _SIZE)


def _framed(image: Float[np.ndarray, "y x 3"]) -> Float[np.ndarray, "y x 3"]:
    """The image with a white frame about the patch."""
    framed, side = image.copy(), len(image) // GRID
    top, left = (PATCH // GRID) * side, (PATCH % GRID) * side
    patch = framed[top : top + side, left : left + side]
    patch[[0, -1]] = patch[:, [0, -1]] = 1
    return framed


def caption(source: str) -> str:
    """The figure's caption. source: of the images."""
    return (
        f"Each row shows a test image of {source} with one patch framed, and for each backbone the cosine of that "
        "patch's features with those of every other patch. Features are at stride 8. Bright is alike; each map runs "
        "from its least to its largest cosine."
    )
