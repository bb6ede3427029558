"""What every arm maximises, by name, over its steps."""

from collections import Counter
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from brew.compendium.report.captioned import CaptionedFigure
from brew.compendium.report.crowding import note
from brew.compendium.report.style import colour, label
from brew.compendium.scales import arm_and_seed


def training_losses(histories: Mapping[str, pd.DataFrame], left_out: Sequence[str] = ()) -> CaptionedFigure:
    """A panel per similarity; arms that share one share its panel.

    histories: by run ("deo", "deo-seed1"), a row per step; a column with a slash in its name is a similarity.
    left_out: arms that are left to the tables.
    """
    shown = {run: frame for run, frame in histories.items() if arm_and_seed(run)[0] not in left_out}
    times = Counter(arm_and_seed(run)[0] for run in shown)
    named = list(dict.fromkeys(column for frame in shown.values() for column in frame if "/" in column))
    columns = min(5, len(named))
    rows = -(-len(named) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(2.7 * columns, 2.4 * rows + 0.4), sharex=True, layout="constrained", squeeze=False
    )
    for axis, column in zip(axes.flat, named, strict=False):
        _panel(axis, column, shown, times)
    for axis in axes.flat[len(named) :]:
        axis.set_visible(False)
    for axis in axes[:, 0]:
        axis.set_ylabel("similarity")
    handles = [Line2D([], [], color=colour(arm)) for arm in times]
    figure.legend(handles, [label(arm) for arm in times], loc="outside lower center", ncols=4)
    caption = (
        "The figure shows every similarity that an arm maximises in pretraining, by name, smoothed over 2 % of the "
        "steps."
        + (" Thin lines of one colour are the seeds of one arm." if max(times.values(), default=0) > 1 else "")
        + note(left_out)
    )
    return CaptionedFigure("training", figure, caption)


def _panel(axis: Axes, column: str, histories: Mapping[str, pd.DataFrame], times: Mapping[str, int]) -> None:
    for run, frame in histories.items():
        if column in frame:
            arm = arm_and_seed(run)[0]
            smooth = frame[column].rolling(max(1, len(frame) // 50), min_periods=1).mean()
            axis.plot(frame["step"], smooth, color=colour(arm), lw=1.5 if times[arm] == 1 else 0.7)
    axis.set(title=column, xlabel="step")
    axis.tick_params(labelbottom=True)
