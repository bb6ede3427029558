"""Labels beside the points of a figure, moved up until none covers another."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.transforms import Bbox, offset_copy

#: Points between a place and its label, across and up, and of one step by which a label moves.
_ACROSS, _UP, _STEP = 6.0, 8.0, 3.0


def label_points(figure: Figure, axis: Axes, places: Sequence[tuple[float, float]], texts: Sequence[str]) -> None:
    """Write a text above the right of each place, the lowest first; a label that covers another moves up.

    places: in the axis's data coordinates, whose limits must be final.
    """
    figure.canvas.draw()
    taken: list[Bbox] = []
    for (x, y), text in sorted(zip(places, texts, strict=True), key=lambda each: each[0][1]):
        note = axis.text(
            x, y, text, va="center", fontsize=8, path_effects=[withStroke(linewidth=2, foreground="white")]
        )
        # Each label below it can be in the way for one height of a text: after so many steps there is room.
        for step in range(5 * len(texts)):
            note.set_transform(offset_copy(axis.transData, figure, _ACROSS, _UP + step * _STEP, units="points"))
            if not any(note.get_window_extent().overlaps(box) for box in taken):
                break
        taken.append(note.get_window_extent())
