"""What each arm has learned along its training: a line per arm, and a thin one per seed."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from brew.compendium.report.captioned import CaptionedFigure
from brew.compendium.report.crowding import note
from brew.compendium.report.figures.panels import shared_legend
from brew.compendium.report.formatting import plural
from brew.compendium.report.style import colour, label


def learning_curves(curves: pd.DataFrame, images: int, left_out: Sequence[str] = ()) -> CaptionedFigure | None:
    """A panel per modality: the mean score over its benchmarks, step by step; None if no student was kept.

    curves: of `brew.compendium.report.training_progress`. images: that a probe is fitted on at most.
    left_out: arms that are left to the tables.
    """
    if curves.empty:
        return None
    curves = curves[~curves["arm"].isin(left_out)]
    modalities = list(curves.loc[curves["arm"] != "random", "modality"].unique())
    figure, axes = plt.subplots(
        1, len(modalities), figsize=(4.4 * len(modalities), 3.6), layout="constrained", squeeze=False
    )
    means = curves.groupby(["modality", "arm", "seed", "step"], sort=False)["score"].mean().mul(100)
    for axis, modality in zip(axes[0], modalities, strict=True):
        _panel(axis, means[modality])
        names = curves.loc[curves["modality"] == modality, "benchmark"].nunique()
        axis.set(title=f"{modality}: {plural(names, 'benchmark')}", xlabel="share of the arm's steps")
    axes[0, 0].set_ylabel("linear probe, mean score (%)")
    shared_legend(figure, list(axes[0]))
    caption = (
        "The figure shows what each arm has learned along its training: the mean over benchmarks of the score of a "
        f"linear probe of frozen features. A probe is fitted on at most {plural(images, 'training image')} and read on "
        "as many validation images (fewer if they are large). Thin lines are single seeds of pretraining, if there are "
        f"several. Test images are not looked at.{note(left_out)}"
    )
    return CaptionedFigure("progress", figure, caption)


def _panel(axis: Axes, means: pd.Series) -> None:
    """means: by arm, seed and step."""
    start = means["random"].iloc[0]
    for arm in means.index.get_level_values("arm").unique().drop("random"):
        runs = means[arm].unstack("seed")
        share, mean = np.append(0, runs.index) / runs.index[-1], np.append(start, runs.mean(axis=1))
        for values in (runs[seed] for seed in runs if len(runs.columns) > 1):
            axis.plot(share, np.append(start, values), lw=0.6, alpha=0.6, color=colour(arm))
        axis.plot(share, mean, "o-", ms=3.5, lw=1.6, color=colour(arm), label=label(arm))
    axis.axhline(start, color=colour("random"), ls="--", lw=1, label=label("random"))
    axis.grid(axis="y", color="0.92")
