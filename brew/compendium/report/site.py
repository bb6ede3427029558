"""The report: one self-contained page per scale, made from the tables, figures and pages on disk.

Pictures are embedded, so that the page needs no network and no neighbour; the notebooks' pages lie beside it.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
import pandas as pd

from brew.compendium.report.html_tables import table_html
from brew.compendium.report.style import caption_of

#: The file in which the tables say in words what DEO gains; it stands at the head of the report.
ANSWER = "answer.txt"
#: A table of more rows scrolls within the page; one of more columns takes the window's width.
_LONG, _WIDE = 24, 8
_TEMPLATE = Path(__file__).with_name("site.html.j2")


@dataclass(frozen=True)
class Exhibit:
    """One figure or table of the report. page: the notebook page that made it; address: the file; both from the report.

    If the file is not kept beside the report, its address is empty.
    """

    name: str
    caption: str
    page: str
    file: str
    html: str
    address: str = ""


@dataclass(frozen=True)
class Section:
    title: str
    text: str
    exhibits: Sequence[Exhibit]


def figure(path: Path, page: str) -> Exhibit:
    """A PNG and its caption, embedded."""
    data = base64.b64encode(path.read_bytes()).decode()
    html = f'<img alt="{path.stem}" src="data:image/png;base64,{data}">'
    return Exhibit(path.stem, caption_of(path), page, path.name, html)


def table(path: Path, page: str, address: str = "") -> Exhibit:
    """A CSV and its caption as an HTML table, its cells as they stand in the file."""
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    kind = "table" + " long" * (len(frame) > _LONG) + " wide" * (len(frame.columns) > _WIDE)
    html = f'<div class="{kind}">{table_html(frame)}</div>'
    return Exhibit(path.stem, caption_of(path), page, path.name, html, address)


def render(
    title: str,
    lead: Sequence[str],
    facts: dict[str, str],
    sections: Sequence[Section],
    pages: Sequence[tuple[str, str]],
    elsewhere: Sequence[tuple[str, str]],
) -> str:
    """The page's HTML.

    lead: paragraphs below the title. facts: what it was made from. pages, elsewhere: links as (label, address).
    """
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    template = environment.from_string(_TEMPLATE.read_text())
    return template.render(
        title=title, lead=lead, facts=facts, sections=sections, pages=pages, elsewhere=elsewhere
    ).rstrip() + "\n"  # fmt: skip
