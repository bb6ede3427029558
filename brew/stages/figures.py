"""Stage `figures`: scores and histories on file as the figures of the report."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from brew.downstream.benchmarks import BENCHMARKS
from brew.reporting.comparison import missing
from brew.reporting.style import colour, label, save
from brew.reporting.summary import benchmarks_in, in_order
from brew.stages import Stage
from brew.stages.scored import scored

#: Panels beside one another.
_ACROSS = 3


def scores(stage: Stage) -> Figure:
    """Every backbone on every benchmark: score and interval over test samples; single seeds as ticks where several."""
    table = scored(stage).summary
    table = table[table["labels"] == 1]
    names, shown = benchmarks_in(table), in_order(table["backbone"])[::-1]
    figure, axes = _panels(len(names), height=0.26 * len(shown) + 0.9, sharey=True)
    for axis, name in zip(axes, names, strict=True):
        _score_panel(axis, table[table["benchmark"] == name].set_index("backbone"), name, shown)
    caption = (
        "Scores of every backbone under one protocol; bars are 95 % intervals over test samples, dots "
        " the mean over seeds, ticks below them single seeds where there are several. "
        + "; ".join(f"{name}: {BENCHMARKS[name].summary}" for name in names)
        + "."
    )
    save(figure, stage.layout.write("figures") / "scores.png", caption)
    return figure


def _panels(count: int, height: float, sharey: bool = False) -> tuple[Figure, list[Axes]]:
    """As many panels as asked for, `_ACROSS` in a row. height: of one, in inches."""
    across = min(_ACROSS, count)
    down = -(-count // across)
    figure, axes = plt.subplots(
        down, across, figsize=(3.1 * across + 1.6, height * down), sharey=sharey, layout="constrained", squeeze=False
    )
    for axis in axes.flat[count:]:
        axis.set_visible(False)
    return figure, list(axes.flat[:count])


def _score_panel(axis: Axes, part: pd.DataFrame, name: str, shown: list[str]) -> None:
    benchmark = BENCHMARKS[name]
    for place, arm in enumerate(shown):
        if arm not in part.index:
            place_of = axis.get_yaxis_transform()
            text = missing(arm, benchmark.task, benchmark.sensor)
            axis.text(0.02, place, text, transform=place_of, va="center", fontsize=8, color="0.6")
            continue
        row = part.loc[arm]
        axis.plot([row["low"], row["high"]], [place, place], color=colour(arm), lw=2, alpha=0.6)
        axis.plot(row["score"], place, "o", color=colour(arm), ms=6)
        if row["seeds"] > 1:
            axis.plot(row["values"], [place - 0.25] * row["seeds"], "|", color=colour(arm), ms=5)
    axis.set(title=name, xlabel=f"{_metric(name)} (%)", yticks=range(len(shown)), ylim=(-0.6, len(shown) - 0.4))
    axis.set_yticklabels([label(arm) for arm in shown], fontsize=9)
    axis.grid(axis="x", color="0.92")


def _metric(benchmark: str) -> str:
    return BENCHMARKS[benchmark].metric.replace("_", " ")


def low_data(stage: Stage) -> Figure | None:
    """Score against the share of the training labels, where a benchmark was scored from several; None without any."""
    table = scored(stage).summary
    few = set(table.loc[table["labels"] < 1, "benchmark"])
    table = table[table["benchmark"].isin(few)]
    if table.empty:
        return None
    names = benchmarks_in(table)
    figure, axes = _panels(len(names), height=2.9)
    for axis, name in zip(axes, names, strict=True):
        part = table[table["benchmark"] == name]
        for arm in in_order(part["backbone"]):
            line = part[part["backbone"] == arm].sort_values("labels")
            share = 100 * line["labels"]
            axis.fill_between(share, line["low"], line["high"], color=colour(arm), alpha=0.12, lw=0)
            axis.plot(share, line["score"], "o-", color=colour(arm), ms=4, lw=1.5, label=label(arm))
        ticks = sorted(100 * part["labels"].unique())
        axis.set(title=name, xscale="log", xlabel="training labels (%)", ylabel=f"{_metric(name)} (%)", xticks=ticks)
        axis.set_xticklabels([f"{tick:g}" for tick in ticks])
        axis.minorticks_off()
    handles = {text: line for axis in axes for line, text in zip(*axis.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=3, fontsize=8)
    caption = (
        "Score against the share of the training labels: lines the mean over seeds, bands the 95 % interval over test "
        "samples. Backbones with one share alone are dots."
    )
    save(figure, stage.layout.write("figures") / "low-data.png", caption)
    return figure


def losses(stage: Stage) -> Figure:
    """What every arm maximises, by name, over its steps; arms that share a similarity share a panel."""
    histories = {}
    for arm in stage.settings.arms:
        file = stage.layout.read(f"pretrain/{arm}") / "history.csv"
        if file.exists():
            histories[arm] = pd.read_csv(file)
    named = list(dict.fromkeys(column for frame in histories.values() for column in frame if "/" in column))
    columns = min(5, len(named))
    rows = -(-len(named) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(2.7 * columns, 2.4 * rows + 0.4), sharex=True, layout="constrained", squeeze=False
    )
    for axis, column in zip(axes.flat, named, strict=False):
        for arm, frame in histories.items():
            if column in frame:
                smooth = frame[column].rolling(max(1, len(frame) // 50), min_periods=1).mean()
                axis.plot(frame["step"], smooth, color=colour(arm))
        axis.set(title=column, xlabel="step")
        axis.tick_params(labelbottom=True)
    for axis in axes.flat[len(named) :]:
        axis.set_visible(False)
    for axis in axes[:, 0]:
        axis.set_ylabel("similarity")
    handles = [Line2D([], [], color=colour(arm)) for arm in histories]
    figure.legend(handles, [label(arm) for arm in histories], loc="outside lower center", ncols=4)
    caption = "Pretraining: every similarity that an arm maximises, by name, smoothed over 2 % of the steps."
    save(figure, stage.layout.write("figures") / "training.png", caption)
    return figure
