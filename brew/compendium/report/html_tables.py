"""Marks of a cell as HTML: the one place that knows how they are printed.

``**...**`` is printed in bold, and ``(paper: ...)`` on a line of its own. Left out: what a cell says (`formatting`).
"""

import re

import pandas as pd

_BOLD = re.compile(r"\*\*(.+?)\*\*")
_PAPER = re.compile(r"\((paper: [^()]+)\)")


def table_html(frame: pd.DataFrame, most_rows: int | None = None) -> str:
    """The table's HTML, in which no mark is left. most_rows: of a longer table the first and the last rows are shown.

    Whatever a cell or a column's name holds is escaped first.
    """
    return marked_up(frame.to_html(index=False, border=0, escape=True, max_rows=most_rows))


def marked_up(escaped: str) -> str:
    """Text that is HTML already, with its marks as tags."""
    return _PAPER.sub(r'<span class="paper">\1</span>', _BOLD.sub(r"<strong>\1</strong>", escaped))
