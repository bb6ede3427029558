"""Representation similarity: a panel per teacher, measure and token, a line per arm."""

from collections.abc import Sequence
from itertools import product

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from brew.compendium.report.captioned import CaptionedFigure
from brew.compendium.report.formatting import listed, plural
from brew.compendium.report.similarity import PAIRS
from brew.compendium.report.style import colour, label
from brew.evaluation.layer_similarity import MEASURES, TOKENS


def similarity_panels(
    found: pd.DataFrame, absent: Sequence[str], left_out: Sequence[str] = ()
) -> CaptionedFigure | None:
    """CKA and cosine of each layer with each teacher's tokens; None if no teacher was at hand.

    found: of `similarities`. absent: why a teacher was not compared, a line each. left_out: arms that are left to the
    table, except those of `PAIRS`.
    """
    hidden = sorted(set(left_out) - {*PAIRS, *PAIRS.values()})
    shown = found[~found["backbone"].isin(hidden)]
    if shown.empty:
        return None
    teachers, strides = list(shown["teacher"].unique()), sorted(shown["stride"].unique())
    rows = list(product(teachers, MEASURES))
    figure, axes = plt.subplots(
        len(rows), len(TOKENS), figsize=(9.6, 0.9 + 2.6 * len(rows)), sharex=True, sharey="row",
        layout="constrained", squeeze=False,
    )  # fmt: skip
    for (row, (teacher, measure)), (column, (token, title)) in product(enumerate(rows), enumerate(TOKENS.items())):
        axis = axes[row, column]
        part = shown[(shown["teacher"] == teacher) & (shown["token"] == token)]
        for arm, runs in part.groupby("backbone", sort=False):
            _line(axis, str(arm), runs, measure)
        axis.set_title(f"{teacher}: {title}")
        axis.set_xticks(range(len(strides)), [str(stride) for stride in strides])
        axis.grid(axis="y", color="0.92")
    for axis in axes[-1]:
        axis.set_xlabel("student's layer, by stride (pixels)")
    for axis, (_, measure) in zip(axes[:, 0], rows, strict=True):
        axis.set_ylabel(MEASURES[measure])
    handles = dict(zip(*axes[0, 0].get_legend_handles_labels()[::-1], strict=True))
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=3)
    caption = (
        "The figure shows the representation similarity of each layer of the student with the optical teacher "
        f"({', '.join(teachers)}) on {plural(int(shown['images'].iloc[0]), 'optical test image')}. Its measures are "
        "debiased linear CKA, and the mean cosine through a linear map. Bands are 95 % intervals over images "
        "(delete-half jackknife); of an arm that was pretrained several times thin lines are the seeds instead. The "
        "random trunk is the floor. Students without an optical stem read the images through their multispectral one."
    )
    caption += f" The table alone shows {listed(hidden)}." if hidden else ""
    caption += "".join(f" Not compared is {each}." for each in absent)
    return CaptionedFigure("similarity", figure, caption)


def _line(axis: Axes, arm: str, runs: pd.DataFrame, measure: str) -> None:
    shade, mean = colour(arm), runs.groupby("stride")[measure].mean()
    steps = range(len(mean))
    if runs["seed"].nunique() == 1:
        axis.fill_between(steps, runs[f"{measure} low"], runs[f"{measure} high"], color=shade, alpha=0.15, lw=0)
    else:
        for _, run in runs.groupby("seed"):
            axis.plot(steps, run[measure], lw=0.6, alpha=0.6, color=shade)
    style = "--" if arm == "random" else "-"
    axis.plot(steps, mean, "o", ms=4, lw=1.6, ls=style, color=shade, label=label(arm))
