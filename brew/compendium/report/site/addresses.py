"""Where things of the site stand: identifiers within a page, and addresses from a page to another one."""

import re

#: Folders of a scale, from its first screen.
CHAPTERS, BENCHMARKS, NOTEBOOKS, FIGURES, TABLES, CASES = (
    "chapters", "benchmarks", "pages", "figures", "tables", "cases",
)  # fmt: skip


def slug(text: str) -> str:
    """An identifier that may stand in an address: small letters, digits, points and hyphens."""
    return re.sub(r"[^a-z0-9.]+", "-", text.lower().replace("+", " and ").replace("%", " percent ")).strip("-")


def number_id(backbone: str, label_fraction: float) -> str:
    """Of the card of a score, on the page of its benchmark."""
    share = "" if label_fraction == 1 else f"-{100 * label_fraction:g}-percent"
    return slug(backbone) + share


def number_address(benchmark: str, backbone: str, label_fraction: float) -> str:
    """Of the card of a score, from the root of the scale."""
    return f"{BENCHMARKS}/{benchmark}.html#{number_id(backbone, label_fraction)}"


def cell_id(benchmark: str, backbone: str, label_fraction: float) -> str:
    """Of the cell of the results that shows a score, to which its card leads back."""
    return f"at-{benchmark}-{number_id(backbone, label_fraction)}"


def notebook_cell(notebook: str, cell: str) -> str:
    """Of a cell on the page of an executed notebook, from the root of the scale."""
    return f"{NOTEBOOKS}/{notebook}.html#cell-id={cell}"
