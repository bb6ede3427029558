"""What every arm maximises in pretraining, by name, over its steps."""

from collections.abc import Mapping

import altair as alt
import pandas as pd

from brew.compendium.report.charts.house import CaptionedChart, colours, hiding, named
from brew.compendium.scales import arm_and_seed

#: Points of a line.
_POINTS = 60


def loss_chart(histories: Mapping[str, pd.DataFrame]) -> CaptionedChart | None:
    """A panel per similarity. histories: by run ("deo", "deo-seed1"), a row per step; None without any."""
    rows = [row for run, frame in histories.items() for row in _lines(run, frame)]
    if not rows:
        return None
    table = named(pd.DataFrame(rows))
    backbones = list(table["backbone"].unique())
    order = [str(name) for name in dict.fromkeys(row["similarity"] for row in rows)]
    chart = alt.Chart(table).mark_line(strokeWidth=1.2).encode(
        x=alt.X("step:Q", title="step", axis=alt.Axis(tickCount=4)),
        y=alt.Y("value:Q", title="similarity", scale=alt.Scale(zero=False)),
        color=colours(backbones, alt.Legend(symbolType="stroke", symbolStrokeWidth=3, symbolOpacity=1)), detail="run:N",
        tooltip=["name", "run", "step", "value"],
    ).properties(width=175, height=125).facet(
        facet=alt.Facet("similarity:N", sort=order, title=None),
        columns=4,
    ).resolve_scale(y="independent")  # fmt: skip
    caption = (
        "The figure shows every similarity that an arm maximises in pretraining, by name, smoothed over 2 % of the "
        "steps. Lines of one colour are the seeds of one arm."
    )
    finding = f"{table['similarity'].nunique()} similarities of {len(histories)} runs are drawn over their steps."
    return CaptionedChart("training", hiding(chart, "backbone"), caption, finding)


def _lines(run: str, frame: pd.DataFrame) -> list[dict[str, object]]:
    arm, window = arm_and_seed(run)[0], max(1, len(frame) // 50)
    kept = frame.index[:: max(1, len(frame) // _POINTS)]
    return [
        {"backbone": arm, "run": run, "similarity": column, "step": int(frame.loc[at, "step"]),
         "value": round(float(smooth[at]), 4)}
        for column in frame.columns if "/" in column
        for smooth in [frame[column].rolling(window, min_periods=1).mean()]
        for at in kept
    ]  # fmt: skip
