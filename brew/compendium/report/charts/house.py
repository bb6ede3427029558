"""How every chart looks and is kept: one theme, one colour per arm, a caption, and words for who cannot see it.

A chart carries two parameters, `hidden_arms` and `hidden_benchmarks`, by which a page leaves rows out of all charts at
once. Left out: what a chart shows (the other modules of `charts`).
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import altair as alt
import pandas as pd
import vl_convert

from brew.compendium.report.style import colour, label
from brew.compendium.report.summary import in_order
from brew.files import write_bytes

#: Parameters of a chart that a page sets: identifiers that are not drawn.
HIDDEN = {"backbone": "hidden_arms", "benchmark": "hidden_benchmarks"}
#: What a picture says of every mark; `CaptionedChart.finding` says it once.
_SPOKEN = re.compile(r' (?:aria-label|aria-roledescription|aria-hidden|role)="[^"]*"')
#: What a picture says beside: names of its parts for scripts, and what holds without a word.
_PLAIN = re.compile(r' (?:class="[^"]*"|pointer-events="none"|font-weight="normal"|opacity="1")')
#: Of equal widths everywhere: a picture is laid out here and shown elsewhere.
_FONT = "Arial, Liberation Sans, Helvetica, sans-serif"
_GREY = "#6b7280"
_CONFIG: dict[str, Any] = {
    "font": _FONT, "background": None, "view": {"stroke": None},
    "axis": {"grid": False, "labelFontSize": 11, "titleFontSize": 11, "titleFontWeight": "normal",
             "labelLimit": 240, "domainColor": _GREY, "tickColor": _GREY},
    "axisX": {"grid": True, "gridColor": "#e5e7eb"},
    "header": {"labelFontSize": 12, "labelFontWeight": "bold", "title": None, "labelAnchor": "start"},
    "legend": {"labelLimit": 260, "title": None, "labelFontSize": 11, "columns": 3, "orient": "bottom"},
}  # fmt: skip


@dataclass(frozen=True)
class CaptionedChart:
    """A chart of the report. name: the stem of its files. finding: what it shows, in words, for who cannot see it."""

    name: str
    chart: alt.TopLevelMixin
    caption: str
    finding: str

    def specification(self) -> dict[str, Any]:
        """The chart as Vega-Lite with its data inside; equal charts give equal ones."""
        with alt.data_transformers.enable("default", consolidate_datasets=True, max_rows=None):
            found = self.chart.to_dict()
        return _named_columns({**found, "config": _CONFIG})

    def svg(self) -> str:
        """The same chart as a picture, without any script."""
        return _short(_numbered(_SPOKEN.sub("", vl_convert.vegalite_to_svg(self.specification()))))

    def write(self, folder: Path) -> None:
        """Write the picture, and beside it the specification."""
        write_bytes(folder / f"{self.name}.svg", self.svg().encode())

    def script(self) -> str:
        """The specification as JSON that may stand in a page."""
        text = json.dumps(self.specification(), separators=(",", ":"), ensure_ascii=False, sort_keys=True)
        return text.replace("<", "\\u003c")

    def _repr_svg_(self) -> str:
        return self.svg()


def _named_columns(chart: dict[str, Any]) -> dict[str, Any]:
    """The chart without columns of its data that nothing else in it names."""
    named = json.dumps({key: part for key, part in chart.items() if key != "datasets"})
    data = {
        name: [{column: value for column, value in row.items() if column in named} for row in rows]
        for name, rows in chart.get("datasets", {}).items()
    }
    return {**chart, "datasets": data} if data else chart


def _short(svg: str) -> str:
    """The picture with places to a hundredth of a pixel, and what all its texts repeat at its root."""
    font = f' font-family="{_FONT}"'
    svg = _PLAIN.sub("", svg.replace(font, "")).replace("<svg ", f"<svg{font} ", 1)
    return re.sub(r'="[^"]*"', lambda attribute: re.sub(r"(\.\d\d)\d+", r"\1", attribute[0]), svg)


def _numbered(svg: str) -> str:
    """The picture with its clips numbered from 0: the converter counts on over all pictures of a process."""
    names = dict.fromkeys(re.findall(r'id="((?:clip|gradient)[^"]*)"', svg))
    for place, name in enumerate(names):
        svg = re.sub(rf'(id="|url\(#){re.escape(name)}(?=["\)])', rf"\g<1>part{place}", svg)
    return svg


def hiding(chart: Any, *kinds: str) -> Any:
    """The chart without the rows that its page hides. kinds: of `HIDDEN`."""
    for kind in kinds:
        chart = chart.transform_filter(f"indexof({HIDDEN[kind]}, datum.{kind}) < 0")
    return chart.add_params(*(alt.param(name=HIDDEN[kind], value=[]) for kind in kinds))


def named(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the display name of each backbone, in the order of all figures."""
    places = {name: place for place, name in enumerate(in_order(table["backbone"]))}
    return table.assign(name=table["backbone"].map(label)).sort_values(
        "backbone", key=lambda column: column.map(places), kind="stable"
    )


def covering(table: pd.DataFrame, columns: Sequence[str], least: tuple[float, float]) -> alt.Scale:
    """An axis over `least`, so that scales' figures have it alike, and over whatever the columns hold beyond."""
    low, high = table[list(columns)].min(axis=None), table[list(columns)].max(axis=None)
    return alt.Scale(domain=[min(least[0], low), max(least[1], high)])


def colours(backbones: Sequence[str], legend: Any = None) -> alt.Color:
    """Every backbone in its own colour."""
    shown = in_order(backbones)
    scale = alt.Scale(domain=[label(name) for name in shown], range=[colour(name) for name in shown])
    return alt.Color("name:N", scale=scale, legend=legend)


def hollow(backbones: Sequence[str], seeds: str = "seeds") -> Any:
    """The filling of a mark: white if there is one seed of pretraining."""
    return alt.condition(f"datum['{seeds}'] > 1", colours(backbones), alt.value("white"))
