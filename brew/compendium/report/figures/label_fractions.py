"""Score against the share of the training labels."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes

from brew.compendium.report.captioned import CaptionedFigure
from brew.compendium.report.crowding import note
from brew.compendium.report.figures.panels import HOLLOW, metric_name, panels, shared_legend
from brew.compendium.report.scored import Scored
from brew.compendium.report.seeds import standing
from brew.compendium.report.style import colour, label
from brew.compendium.report.summary import benchmarks_in, in_order, seeds_note


def label_fractions(scored: Scored, arms: Sequence[str], left_out: Sequence[str] = ()) -> CaptionedFigure | None:
    """A panel per benchmark that was scored from several shares; None without any.

    arms: of the scale. left_out: those of them that are left to the tables, except on benchmarks on which no other arm
    was scored.
    """
    summary = scored.summary
    table = summary[summary["benchmark"].isin(summary.loc[summary["label_fraction"] < 1, "benchmark"])]
    if table.empty:
        return None
    hidden = table["backbone"].isin(left_out)
    read_by_others = set(table.loc[table["backbone"].isin(arms) & ~hidden, "benchmark"])
    table = table[~hidden | ~table["benchmark"].isin(read_by_others)]
    names = benchmarks_in(table)
    figure, axes = panels(len(names), height=2.9)
    for axis, name in zip(axes, names, strict=True):
        _panel(axis, name, table[table["benchmark"] == name], scored)
    shared_legend(figure, axes)
    caption = (
        "The figure shows the score against the share of the training labels. Lines are means over seeds, bands the 95 "
        f"% interval over test samples. Backbones with one share alone are dots. {HOLLOW} {seeds_note(table, names)}"
    )
    if left_out:
        caption += f"{note(left_out)} They are drawn only on benchmarks on which no other arm was scored."
    return CaptionedFigure("low-data", figure, caption)


def _panel(axis: Axes, name: str, part: pd.DataFrame, scored: Scored) -> None:
    compared = {each: standing(scored, [name], each).ordered for each in part["label_fraction"].unique()}
    for arm in in_order(part["backbone"]):
        line = part[part["backbone"] == arm].sort_values("label_fraction")
        share = 100 * line["label_fraction"]
        axis.fill_between(share, line["low"], line["high"], color=colour(arm), alpha=0.12, lw=0)
        whole = all(arm in compared[each] for each in line["label_fraction"])
        face = colour(arm) if whole else "white"
        axis.plot(share, line["score"], "o-", color=colour(arm), mfc=face, ms=4, lw=1.5, label=label(arm))
    ticks = sorted(100 * part["label_fraction"].unique())
    axis.set(title=name, xscale="log", xlabel="training labels (%)", ylabel=f"{metric_name(name)} (%)", xticks=ticks)
    axis.set_xticklabels([f"{tick:g}" for tick in ticks])
    axis.minorticks_off()
