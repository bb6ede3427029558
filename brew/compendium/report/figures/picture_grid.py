"""Pictures in rows and columns: images and maps, without axes, each under its title."""

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import Colormap
from matplotlib.figure import Figure

#: Points of a row's title, and of a picture's if it names no other.
_TITLE = 8.0


@dataclass(frozen=True)
class Picture:
    """values: (y, x, 3), red, green and blue in [0, 1]; or (y, x), which `colours` shows from `low` to `high`.

    title: above the picture. title_size: in points.
    """

    values: np.ndarray
    colours: str | Colormap | None = None
    low: float | None = None
    high: float | None = None
    title: str = ""
    title_size: float = _TITLE


def picture_grid(
    rows: Sequence[Sequence[Picture]], size: tuple[float, float], row_titles: Sequence[str] | None = None
) -> Figure:
    """A grid of pictures, all rows of one length. size: width and height of a picture's place, in inches."""
    columns = len(rows[0])
    figure, axes = plt.subplots(
        len(rows), columns, figsize=(size[0] * columns, size[1] * len(rows)), layout="constrained", squeeze=False
    )
    for row, pictures in zip(axes, rows, strict=True):
        for axis, picture in zip(row, pictures, strict=True):
            axis.imshow(picture.values, cmap=picture.colours, vmin=picture.low, vmax=picture.high)
            axis.set(xticks=[], yticks=[])
            if picture.title:
                axis.set_title(picture.title, fontsize=picture.title_size)
    for axis, title in zip(axes[:, 0], row_titles or [""] * len(rows), strict=True):
        if title:
            axis.set_ylabel(title, fontsize=_TITLE)
    return figure
