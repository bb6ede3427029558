"""The page that compares any two backbones: the pair that stands without a script, and the data of all others."""

import json
import math
from typing import Any

import pandas as pd

from brew.compendium.report.charts.pair_chart import pair_chart
from brew.compendium.report.formatting import brackets, plural
from brew.compendium.report.site.scale_findings import Findings
from brew.compendium.report.site.table_markup import plain_table
from brew.compendium.report.style import label
from brew.compendium.report.summary import in_order

#: The pair that the page opens with, if both were scored.
_FIRST = ("deo", "ms-only")
#: The smallest p that is written out.
_SMALLEST = 0.001
_COLUMNS = ["on", "label fraction", "arm", "less", "value", "low", "high", "low over seeds", "high over seeds", "seeds",
            "p", "p over seeds", "rounding", "parts"]  # fmt: skip


def comparison(findings: Findings) -> dict[str, Any] | None:
    """What the template `compare` names; None if no two backbones were scored on one benchmark."""
    pairs = findings.tables.pairs
    if pairs.empty:
        return None
    arms = in_order(set(pairs["arm"]))
    first, second = _FIRST if set(_FIRST) <= set(arms) else tuple(pairs[["arm", "less"]].iloc[0])
    chosen = pairs[(pairs["arm"] == first) & (pairs["less"] == second) & (pairs["label fraction"] == 1)]
    rows = [_row(row) for row in chosen.to_dict("records")]
    return {
        "arms": arms, "labels": {name: label(name) for name in arms}, "first": first, "second": second,
        "shares": sorted(set(pairs["label fraction"]), reverse=True), "rows": rows,
        "finding": f"{label(first)} less {label(second)}: {plural(len(rows), 'comparison')}.",
        "orders": plain_table(order_table(findings.tables.orders), "places"), "data": _data(findings, arms),
    }  # fmt: skip


def _row(row: dict[Any, Any]) -> dict[str, object]:
    """A line of the table, each number as the script writes it too."""
    seeds = "one seed" if row["seeds"] < 2 else brackets(row["low over seeds"], row["high over seeds"])
    return {
        "on": row["on"], "parts": _parts(row["parts"]), "value": f"{row['value']:+.1f}",
        "test": brackets(row["low"], row["high"]), "p": _p(row["p"]), "over_seeds": seeds,
        "p_seeds": _p(row["p over seeds"]), "rounding": f"{row['rounding']:.1f}" if row["rounding"] else "not measured",
        "seeds": row["seeds"],
    }  # fmt: skip


def _parts(kept: object) -> str:
    """The benchmarks of a mean with their differences; empty for a single one."""
    pairs = (part.split(":") for part in kept.split()) if isinstance(kept, str) else ()
    return ", ".join(f"{name} {float(points):+.1f}" for name, points in pairs)


def _p(value: float) -> str:
    return "" if math.isnan(value) else "< 0.001" if value < _SMALLEST else f"{value:.3f}"


def order_table(orders: pd.DataFrame) -> pd.DataFrame:
    """Backbones by aggregations, the best by the first one on top. orders: of `tidy_tables.orders`."""
    cells = [
        f"{row['place']:g} [{row['low']:g}, {row['high']:g}], first in {100 * row['first']:.0f} %"
        for row in orders.to_dict("records")
    ]  # fmt: skip
    kinds = list(dict.fromkeys(orders["aggregation"]))
    table = orders.assign(cell=cells).pivot(index="backbone", columns="aggregation", values="cell")
    first = orders[orders["aggregation"] == kinds[0]].sort_values("place", kind="stable")["backbone"] if kinds else []
    return table.reindex(index=list(first), columns=kinds).reset_index().rename_axis(columns=None)


def _data(findings: Findings, arms: list[str]) -> str:
    """Every pair in one direction, and every run, as JSON that may stand in a page; pairs name by numbers."""
    places = {name: place for place, name in enumerate(arms)}
    pairs = findings.tables.pairs[_COLUMNS]
    once = pairs[pairs["arm"].map(places) < pairs["less"].map(places)].drop_duplicates(_COLUMNS[:4])
    runs = findings.tables.runs.groupby(["benchmark", "label fraction", "backbone", "seed"], sort=False)["value"].mean()
    on = list(dict.fromkeys(once["on"]))
    numbered = once.assign(
        on=once["on"].map(on.index), arm=once["arm"].map(places), less=once["less"].map(places)
    )  # fmt: skip
    content = {
        "columns": _COLUMNS, "pairs": [[_plain(value) for value in row] for row in numbered.itertuples(index=False)],
        "runs": [[*key, round(value, 2)] for key, value in runs.items()], "on": on, "arms": arms,
        "labels": {name: label(name) for name in arms}, "chart": pair_chart(),
    }  # fmt: skip
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value
