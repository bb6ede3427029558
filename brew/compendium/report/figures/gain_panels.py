"""What every arm gains over each reference, on optical and on multispectral benchmarks."""

from collections.abc import Sequence
from itertools import product

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from brew.compendium.report.arm_gains import GROUPS, ArmGains
from brew.compendium.report.captioned import CaptionedFigure
from brew.compendium.report.figures.gain_marks import GAIN, mark_gain
from brew.compendium.report.formatting import listed
from brew.compendium.report.style import colour, label
from brew.compendium.report.summary import in_order


def gain_panels(found: Sequence[ArmGains]) -> CaptionedFigure | None:
    """A row of panels per reference, a column per group of benchmarks; None if no reference was run."""
    if not found:
        return None
    references = list(dict.fromkeys(each.reference for each in found))
    arms = in_order({each.arm for each in found} | set(references))[::-1]
    figure, axes = plt.subplots(
        len(references), len(GROUPS), figsize=(9.6, len(references) * (0.9 + 0.26 * len(arms))), sharey=True,
        sharex="col", layout="constrained", squeeze=False,
    )  # fmt: skip
    for (row, reference), (column, group) in product(enumerate(references), enumerate(GROUPS)):
        _panel(axes[row, column], [each for each in found if each.reference == reference], group, arms)
    for axis in axes[-1]:
        axis.set_xlabel("points")
    caption = (
        "The figure shows the gain of every arm in the mean primary score over the optical and over the multispectral "
        f"benchmarks. It is taken over what learns without an optical teacher: {listed(map(label, references))}. {GAIN}"
    )
    return CaptionedFigure("gains", figure, caption)


def _panel(axis: Axes, found: Sequence[ArmGains], group: str, arms: Sequence[str]) -> None:
    """The gains over one reference on one group of benchmarks."""
    reference = found[0].reference
    for each in found:
        gain = each.by_group[group]
        if gain is not None:
            mark_gain(axis, gain, float(arms.index(each.arm)), colour(each.arm))
    axis.text(0, arms.index(reference), " reference", va="center", fontsize=8, color="0.5")
    axis.axvline(0, color="0.4", lw=0.8)
    axis.set_yticks(range(len(arms)), [label(arm) for arm in arms], fontsize=9)
    axis.set(ylim=(-0.6, len(arms) - 0.4))
    axis.set_title(f"{group} benchmarks, gain over\n{label(reference)}", loc="left", fontsize=9)
    axis.grid(axis="x", color="0.92")
