"""Stage `figures`: scores and histories on file as the figures of the report."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from brew.downstream.benchmarks import BENCHMARKS
from brew.reporting.style import BACKBONES, colour, label, save
from brew.stages import Stage
from brew.stages.tables import missing, primary_scores


def scores(stage: Stage) -> Figure:
    """Every backbone on every benchmark: score and interval over test samples; single seeds as dots where several."""
    table = primary_scores(stage)
    names = list(dict.fromkeys(table["benchmark"]))
    figure, axes = plt.subplots(
        1, len(names), figsize=(3.1 * len(names) + 1.2, 2.9), sharey=True, layout="constrained", squeeze=False
    )
    shown = [name for name in reversed(BACKBONES) if name in set(table["backbone"])]
    for axis, name in zip(axes[0], names, strict=True):
        part = table[table["benchmark"] == name].set_index("backbone")
        for place, arm in enumerate(shown):
            if arm not in part.index:
                axis.text(
                    0.02,
                    place,
                    missing(arm, name),
                    transform=axis.get_yaxis_transform(),
                    va="center",
                    fontsize=8,
                    color="0.6",
                )
                continue
            row = part.loc[arm]
            axis.plot([row["low"], row["high"]], [place, place], color=colour(arm), lw=2, alpha=0.6)
            axis.plot(row["score"], place, "o", color=colour(arm), ms=6)
            if row["seeds"] > 1:
                axis.plot(row["values"], [place - 0.2] * row["seeds"], "|", color=colour(arm), ms=5)
        benchmark = BENCHMARKS[name]
        axis.set(title=name, xlabel=f"{benchmark.metric.replace('_', ' ')} (%)", yticks=range(len(shown)))
        axis.set_yticklabels([label(arm) for arm in shown])
        axis.grid(axis="x", color="0.92")
    caption = (
        "Scores of every backbone under one protocol; bars are 95 % intervals over test samples (first seed), dots the "
        "mean over seeds, ticks below them single seeds where there are several. "
        + "; ".join(f"{name}: {BENCHMARKS[name].summary}" for name in names)
        + "."
    )
    save(figure, stage.layout.write("figures") / "scores.png", caption)
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
                axis.plot(frame["step"], smooth, color=colour(arm), label=label(arm))
        axis.set(title=column, xlabel="step")
    for axis in axes.flat[len(named) :]:
        axis.set_visible(False)
    axes[0, 0].set_ylabel("similarity")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    caption = "Pretraining: every similarity that an arm maximises, by name, smoothed over 2 % of the steps."
    save(figure, stage.layout.write("figures") / "training.png", caption)
    return figure
