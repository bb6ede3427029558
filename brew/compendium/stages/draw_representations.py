"""The figure of stage `alignment`, from what it left: a panel per teacher, measure and token, a line per arm."""

from itertools import product

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from brew.compendium.report.crowding import left_to_tables
from brew.compendium.report.style import colour, label, save
from brew.compendium.stages import Stage
from brew.compendium.stages.compare_representations import MEASURES, PAIRS, TOKENS
from brew.evaluation.backbones import STRIDES


def show(stage: Stage) -> Figure:
    """CKA and cosine of each layer with each teacher's tokens, a line per arm; the random trunk is the floor."""
    folder = stage.layout.write("alignment")
    table = pd.read_csv(folder / "alignment.csv")
    left_out = set(left_to_tables(stage.settings)) - {*PAIRS, *PAIRS.values()}
    table = table[~table["backbone"].isin(left_out)]
    absent = (folder / "absent.txt").read_text()
    if table.empty:
        figure, axis = plt.subplots(figsize=(6, 1))
        axis.text(0, 0.5, absent, wrap=True)
        axis.axis("off")
        return figure
    teachers = list(table["teacher"].unique())
    rows = list(product(teachers, MEASURES))
    figure, axes = plt.subplots(
        len(rows), len(TOKENS), figsize=(9.6, 0.9 + 2.6 * len(rows)), sharex=True, sharey="row",
        layout="constrained", squeeze=False,
    )  # fmt: skip
    for (row, (teacher, measure)), (column, (token, title)) in product(enumerate(rows), enumerate(TOKENS.items())):
        shown = table[(table["teacher"] == teacher) & (table["token"] == token)]
        for arm, runs in shown.groupby("backbone", sort=False):
            _line(axes[row, column], str(arm), runs, measure)
        axes[row, column].set_title(f"{teacher}: {title}")
        axes[row, column].set_xticks(range(len(STRIDES)), [str(stride) for stride in STRIDES])
        axes[row, column].grid(axis="y", color="0.92")
    for axis in axes[-1]:
        axis.set_xlabel("student's layer, by stride (pixels)")
    for axis, (_, measure) in zip(axes[:, 0], rows, strict=True):
        axis.set_ylabel(MEASURES[measure])
    handles = dict(zip(*axes[0, 0].get_legend_handles_labels()[::-1], strict=True))
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=3)
    caption = (
        f"Alignment of each layer of the student with the optical teacher ({', '.join(teachers)}) on "
        f"{int(table['images'].iloc[0])} optical test images: debiased linear CKA, and the mean cosine through a "
        "linear map. Bands are 95 % intervals over images (delete-half jackknife); of an arm that was pretrained "
        "several times thin lines are the seeds instead. The random trunk is the floor. Students without an optical "
        "stem read the images through their multispectral one."
    )
    caption += f" Left to the table: {', '.join(sorted(left_out))}." if left_out else ""
    caption += f" Not compared: {'; '.join(absent.splitlines())}." if absent else ""
    save(figure, folder / "alignment.png", caption)
    return figure


def _line(axis: Axes, arm: str, runs: pd.DataFrame, measure: str) -> None:
    shade, steps = colour(arm), range(len(STRIDES))
    if runs["seed"].nunique() == 1:
        axis.fill_between(steps, runs[f"{measure} low"], runs[f"{measure} high"], color=shade, alpha=0.15, lw=0)
    else:
        for _, run in runs.groupby("seed"):
            axis.plot(steps, run[measure], lw=0.6, alpha=0.6, color=shade)
    mean = runs.groupby("stride")[measure].mean()
    style = "--" if arm == "random" else "-"
    axis.plot(steps, mean, "o", ms=4, lw=1.6, ls=style, color=shade, label=label(arm))
