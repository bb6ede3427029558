"""The paper's first figure: the mean optical against the mean multispectral score of every backbone."""

import altair as alt
import numpy as np
import pandas as pd
from jaxtyping import Float

from brew.compendium.report.charts.house import CaptionedChart, colours, hiding, named

#: Shares of both axes within which a second name would lie over the first.
_NAME = (0.28, 0.045)
#: The backbone that is named if any is.
_FIRST = "deo"


def _apart(points: Float[np.ndarray, "point 2"], span: Float[np.ndarray, " 2"]) -> list[bool]:
    """Which points have room for a name: those whose name lies over none of an earlier point. span: of both axes."""
    scaled = (points - points.min(axis=0)) / np.where(span > 0, span, 1)
    kept: list[int] = []
    for place, point in enumerate(scaled):
        if not any((np.abs(point - scaled[other]) < _NAME).all() for other in kept):
            kept.append(place)
    return [place in kept for place in range(len(points))]


def _span(table: pd.DataFrame) -> Float[np.ndarray, " 2"]:
    """How much of both axes the intervals take."""
    return np.array([table[f"{side} high"].max() - table[f"{side} low"].min() for side in ("optical", "multispectral")])


def plane_chart(means: pd.DataFrame, parameters: pd.DataFrame) -> CaptionedChart | None:
    """A point per backbone with both means; None without any.

    means: of `tidy_tables.means`. parameters: backbone, and how many its network has.
    """
    sides = {
        group: part.set_index("backbone")[["value", "low", "high"]].add_prefix(f"{group} ")
        for group, part in means.groupby("group")
    }
    if len(sides) < 2:
        return None
    joined = sides["optical"].join(sides["multispectral"], how="inner").reset_index()
    table = named(joined.merge(parameters, on="backbone"))
    if table.empty:
        return None
    table["million parameters"] = (table["parameters"] / 1e6).round(2)
    table = pd.concat([table[table["backbone"] == _FIRST], table[table["backbone"] != _FIRST]])
    table["apart"] = _apart(table[["optical value", "multispectral value"]].to_numpy(), _span(table))
    backbones = list(table["backbone"])
    x, y = "optical value", "multispectral value"
    base = alt.Chart(table).encode(color=colours(backbones))
    across = alt.X(f"{x}:Q", title="mean optical score (%)", scale=alt.Scale(zero=False))
    up = alt.Y(f"{y}:Q", title="mean multispectral score (%)", scale=alt.Scale(zero=False))
    layers = (
        base.mark_rule(opacity=0.5).encode(x="optical low:Q", x2="optical high:Q", y=up),
        base.mark_rule(opacity=0.5).encode(x=across, y="multispectral low:Q", y2="multispectral high:Q"),
        base.mark_circle(opacity=1, stroke="white").encode(
            x=across, y=up, size=alt.Size("million parameters:Q", legend=None, scale=alt.Scale(range=[60, 400])),
            tooltip=["name", x, y, "million parameters"],
        ),
        base.transform_filter("datum.apart").mark_text(align="left", dx=9, dy=-7, fontSize=10)
        .encode(x=across, y=up, text="name:N"),
    )  # fmt: skip
    chart = alt.layer(*layers).properties(width=620, height=400)
    caption = (
        "The figure shows the mean primary score of every backbone on optical benchmarks against that on multispectral "
        "ones. Crosses are 95 % intervals over test samples. The area of a mark grows with the number of parameters. A "
        "mark that stands close to a named one is named if it is pointed at."
    )
    best = {side: table.loc[table[f"{side} value"].idxmax()] for side in ("optical", "multispectral")}
    finding = (
        f"{best['optical']['name']} has the best optical mean ({best['optical'][x]:.1f} %), "
        f"{best['multispectral']['name']} the best multispectral one ({best['multispectral'][y]:.1f} %)."
    )
    return CaptionedChart("optical-and-multispectral", hiding(chart, "backbone"), caption, finding)
