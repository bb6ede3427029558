"""Tables of a page of docs/ that are written from code, between two lines that say where they stand."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from brew.errors import BrewError


@dataclass(frozen=True)
class TablePlace:
    """Where a page holds its tables. start, end: the lines around them."""

    page: Path
    start: str
    end: str

    def renewed(self, tables: str) -> str:
        """The page with these tables; BrewError if it does not hold both lines, each once and in their order."""
        text = self.page.read_text()
        before, _, rest = text.partition(self.start)
        _, _, after = rest.partition(self.end)
        if text.count(self.start) != 1 or rest.count(self.end) != 1 or text.count(self.end) != 1:
            raise BrewError(
                f"{self.page} lacks the lines {self.start!r} and {self.end!r}; expected each once, around the tables. "
                "Restore them"
            )
        return f"{before}{self.start}\n\n{tables}\n\n{self.end}{after}"


def table(head: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """A table in Markdown, without a line break at its end."""
    lines = (head, ["---"] * len(head), *rows)
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
