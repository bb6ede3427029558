"""The paper's statements as a table: a group of rows per statement, with an address of its own."""

from collections.abc import Mapping

import pandas as pd

from brew.compendium.report.site.addresses import slug
from brew.compendium.report.site.table_markup import escaped

_HEADS = (
    "Statement", "Verdict", "Comparison", "On", "Difference", "95 %", "Seeds", "p", "p (Holm)", "Stated by the paper",
)  # fmt: skip


def statement_table(table: pd.DataFrame) -> str:
    """The HTML of the table of statements, of text cells."""
    heads = "".join(f'<th scope="col">{head}</th>' for head in _HEADS)
    groups = "\n".join(_group(str(name), part) for name, part in table.groupby("id", sort=False))
    return (
        '<div class="table" role="region" tabindex="0" aria-label="statements"><table class="grouped">\n'
        f"<thead><tr>{heads}</tr></thead>\n{groups}\n</table></div>"
    )


def verdict_html(verdict: str) -> str:
    """A verdict in its colour, and its reason, if it has one, in small print."""
    word, _, reason = verdict.partition(": ")
    small = f" <small>{escaped(reason)}</small>" if reason else ""
    return f'<span class="verdict {word.replace(" ", "-")}">{escaped(word)}</span>{small}'


def _group(name: str, part: pd.DataFrame) -> str:
    rows = part.to_dict("records")
    first, count = rows[0], len(rows)
    words = f'<a class="permalink" href="#{slug(name)}">{escaped(first["statement"])}</a>'
    head = (
        f'<th scope="rowgroup" rowspan="{count}">{words} <small>{escaped(first["source"])}</small></th>'
        f'<td rowspan="{count}">{verdict_html(first["verdict"])}</td>'
    )
    lines = [f"<tr>{head if place == 0 else ''}{_comparison(row)}</tr>" for place, row in enumerate(rows)]
    return f'<tbody id="{slug(name)}">{"".join(lines)}</tbody>'


def _comparison(row: Mapping[object, str]) -> str:
    ends = f"{row['low']} to {row['high']}" if row["low"] else ""
    value = f"{row['value']} {row['unit']}" if row["value"] else "not run"
    cells = (f"{row['arm']} less {row['less']}", row["on"], value, ends, row["seeds"], row["p"], row["p (Holm)"],
             row["paper"])  # fmt: skip
    return "".join(f"<td>{escaped(cell)}</td>" for cell in cells)
