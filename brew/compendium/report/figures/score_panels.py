"""Every backbone on every benchmark: score and interval over test samples, and single seeds if there are several."""

from collections.abc import Collection, Sequence

import pandas as pd
from matplotlib.axes import Axes

from brew.compendium.report.captioned import CaptionedFigure
from brew.compendium.report.columns import missing
from brew.compendium.report.figures.panels import HOLLOW, metric_name, panels
from brew.compendium.report.scored import Scored
from brew.compendium.report.seeds import standing
from brew.compendium.report.style import colour, label
from brew.compendium.report.summary import benchmark_note, benchmarks_in, in_order, seeds_note
from brew.evaluation.benchmarks import BENCHMARKS


def score_panels(scored: Scored) -> CaptionedFigure:
    """A panel per benchmark, a row per backbone."""
    summary = scored.summary
    table = summary[summary["label_fraction"] == 1]
    names, shown = benchmarks_in(table), in_order(table["backbone"])[::-1]
    figure, axes = panels(len(names), height=0.26 * len(shown) + 0.9, sharey=True)
    for axis, name in zip(axes, names, strict=True):
        part = table[table["benchmark"] == name].set_index("backbone")
        _panel(axis, part, name, shown, standing(scored, [name]).ordered)
    caption = (
        "The figure shows the scores of every backbone under one protocol. Bars are 95 % intervals over test samples, "
        "dots the mean over seeds, ticks below them single seeds if there are several. "
        f"{HOLLOW} {seeds_note(summary, names)} {benchmark_note(names)}"
    )
    return CaptionedFigure("scores", figure, caption)


def _panel(axis: Axes, part: pd.DataFrame, name: str, shown: Sequence[str], compared: Collection[str]) -> None:
    """compared: the backbones that have all seeds."""
    benchmark = BENCHMARKS[name]
    for place, arm in enumerate(shown):
        if arm not in part.index:
            place_of = axis.get_yaxis_transform()
            text = missing(arm, benchmark.task, benchmark.sensor)
            axis.text(0.02, place, text, transform=place_of, va="center", fontsize=8, color="0.6")
            continue
        row = part.loc[arm]
        axis.plot([row["low"], row["high"]], [place, place], color=colour(arm), lw=2, alpha=0.6)
        axis.plot(row["score"], place, "o", color=colour(arm), ms=6, mfc=None if arm in compared else "white")
        if row["seeds"] > 1:
            axis.plot(row["values"], [place - 0.25] * row["seeds"], "|", color=colour(arm), ms=5)
    axis.set(title=name, xlabel=f"{metric_name(name)} (%)", yticks=range(len(shown)), ylim=(-0.6, len(shown) - 0.4))
    axis.set_yticklabels([label(arm) for arm in shown], fontsize=9)
    axis.grid(axis="x", color="0.92")
