"""The exhibits of a scale: its figures and tables, numbered through all chapters, with files, words and makers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count

from brew.compendium.report.charts.house import CaptionedChart
from brew.compendium.report.site.addresses import FIGURES, TABLES, notebook_cell, slug


@dataclass(frozen=True)
class Exhibit:
    """A figure or a table of a chapter. html: what is shown. files: links as (label, address from the scale's root).

    chart: the specification of a figure that hovers, as JSON; empty for any other. number: among its kind, from 1.
    """

    kind: str
    name: str
    caption: str
    html: str
    files: Sequence[tuple[str, str]]
    chart: str = ""
    number: int = 0

    @property
    def id(self) -> str:
        return f"{self.kind}-{slug(self.name)}"

    @property
    def spoken(self) -> str:
        """Its name as contents list it."""
        return self.name.replace("-", " ")

    @property
    def title(self) -> str:
        return f"{self.kind.capitalize()} {self.number}"


def chart_exhibit(chart: CaptionedChart, root: str, tidy: str) -> Exhibit:
    """A chart: its picture stands in the page, and the specification with which a script makes it hover.

    root: of the scale, from the page. tidy: the table that it is drawn from.
    """
    html = f'<img src="{root}{FIGURES}/{chart.name}.svg" alt="{_attribute(chart.finding)}">'
    files = [(f"{chart.name}.svg", f"{FIGURES}/{chart.name}.svg"), (f"{tidy}.csv", f"{TABLES}/{tidy}.csv")]
    return Exhibit("figure", chart.name, chart.caption, html, files, chart.script())


def picture_exhibit(name: str, file: str, caption: str, notebook: str, root: str) -> Exhibit:
    """A picture that a stage drew. file: its name in the folder of figures."""
    first = caption.split(". ")[0].rstrip(".") + "."
    html = (
        f'<a href="{root}{FIGURES}/{file}"><img loading="lazy" src="{root}{FIGURES}/{file}" '
        f'alt="{_attribute(first)}"></a>'
    )
    files = [(file, f"{FIGURES}/{file}"), (f"notebook {notebook}", f"pages/{notebook}.html")]
    return Exhibit("figure", name, caption, html, files)


def table_exhibit(name: str, caption: str, cell: str | None, tidy: Sequence[str], html: str) -> Exhibit:
    """A table. name: the stem of its file. cell: of the notebook, that wrote the table.

    tidy: names of the tables that hold its numbers in columns.
    """
    maker = [("the cell that made it", notebook_cell("tables", cell))] if cell else []
    files = [*((f"{each}.csv", f"{TABLES}/{each}.csv") for each in dict.fromkeys((name, *tidy))), *maker]
    return Exhibit("table", name, caption, html, files)


def numbered(chapters: Mapping[str, Sequence[Exhibit]]) -> dict[str, list[Exhibit]]:
    """The exhibits by chapter, numbered through all chapters."""
    counters = {"figure": count(1), "table": count(1)}
    return {
        title: [replace(each, number=next(counters[each.kind])) for each in exhibits]
        for title, exhibits in chapters.items()
    }


def _attribute(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
