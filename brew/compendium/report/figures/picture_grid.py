"""Pictures in rows and columns: images and maps, without axes, each under its title."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import Colormap
from matplotlib.figure import Figure

#: Points of a picture's title, and of a row's.
_TITLE = 8.0


@dataclass(frozen=True)
class Picture:
    """values: (y, x, 3), red, green and blue in [0, 1]; or (y, x), which `colours` shows from `low` to `high`.

    title: above the picture.
    """

    values: np.ndarray
    colours: str | Colormap | None = None
    low: float | None = None
    high: float | None = None
    title: str = ""


def picture_grid(
    rows: Sequence[Sequence[Picture]],
    size: tuple[float, float],
    row_titles: Sequence[str] | None = None,
    across: int | None = None,
) -> Figure:
    """A grid of pictures, all rows of one length.

    size: width and height of a picture's place, in inches. across: at most so many pictures stand on a line, and a
    longer row goes on below, in lines of like length.
    """
    length = len(rows[0])
    columns = ceil(length / ceil(length / (across or length)))
    lines = [row[start : start + columns] for row in rows for start in range(0, len(row), columns)]
    figure, axes = plt.subplots(
        len(lines), columns, figsize=(size[0] * columns, size[1] * len(lines)), layout="constrained", squeeze=False
    )
    for line, pictures in zip(axes, lines, strict=True):
        for axis, picture in zip(line, pictures, strict=False):
            axis.imshow(picture.values, cmap=picture.colours, vmin=picture.low, vmax=picture.high)
            axis.set(xticks=[], yticks=[])
            if picture.title:
                axis.set_title(picture.title, fontsize=_TITLE)
        for axis in line[len(pictures) :]:
            axis.set_axis_off()
    first_lines = axes[:: len(lines) // len(rows), 0]
    for axis, title in zip(first_lines, row_titles or [""] * len(rows), strict=True):
        if title:
            axis.set_ylabel(title, fontsize=_TITLE)
    return figure
