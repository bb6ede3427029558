"""What every arm gains over a reference, on optical and on multispectral benchmarks, each doubt by itself."""

from collections.abc import Mapping
from typing import Any

import altair as alt
import pandas as pd

from brew.compendium.report.arm_gains import GROUPS, REFERENCES
from brew.compendium.report.charts.house import CaptionedChart, colours, covering, hiding, hollow, named
from brew.compendium.report.formatting import listed, plural, signed
from brew.compendium.report.style import label
from brew.pretraining.arms import ARMS

#: Points that the axis covers at every scale.
_AXIS = (-20.0, 30.0)
_ENDS = ("value", "low", "high", "low over seeds", "high over seeds")


def gain_chart(pairs: pd.DataFrame, reference: str, label_fraction: float = 1.0) -> CaptionedChart | None:
    """A panel per group of benchmarks; None if no arm was run beside `reference`. pairs: of `directed`."""
    table = pairs[
        (pairs["less"] == reference) & (pairs["label fraction"] == label_fraction)
        & pairs["arm"].isin(ARMS) & pairs["on"].isin(GROUPS)
    ]  # fmt: skip
    if table.empty:
        return None
    table = named(table.rename(columns={"arm": "backbone"}))
    backbones, order = list(table["backbone"].unique()), list(table["name"].unique())
    base = alt.Chart(table).encode(y=alt.Y("name:N", sort=order, title=None), color=colours(backbones))
    layers = (
        base.mark_rule(strokeDash=[3, 3], color="#6b7280").encode(x=alt.datum(0), color=alt.value("#6b7280")),
        base.mark_rule(strokeWidth=6, opacity=0.35).encode(x="low over seeds:Q", x2="high over seeds:Q"),
        base.mark_rule(strokeWidth=1.5).encode(x="low:Q", x2="high:Q"),
        base.mark_point(size=60, strokeWidth=2, opacity=1).encode(
            x=alt.X("value:Q", title="gain (points)", scale=covering(table, _ENDS, _AXIS), axis=alt.Axis(tickCount=6)),
            fill=hollow(backbones),
            tooltip=["name", "on", "value", "low", "high", "low over seeds", "high over seeds", "seeds"],
        ),
    )  # fmt: skip
    chart = alt.layer(*layers).properties(width=290, height=alt.Step(18)).facet(
        column=alt.Column("on:N", sort=list(GROUPS), title=None)
    )  # fmt: skip
    share = "" if label_fraction == 1 else f", from {100 * label_fraction:g} % of the labels"
    caption = (
        f"The figure shows the gain of every arm over {label(reference)}{share}, in the mean primary score of the "
        "optical and of the multispectral benchmarks. Thin bars are 95 % intervals over test samples, thick ones over "
        "paired seeds of pretraining. A hollow dot has one seed, so it is exploratory."
    )
    stem = f"gains-over-{reference}" + ("" if label_fraction == 1 else f"-{label_fraction:g}")
    return CaptionedChart(stem, hiding(chart, "backbone"), caption, _finding(table, reference))


def _finding(table: pd.DataFrame, reference: str) -> str:
    row_of = table[table["backbone"] == "deo"]
    if row_of.empty:
        row_of = table[table["backbone"] == table.loc[table["value"].idxmax(), "backbone"]]
    parts = [
        f"{signed(row['value'], *_ends(row))} points on {row['on']} benchmarks"
        for row in row_of.to_dict("records")
    ]  # fmt: skip
    seeds = plural(int(row_of["seeds"].iloc[0]), "seed")
    return f"{row_of['name'].iloc[0]} gains {listed(parts)} over {label(reference)}, from {seeds}."


def _ends(row: Mapping[Any, Any]) -> tuple[float, float]:
    """Over seeds if there are several, else over test samples."""
    kind = " over seeds" if row["seeds"] > 1 else ""
    return row[f"low{kind}"], row[f"high{kind}"]


def directed(pairs: pd.DataFrame) -> pd.DataFrame:
    """Every pair in both directions. pairs: of `tidy_tables.pairs`, which holds one."""
    back = pairs.rename(columns={
        "arm": "less", "less": "arm", "low": "high", "high": "low", "low over seeds": "high over seeds",
        "high over seeds": "low over seeds",
    })  # fmt: skip
    back[list(_ENDS)] = -back[list(_ENDS)]
    back["parts"] = back["parts"].map(_turned, na_action="ignore")
    return pd.concat([pairs, back[pairs.columns]], ignore_index=True)


def _turned(parts: str) -> str:
    """Benchmarks with the other sign: "a:1.0 b:-2.0" becomes "a:-1.0 b:2.0"."""
    split = (part.split(":") for part in parts.split())
    return " ".join(f"{name}:{points.removeprefix('-') if points.startswith('-') else f'-{points}'}"
                    for name, points in split)  # fmt: skip


def references_run(pairs: pd.DataFrame) -> list[str]:
    """The references of the ablation that were scored."""
    return [name for name in REFERENCES if name in set(pairs["less"])]
