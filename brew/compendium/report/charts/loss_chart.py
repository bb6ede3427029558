"""What every arm maximises in pretraining, by name, over its steps."""

from collections.abc import Mapping

import altair as alt
import pandas as pd

from brew.compendium.report.charts.house import CaptionedChart, colours, hiding, named
from brew.compendium.report.formatting import plural
from brew.compendium.scales import arm_and_seed

#: Points of a line at most.
_POINTS = 30
_KEY = ["backbone", "similarity", "step"]


def training_curves(histories: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """A row per arm, similarity and some of the steps: the mean over seeds, the least and the largest of them.

    histories: by run ("deo", "deo-seed1"), a row per step; a column with a slash in its name is a similarity.
    """
    parts = [
        frame[["step"]].assign(backbone=arm_and_seed(run)[0], similarity=column, value=_smooth(frame[column])).iloc[
            :: -(-len(frame) // _POINTS)
        ]
        for run, frame in histories.items() for column in frame.columns if "/" in column
    ]  # fmt: skip
    if not parts:
        return pd.DataFrame(columns=[*_KEY, "value", "low", "high", "seeds"])
    grouped = pd.concat(parts, ignore_index=True).groupby(_KEY, sort=False)["value"]
    return grouped.agg(value="mean", low="min", high="max", seeds="size").round(4).reset_index()


def _smooth(column: pd.Series) -> pd.Series:
    return column.rolling(max(1, len(column) // 50), min_periods=1).mean()


def loss_chart(curves: pd.DataFrame, health: str) -> CaptionedChart | None:
    """A panel per similarity; None if nothing was trained. curves: of `training_curves`. health: in words."""
    if curves.empty:
        return None
    table = named(curves)
    shown, legend = colours(list(table["backbone"].unique())), alt.Legend(symbolType="stroke", symbolStrokeWidth=3)
    base = alt.Chart(table).encode(x=alt.X("step:Q", title="step", axis=alt.Axis(tickCount=4)))
    layers = (
        base.mark_area(opacity=0.15).encode(y=alt.Y("low:Q", scale=alt.Scale(zero=False)), y2="high:Q", color=shown),
        base.mark_line(strokeWidth=1.4).encode(
            y=alt.Y("value:Q", title="similarity"), tooltip=["name", "step", "value", "low", "high", "seeds"],
            color=colours(list(table["backbone"].unique()), legend),
        ),
    )  # fmt: skip
    chart = alt.layer(*layers).properties(width=175, height=125).facet(
        facet=alt.Facet("similarity:N", sort=list(curves["similarity"].unique()), title=None), columns=4
    ).resolve_scale(y="independent")  # fmt: skip
    caption = (
        "The figure shows every similarity that an arm maximises in pretraining, by name, smoothed over 2 % of the "
        f"steps. Lines are means over seeds, and bands hold all of them. {health}"
    )
    last = curves[curves["step"] == curves["step"].max()]
    finding = (
        f"{plural(curves['similarity'].nunique(), 'panel')}; at the last step the largest value is "
        f"{last['value'].max():.2f}, of {last.loc[last['value'].idxmax(), 'similarity']}."
    )
    return CaptionedChart("training", hiding(chart, "backbone"), caption, finding)
