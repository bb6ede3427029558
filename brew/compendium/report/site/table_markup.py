"""Tables of the site as HTML: names with identifiers in a tooltip, numbers that are doors, cells that sort by value."""

import html
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from brew.compendium.report.columns import NOT_COMPARABLE, NOT_RUN, missing
from brew.compendium.report.formatting import number
from brew.compendium.report.html_tables import marked_up
from brew.compendium.report.site.addresses import cell_id, number_address
from brew.compendium.report.style import BACKBONES, label, metric_words
from brew.compendium.report.summary import in_order
from brew.evaluation.benchmarks import BENCHMARKS


def escaped(text: object) -> str:
    return html.escape(str(text), quote=True)


def name_of(backbone: str) -> str:
    """A display name with the identifier in its tooltip."""
    return f'<span title="{escaped(backbone)}">{escaped(label(backbone))}</span>'


#: A row of a table and the name of a column -> where the cell leads, from the scale's root; empty if nowhere.
Door = Callable[[Mapping[Any, Any], str], str]


def no_door(row: Mapping[Any, Any], column: str) -> str:
    return ""


def plain_table(frame: pd.DataFrame, name: str, root: str = "", door: Door = no_door) -> str:
    """A table whose cells are text: marks become bold, identifiers display names. name: what it is called.

    root: of the scale, from the page. door: where cells lead.
    """
    heads = "".join(f'<th scope="col">{_column(str(column))}</th>' for column in frame.columns)
    rows = []
    for row in frame.to_dict("records"):
        first, *others = (_text(value, root, door(row, str(column))) for column, value in row.items())
        backbone = identifier(str(next(iter(row.values()))))
        data = f' data-backbone="{escaped(backbone)}"' if backbone in BACKBONES else ""
        cells = "".join(f"<td>{value}</td>" for value in others)
        rows.append(f'<tr{data}><th scope="row">{first}</th>{cells}</tr>')
    return _table(name, heads, rows)


#: Display name -> identifier.
_IDENTIFIERS = {title: name for name, title in BACKBONES.items()}
_CODE = re.compile(r"`([^`]+)`")
#: "optical: roofs (iou macro)": the metric of a column of scores.
_METRIC = re.compile(r"^\w+: \S+ \(([\w ]+)\)$")
#: What stands in a cell without a number; and columns that describe a row.
_EMPTY, _DESCRIBING = {NOT_RUN, NOT_COMPARABLE, "-", ""}, {"what it is"}
#: The number at the head of a cell, with its marks.
_NUMBER = re.compile(r"(?:<strong>)?[+-]?\d+\.\d+")


