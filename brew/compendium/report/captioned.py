"""A table or a figure with its name and its caption: what the report makes, and what a stage writes to a folder."""

import html
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from brew.compendium import stamp
from brew.compendium.report.html_tables import table_html
from brew.compendium.report.style import save, write_caption

#: A notebook shows so many rows of a table; the report shows all.
_ROWS = 60


@dataclass(frozen=True, repr=False)
class CaptionedTable:
    """A table of the report. name: the stem of its file. A notebook shows the table with its caption below."""

    name: str
    frame: pd.DataFrame
    caption: str

    def write(self, folder: Path) -> "CaptionedTable":
        """Write the table as CSV, and its caption beside it; returns the table."""
        path = folder / f"{self.name}.csv"
        self.frame.to_csv(path, index=False)
        write_caption(path, self.caption)
        return self

    def __repr__(self) -> str:
        return f"{self.name}.csv: {self.caption}"

    def _repr_html_(self) -> str:
        return self.html()

    def html(self) -> str:
        """The table and its caption as a notebook shows them."""
        return f"{table_html(self.frame, _ROWS)}\n<p>{html.escape(stamp.caption(self.caption), quote=False)}</p>"


@dataclass(frozen=True)
class CaptionedFigure:
    """A figure of the report. name: the stem of its file."""

    name: str
    figure: Figure
    caption: str

    def write(self, folder: Path) -> Figure:
        """Write the figure as PNG, and its caption beside it; returns the figure, which a notebook shows."""
        save(self.figure, folder / f"{self.name}.png", self.caption)
        return self.figure
