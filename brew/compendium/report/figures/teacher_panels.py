"""What each teacher brings, benchmark by benchmark, by what tells a benchmark's classes apart."""

from collections.abc import Sequence
from itertools import product

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator

from brew.compendium.report.captioned import CaptionedFigure
from brew.compendium.report.contrasts import Contrast, by_kind, contrasted, contrasts_run
from brew.compendium.report.figures.gain_marks import GAIN, mark_gain
from brew.compendium.report.gains import gain
from brew.compendium.report.scored import Scored
from brew.compendium.report.style import colour
from brew.compendium.report.summary import benchmarks_in

#: Of contrasts in the order of the legend: several may share a reference, and so its colour.
_MARKERS = "osD^vPX<>*"
#: Points up to which differences are drawn to scale: one of many that is huge would hide the others.
_LINEAR = 10
_TICKS = (-50, -20, -10, -5, 0, 5, 10, 20, 50)


def teacher_panels(scored: Scored) -> CaptionedFigure | None:
    """A panel per kind of benchmark; None if no contrast was run."""
    names = contrasted(scored, benchmarks_in(scored.summary))
    contrasts, kinds = contrasts_run(scored, names), by_kind(names)
    if not contrasts:
        return None
    figure, axes = plt.subplots(
        len(kinds), 1, figsize=(7.2, 1.9 + 0.24 * len(names) * (1 + len(contrasts))), sharex=True, layout="constrained",
        height_ratios=[len(members) for members in kinds.values()], squeeze=False,
    )  # fmt: skip
    for axis, (kind, members) in zip(axes[:, 0], kinds.items(), strict=True):
        _panel(axis, scored, members, contrasts)
        axis.set_title(kind, loc="left")
    axes[-1, 0].set_xlabel("difference of the primary score (points)")
    handles = [Line2D([], [], color=shade, marker=marker, lw=2) for shade, marker in _signs(contrasts)]
    figure.legend(handles, [each.title for each in contrasts], loc="outside lower center", fontsize=9)
    caption = (
        "The figure shows what each teacher brings, by what tells a benchmark's classes apart. Each mark is a "
        f"difference between two arms on the same test samples, in the colour of the second. {GAIN} Beyond {_LINEAR} "
        "points the axis is logarithmic."
    )
    return CaptionedFigure("teachers", figure, caption)


def _signs(contrasts: Sequence[Contrast]) -> list[tuple[str, str]]:
    """A colour and a marker for each contrast."""
    return [(colour(each.reference), _MARKERS[place]) for place, each in enumerate(contrasts)]


def _panel(axis: Axes, scored: Scored, members: Sequence[str], contrasts: Sequence[Contrast]) -> None:
    signs = _signs(contrasts)
    for (place, name), (row, contrast) in product(enumerate(members), enumerate(contrasts)):
        found = gain(scored, [name], contrast.arm, contrast.reference)
        if found:
            mark_gain(axis, found, place + 0.7 * ((row + 0.5) / len(contrasts) - 0.5), *signs[row])
    axis.axvline(0, color="0.4", lw=0.8)
    axis.set_yticks(range(len(members)), members, fontsize=9)
    axis.set(ylim=(len(members) - 0.5, -0.5))
    axis.grid(axis="x", color="0.92")
    axis.set_xscale("symlog", linthresh=_LINEAR)
    axis.xaxis.set_major_locator(FixedLocator(_TICKS))
    axis.xaxis.set_major_formatter("{x:g}")
