"""How the similarities of one run grew while it was trained."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from brew.compendium.report.style import colour


def training_curves(history: pd.DataFrame, arm: str) -> Figure:
    """Every similarity by name, per step (grey) and smoothed over 2 % of the steps (in the arm's colour).

    history: a row per step with the column "step"; similarities are the columns with a slash in their names.
    """
    named = [column for column in history if "/" in column]
    smooth = history[named].rolling(max(1, len(history) // 50), min_periods=1).mean()
    figure, axes = plt.subplots(
        1, len(named), figsize=(2.6 * len(named), 2.4), sharex=True, layout="constrained", squeeze=False
    )
    for axis, column in zip(axes[0], named, strict=True):
        axis.plot(history["step"], history[column], color="0.85", lw=0.8)
        axis.plot(history["step"], smooth[column], color=colour(arm), lw=1.6)
        axis.set(title=column, xlabel="step")
    axes[0, 0].set_ylabel("similarity (maximised)")
    return figure
