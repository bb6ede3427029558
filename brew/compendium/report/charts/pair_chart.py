"""Any two backbones compared: the chart of their differences, whose rows a page puts in."""

from typing import Any

import altair as alt

from brew.compendium.report.charts.house import CaptionedChart

_INK = "#1f4e79"


def pair_chart() -> dict[str, Any]:
    """The specification without data. A row is a difference, or a single seed with its difference as `one`."""
    base = alt.Chart(alt.NamedData("pairs")).encode(y=alt.Y("on:N", sort=None, title=None), color=alt.value(_INK))
    pair = base.transform_filter("isValid(datum.value)")
    layers = (
        base.mark_rule(strokeDash=[3, 3]).encode(x=alt.datum(0), color=alt.value("#6b7280")),
        pair.mark_rule(strokeWidth=6, opacity=0.35).encode(x="low over seeds:Q", x2="high over seeds:Q"),
        pair.mark_rule(strokeWidth=1.5).encode(x="low:Q", x2="high:Q"),
        base.transform_filter("isValid(datum.one)")
        .mark_circle(size=14, opacity=0.9, yOffset=7)
        .encode(x="one:Q", tooltip=["on:N", "seed:Q", "one:Q"]),
        pair.mark_point(size=60, strokeWidth=2, opacity=1).encode(
            x=alt.X("value:Q", title="difference (points)"),
            fill=alt.condition("datum.seeds > 1", alt.value(_INK), alt.value("white")),
            tooltip=["on:N", "value:Q", "low:Q", "high:Q", "low over seeds:Q", "high over seeds:Q", "seeds:Q"],
        ),
    )
    chart = alt.layer(*layers).properties(width=520, height=alt.Step(26))
    return CaptionedChart("pair", chart, "", "").specification()
