"""Every backbone on every benchmark: the score, its interval over test samples, and single seeds."""

import altair as alt
import pandas as pd

from brew.compendium.report.charts.house import CaptionedChart, colours, hiding, hollow, named
from brew.compendium.report.formatting import listed
from brew.compendium.report.style import label, metric_words


def score_chart(results: pd.DataFrame, seeds: pd.DataFrame) -> CaptionedChart | None:
    """A panel per benchmark, a row per backbone; None if nothing was scored.

    results: of `tidy_tables.results`. seeds: a row per run, with its seed and its value in percent.
    """
    whole = results[results["label fraction"] == 1]
    if whole.empty:
        return None
    runs = seeds[seeds["label fraction"] == 1].merge(
        whole.loc[whole["seeds"] > 1, ["benchmark", "backbone"]], on=["benchmark", "backbone"]
    )
    table = named(pd.concat([whole.assign(kind="mean"), runs.assign(kind="seed")], ignore_index=True))
    backbones, order = list(whole["backbone"].unique()), list(table["name"].unique())
    table["metric"] = table["metric"].map(metric_words, na_action="ignore")
    base = alt.Chart(table).encode(y=alt.Y("name:N", sort=order, title=None), color=colours(backbones))
    told = ["name", "benchmark", "metric", "value", "low", "high", "n", "unit", "seeds"]
    mean = base.transform_filter("datum.kind == 'mean'")
    layers = (
        mean.mark_rule(strokeWidth=2.5, opacity=0.6).encode(x=alt.X("low:Q"), x2="high:Q"),
        base.transform_filter("datum.kind == 'seed'")
        .mark_tick(thickness=1.5, size=7, yOffset=6)
        .encode(x="value:Q", tooltip=["name", "benchmark", "seed:Q", "value"]),
        mean.mark_point(size=55, strokeWidth=2, opacity=1).encode(
            x=alt.X("value:Q", title="primary score (%)", scale=alt.Scale(zero=False)),
            fill=hollow(backbones), tooltip=told,
        ),
    )  # fmt: skip
    chart = alt.layer(*layers).properties(width=225, height=alt.Step(17)).facet(
        facet=alt.Facet("benchmark:N", sort=list(whole["benchmark"].unique()), title=None), columns=3
    ).resolve_scale(x="independent")  # fmt: skip
    caption = (
        "The figure shows the primary score of every backbone on every benchmark, in percent. Bars are 95 % intervals "
        "over test samples, and ticks below a dot are single seeds of pretraining. A hollow dot has one seed."
    )
    return CaptionedChart("scores", hiding(chart, "backbone", "benchmark"), caption, _finding(whole))


def _finding(whole: pd.DataFrame) -> str:
    best = whole.loc[whole.groupby("benchmark", sort=False)["value"].idxmax()]
    parts = [f"{label(row.backbone)} on {row.benchmark} ({row.value:.1f} %)" for row in best.itertuples()]
    return f"The best score has {listed(parts)}."
