"""Labels beside the points of a figure, moved up until none covers another."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.transforms import Bbox, offset_copy

#: Points between a place and its label, across and up, and of one step by which a label moves.
_ACROSS, _UP, _STEP = 10.0, 8.0, 3.0
#: Half the width that a place is given, in pixels.
_MARK = 5.0


def label_points(
    figure: Figure, axis: Axes, places: Sequence[tuple[float, float]], texts: Sequence[str], colours: Sequence[str]
) -> None:
    """Write a text above the right of each place, the lowest first; one that covers a place or a text moves up.

    places: in the axis's data coordinates, whose limits are final from now on. A square and a line of a place's colour
    tie the text to it.
    """
    axis.autoscale(False)
    figure.canvas.draw()
    middles = [axis.transData.transform(place) for place in places]
    taken = [Bbox.from_extents(x - _MARK, y - _MARK, x + _MARK, y + _MARK) for x, y in middles]
    for (x, y), text, colour in sorted(zip(places, texts, colours, strict=True), key=lambda each: each[0][1]):
        note = axis.text(
            x, y, text, va="center", fontsize=8, path_effects=[withStroke(linewidth=2, foreground="white")]
        )
        # Each place and each label below can be in the way for a text's height: after so many steps there is room.
        for step in range(12 * len(texts)):
            note.set_transform(offset_copy(axis.transData, figure, _ACROSS, _UP + step * _STEP, units="points"))
            box = note.get_window_extent()
            if not any(box.overlaps(other) for other in taken):
                break
        taken.append(box)
        beside = axis.transData.inverted().transform((box.x0 - _MARK, (box.y0 + box.y1) / 2))
        axis.plot([x, beside[0]], [y, beside[1]], "s-", color=colour, lw=0.8, ms=4, markevery=[1])
