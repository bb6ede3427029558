"""The score against the share of the training labels."""

import altair as alt
import pandas as pd

from brew.compendium.report.charts.house import CaptionedChart, colours, hiding, named
from brew.compendium.report.style import label


def label_chart(results: pd.DataFrame, left_out: list[str]) -> CaptionedChart | None:
    """A panel per benchmark that was scored from several shares; None without any. left_out: arms not to draw."""
    few = set(results.loc[results["label fraction"] < 1, "benchmark"])
    table = results[results["benchmark"].isin(few) & ~results["backbone"].isin(left_out)]
    if table.empty:
        return None
    table = named(table.assign(share=100 * table["label fraction"]))
    backbones = list(table["backbone"].unique())
    scale = alt.Scale(type="log", nice=False)
    shares = sorted(table["share"].unique())
    axis = alt.Axis(values=shares, title="training labels (%)", format="~g")
    legend = alt.Legend(symbolType="stroke", symbolStrokeWidth=3, symbolOpacity=1)
    base = alt.Chart(table).encode(
        x=alt.X("share:Q", scale=scale, axis=axis),
        color=colours(backbones, legend),
    )
    layers = (
        base.mark_area(opacity=0.08).encode(y=alt.Y("low:Q", scale=alt.Scale(zero=False)), y2="high:Q"),
        base.mark_line(strokeWidth=1.5).encode(y=alt.Y("value:Q", title="primary score (%)")),
        base.mark_point(size=30, filled=True).encode(
            y="value:Q", tooltip=["name", "benchmark", "share", "value", "low", "high", "seeds"]
        ),
    )
    chart = alt.layer(*layers).properties(width=235, height=200).facet(
        facet=alt.Facet("benchmark:N", sort=list(table["benchmark"].unique()), title=None), columns=3
    ).resolve_scale(y="independent")  # fmt: skip
    note = f" The tables alone show {', '.join(map(label, left_out))}, which have one seed." if left_out else ""
    caption = (
        "The figure shows the primary score against the share of the training labels. Lines are means over seeds of "
        f"pretraining, bands 95 % intervals over test samples.{note}"
    )
    return CaptionedChart("few-labels", hiding(chart, "backbone", "benchmark"), caption, _finding(table))


def _finding(table: pd.DataFrame) -> str:
    least = table[table["share"] == table["share"].min()]
    best = least.loc[least.groupby("benchmark", sort=False)["value"].idxmax()]
    parts = [f"{row['name']} on {row['benchmark']} ({row['value']:.1f} %)" for row in best.to_dict("records")]
    return f"From {table['share'].min():g} % of the labels the best score has {', '.join(parts)}."
