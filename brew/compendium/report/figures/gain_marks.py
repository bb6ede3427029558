"""How figures draw a gain with its two doubts."""

from matplotlib.axes import Axes

from brew.compendium.report.gains import Gain

#: How a gain is drawn, as captions say it.
GAIN = (
    "Thin bars are 95 % intervals over test samples, thick ones over paired seeds of pretraining. An open marker is "
    "one seed, so exploratory. Ticks are the benchmarks that a mean is over."
)


def mark_gain(axis: Axes, found: Gain, place: float, shade: str, marker: str = "o") -> None:
    """A gain at a height of the axis, as `GAIN` says."""
    axis.plot([found.low, found.high], [place, place], color=shade, lw=1.2)
    if not found.exploratory:
        axis.plot([found.over_seeds.low, found.over_seeds.high], [place, place], color=shade, lw=4, alpha=0.5)
    points = [each for _, each in found.parts]
    axis.plot(points, [place] * len(points), "|", color=shade, ms=7)
    axis.plot(found.points, place, marker, color=shade, ms=6, mfc="white" if found.exploratory else shade)
