"""What each teacher brings, benchmark by benchmark: differences of arms that differ in a teacher."""

import altair as alt
import pandas as pd

from brew.compendium.report.charts.house import CaptionedChart, hiding
from brew.compendium.report.contrasts import CONTRASTS
from brew.compendium.report.formatting import signed
from brew.evaluation.benchmarks import BENCHMARKS

_INK = "#1f4e79"


def teacher_chart(pairs: pd.DataFrame) -> CaptionedChart | None:
    """A panel per contrast, a row per benchmark; None if no contrast was run. pairs: of `directed`."""
    whole = pairs[(pairs["label fraction"] == 1) & pairs["on"].isin(BENCHMARKS)]
    parts = [
        whole[(whole["arm"] == each.arm) & (whole["less"] == each.reference)].assign(contrast=each.title)
        for each in CONTRASTS
    ]
    table = pd.concat(parts, ignore_index=True)
    if table.empty:
        return None
    table = table.assign(benchmark=table["on"], backbone=table["arm"])
    order = [name for name in BENCHMARKS if name in set(table["on"])]
    base = alt.Chart(table).encode(y=alt.Y("benchmark:N", sort=order, title=None), color=alt.value(_INK))
    layers = (
        base.mark_rule(strokeDash=[3, 3]).encode(x=alt.datum(0), color=alt.value("#6b7280")),
        base.mark_rule(strokeWidth=6, opacity=0.35).encode(x="low over seeds:Q", x2="high over seeds:Q"),
        base.mark_rule(strokeWidth=1.5).encode(x="low:Q", x2="high:Q"),
        base.mark_point(size=55, strokeWidth=2, opacity=1).encode(
            x=alt.X("value:Q", title="difference (points)"),
            fill=alt.condition("datum.seeds > 1", alt.value(_INK), alt.value("white")),
            tooltip=["contrast", "benchmark", "value", "low", "high", "low over seeds", "high over seeds", "seeds"],
        ),
    )
    titles = [each.title for each in CONTRASTS if each.title in set(table["contrast"])]
    chart = alt.layer(*layers).properties(width=320, height=alt.Step(18)).facet(
        facet=alt.Facet("contrast:N", sort=titles, title=None), columns=2
    ).resolve_scale(x="independent")  # fmt: skip
    caption = (
        "The figure shows what each teacher brings: the difference of two arms that differ in a teacher, benchmark by "
        "benchmark. Thin bars are 95 % intervals over test samples, thick ones over paired seeds of pretraining. A "
        "hollow dot has one seed. Each panel has an axis of its own."
    )
    most = table.loc[table["value"].abs().idxmax()]
    finding = (
        f"The largest difference is {most['contrast']} on {most['benchmark']}: "
        f"{signed(most['value'], most['low'], most['high'])} points over test samples."
    )
    return CaptionedChart("teachers", hiding(chart, "backbone", "benchmark"), caption, finding)
