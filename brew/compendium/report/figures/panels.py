"""What figures of several panels share: the panels themselves, their legend, and a message if there is none."""

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from brew.evaluation.benchmarks import BENCHMARKS

#: What a caption says of markers.
HOLLOW = "A hollow marker has fewer seeds than the filled ones, with which it is not compared here."
#: Panels beside one another.
_ACROSS = 3


def panels(count: int, height: float, sharey: bool = False) -> tuple[Figure, list[Axes]]:
    """As many panels as asked for, three in a row. height: of one, in inches."""
    across = min(_ACROSS, count)
    down = -(-count // across)
    figure, axes = plt.subplots(
        down, across, figsize=(3.1 * across + 1.6, height * down), sharey=sharey, layout="constrained", squeeze=False
    )
    for axis in axes.flat[count:]:
        axis.set_visible(False)
    return figure, list(axes.flat[:count])


def message(text: str) -> Figure:
    """A figure that says why there is nothing to draw."""
    figure, axis = plt.subplots(figsize=(6, 1))
    axis.text(0, 0.5, text, wrap=True)
    axis.axis("off")
    return figure


def shared_legend(figure: Figure, axes: list[Axes]) -> None:
    """One legend below the panels, each label once."""
    handles = {text: line for axis in axes for line, text in zip(*axis.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=3, fontsize=8)


def metric_name(benchmark: str) -> str:
    """The benchmark's primary metric in words."""
    return BENCHMARKS[benchmark].metric.replace("_", " ")
