"""The paper's first figure: mean optical against mean multispectral score of every backbone, marked by its size."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from brew.compendium.report.arm_gains import GROUPS
from brew.compendium.report.captioned import CaptionedFigure
from brew.compendium.report.figures.panels import HOLLOW
from brew.compendium.report.figures.point_labels import label_points
from brew.compendium.report.formatting import plural
from brew.compendium.report.joint import interval
from brew.compendium.report.scored import Scored
from brew.compendium.report.seeds import standing
from brew.compendium.report.style import colour, label
from brew.compendium.report.summary import benchmarks_in, in_order, seeds_note

#: Points that are named where they stand; of more, each gets a number.
_NAMED = 10


def model_sizes(scored: Scored, sizes: Mapping[str, int]) -> CaptionedFigure | None:
    """A point per backbone; None unless one was scored on all benchmarks of both groups.

    sizes: parameters of the network by backbone; one that is absent here is not drawn.
    """
    optical, multispectral = (group.members(benchmarks_in(scored.summary)) for group in GROUPS.values())
    standings = [standing(scored, names) for names in (optical, multispectral)]
    across, up = (each.replicates for each in standings)
    compared = {name for name in across if all(name in each.ordered for each in standings)}
    shown = [name for name in in_order(across.keys() & up.keys()) if name in sizes]
    if not shown:
        return None
    many = len(shown) > _NAMED
    figure, axis = plt.subplots(figsize=(10.5, 7.5) if many else (7.2, 5.2), layout="constrained")
    for name in shown:
        x, y, shade = across[name], up[name], colour(name)
        axis.plot(interval(x), [y[0]] * 2, color=shade, lw=1, alpha=0.6)
        axis.plot([x[0]] * 2, interval(y), color=shade, lw=1, alpha=0.6)
        face, edge = (shade, "white") if name in compared else ("white", shade)
        axis.scatter(x[0], y[0], s=_area(sizes[name]), color=face, edgecolor=edge, lw=0.6, zorder=3)
    axis.set(xlabel=_mean_of("optical", optical), ylabel=_mean_of("multispectral", multispectral))
    axis.grid(color="0.92")
    axis.margins(x=0.15)
    texts = [f"{label(name)}, {_millions(sizes[name])}" for name in shown]
    if many:
        texts = _numbered(figure, shown, texts)
    label_points(figure, axis, [(across[name][0], up[name][0]) for name in shown], texts, list(map(colour, shown)))
    caption = (
        "The figure shows every backbone's mean primary score on optical against that on multispectral benchmarks. The "
        f"optical ones are {', '.join(optical)}; the multispectral ones are {', '.join(multispectral)}. The area of a "
        "marker grows with the network's number of parameters. Crosses are 95 % intervals over test samples, seeds "
        f"averaged. {HOLLOW} {seeds_note(scored.summary, [*optical, *multispectral])}"
    )
    return CaptionedFigure("models", figure, caption)


def _numbered(figure: Figure, shown: Sequence[str], texts: Sequence[str]) -> list[str]:
    """Numbers that stand for the names, which would cover each other; the legend says which is which."""
    numbers = [str(number) for number in range(1, len(shown) + 1)]
    handles = [Line2D([], [], marker="o", ls="", color=colour(name)) for name in shown]
    legend = [f"{number}  {text}" for number, text in zip(numbers, texts, strict=True)]
    figure.legend(handles, legend, loc="outside right center", fontsize=8)
    return numbers


def _area(parameters: int) -> float:
    """Of a marker, in square points: in proportion to the parameters, above what is still seen."""
    return 12 + 16 * parameters / 1e6


def _millions(parameters: int) -> str:
    return f"{parameters / 1e6:.1f} M" if parameters else "no parameters"


def _mean_of(modality: str, names: Sequence[str]) -> str:
    return f"mean score on {plural(len(names), f'{modality} benchmark')} (%)"