def folded(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The rows that hold something, and the names of the others: a page lists these below its table."""
    first, *others = frame.columns
    told = ~frame[[name for name in others if name not in _DESCRIBING]].isin(_EMPTY).all(axis=1)
    return frame[told], [label(identifier(name)) for name in frame.loc[~told, first]]


def identifier(name: str) -> str:
    """Of a backbone by its display name; a name that is none stays as it is."""
    return _IDENTIFIERS.get(name, name)


def _column(title: str) -> str:
    """A head; the metric that it may name is given in words."""
    found = _METRIC.search(title)
    told = title if found is None else title[: found.start(1)] + metric_words(found[1].replace(" ", "_")) + ")"
    return escaped(told[:1].upper() + told[1:])


def _text(value: object, root: str, address: str) -> str:
    text = "" if isinstance(value, float) and math.isnan(value) else str(value)
    if identifier(text) in BACKBONES:
        return name_of(identifier(text))
    marked = marked_up(escaped(text))
    found = _NUMBER.match(marked) if address else None
    if found is None:
        return marked
    kind = "door" if address.startswith("benchmarks/") else "pair"
    opened = found[0].removeprefix("<strong>")
    link = f'<a class="{kind}" href="{root}{escaped(address)}">{opened}</a>'
    return f"{'<strong>' * (opened != found[0])}{link}{marked[found.end() :]}"


def spoken(caption: str) -> str:
    """A caption as HTML: what stands between backticks is code."""
    return _CODE.sub(r"<code>\1</code>", escaped(caption))


def _table(name: str, heads: str, rows: Sequence[str]) -> str:
    body = "\n".join(rows)
    return (
        f'<div class="table" role="region" tabindex="0" aria-label="{escaped(name)}"><table class="sorted">\n'
        f"<thead><tr>{heads}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table></div>"
    )


def score_table(
    results: pd.DataFrame,
    names: Sequence[str],
    root: str,
    label_fraction: float = 1.0,
    averages: pd.DataFrame | None = None,
) -> str:
    """Backbones by benchmarks; every score is a door to its card. results: of `tidy_tables.results`.

    root: of the scale, from the page. averages: further columns as text, by the display name of the backbone.
    """
    more = pd.DataFrame() if averages is None else averages
    table = results[results["benchmark"].isin(names) & (results["label fraction"] == label_fraction)]
    found = {(row["benchmark"], row["backbone"]): row for row in table.to_dict("records")}
    heads = '<th scope="col">Backbone</th>' + "".join(
        f'<th scope="col" data-benchmark="{escaped(name)}"><a href="{root}benchmarks/{escaped(name)}.html" '
        f'title="{escaped(BENCHMARKS[name].summary)}">{escaped(name)}</a> <small>{_metric(name)}, '
        f"{BENCHMARKS[name].modality}</small></th>"
        for name in names
    )
    heads += "".join(f'<th scope="col">{_column(str(column))}</th>' for column in more)
    rows = []
    for backbone in in_order(table["backbone"]):
        cells = "".join(_score(found.get((name, backbone)), name, backbone, root, label_fraction) for name in names)
        cells += "".join(f"<td>{_average(str(more.at[label(backbone), column]))}</td>" for column in more)
        rows.append(f'<tr data-backbone="{escaped(backbone)}"><th scope="row">{name_of(backbone)}</th>{cells}</tr>')
    share = "" if label_fraction == 1 else f", from {100 * label_fraction:g} % of the labels"
    return _table(f"scores on {', '.join(names)}{share}", heads, rows)


def _metric(name: str) -> str:
    return escaped(metric_words(BENCHMARKS[name].metric))


def _average(text: str) -> str:
    """A mean with its doubts in small print."""
    value, _, doubts = text.partition(" ")
    if not _NUMBER.match(marked_up(escaped(value.strip("*")))):
        return marked_up(escaped(text))
    strong = text.startswith("**")
    shown, small = value.strip("*"), doubts.replace("**", "").replace("+/-", "±")
    return f"{'<strong>' * strong}{escaped(shown)}{'</strong>' * strong} <small>{escaped(small)}</small>"


def _score(row: dict[Any, Any] | None, benchmark: str, backbone: str, root: str, label_fraction: float) -> str:
    if row is None:
        entry = BENCHMARKS[benchmark]
        why = missing(backbone, entry.task, entry.sensor)
        return f'<td data-benchmark="{escaped(benchmark)}" data-order="-1" class="absent">{escaped(why)}</td>'
    text = number(row["value"], row["deviation over seeds"], row["low"], row["high"])
    value, _, doubts = text.partition(" ")
    hollow = (
        ' <span class="one" title="one seed of pretraining: exploratory">&#9675;</span>' if row["seeds"] < 2 else ""
    )
    apart = f" ({row['apart']})" if isinstance(row["apart"], str) and row["apart"] else ""
    leads = ' class="leads"' if row["leads"] else ""
    return (
        f'<td id="{escaped(cell_id(benchmark, backbone, label_fraction))}"{leads} '
        f'data-benchmark="{escaped(benchmark)}" data-order="{row["value"]}">'
        f'<a class="door" href="{root}{escaped(number_address(benchmark, backbone, label_fraction))}">{value}</a>'
        f"{hollow} <small>{escaped(doubts.replace('+/-', '±') + apart)}</small></td>"
    )
