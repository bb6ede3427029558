"""The ledger as a table that is searched and filtered: a row per claim, each with an address of its own."""

import html

import pandas as pd

from brew.compendium.report.site.addresses import slug
from brew.compendium.report.site.statement_table import verdict_html

#: Columns in the order in which the page shows them, as far as a row of the ledger has something there.
_SHOWN = (
    "id", "table", "model", "data set", "metric", "claimed", "status", "verdict", "ours", "95 % over test",
    "deviation over seeds", "difference", "our backbone", "our metric", "our protocol", "readings that hold it",
    "setting", "conflicts with", "source",
)  # fmt: skip
_FILTERS = "Table|Data set|Status|Verdict"


def ledger_table(ledger: pd.DataFrame, name: str) -> str:
    """The HTML of a ledger. A verdict is found by its word; its reason stands below it."""
    columns = [column for column in _SHOWN if column in ledger and ledger[column].fillna("").ne("").any()]
    heads = "".join(f'<th scope="col">{_escaped(column[0].upper() + column[1:])}</th>' for column in columns)
    known = set(ledger["id"])
    rows = "\n".join(_row(row, columns, known) for row in ledger.to_dict("records"))
    return (
        f'<div class="table" role="region" tabindex="0" aria-label="{_escaped(name)}">'
        f'<table class="sorted" data-filters="{_FILTERS}">\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}\n'
        "</tbody>\n</table></div>"
    )


def _row(row: dict[str, str], columns: list[str], known: set[str]) -> str:
    first, *others = columns
    cells = "".join(_cell(column, str(row[column]), known) for column in others)
    place = slug(str(row["id"]))
    head = f'<th scope="row"><a class="permalink" href="#{place}">{_escaped(row[first])}</a></th>'
    return f'<tr id="{place}">{head}{cells}</tr>'


def _cell(column: str, text: str, known: set[str]) -> str:
    if column == "verdict":
        return f'<td data-search="{_escaped(text.partition(": ")[0])}">{verdict_html(text)}</td>'
    if column == "conflicts with":
        links = " ".join(f'<a href="#{slug(each)}">{_escaped(each)}</a>' for each in text.split() if each in known)
        return f"<td>{links}</td>"
    return f"<td>{_escaped(text)}</td>"


def _escaped(text: object) -> str:
    return html.escape(str(text), quote=True)
