"""A page of the site: what surrounds the content, and the templates that the content comes from."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from brew.compendium.report.site.statement_table import verdict_html
from brew.compendium.report.site.table_markup import name_of, spoken
from brew.compendium.report.style import metric_words
from brew.files import write_bytes


@dataclass(frozen=True)
class Place:
    """A page of a scale. address: from the scale's root. within: identifiers and titles of what stands on the page."""

    title: str
    address: str
    within: Sequence[tuple[str, str]] = ()

    @property
    def root(self) -> str:
        """The scale's root, from the page."""
        return "../" * self.address.count("/")


@cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).with_name("templates")), autoescape=True, trim_blocks=True,
        lstrip_blocks=True, undefined=jinja2.StrictUndefined, keep_trailing_newline=True,
    )  # fmt: skip
    environment.filters["backbone"] = lambda name: Markup(name_of(name))
    environment.filters["spoken"] = lambda text: Markup(spoken(text))
    environment.filters["verdict"] = lambda text: Markup(verdict_html(text))
    environment.filters["metric"] = metric_words
    return environment


def write_page(folder: Path, address: str, template: str, **content: Any) -> Path:
    """Write a page from its template, below `folder`. content: what the template names."""
    path = folder / address
    text = _templates().get_template(f"{template}.html.j2").render(**content)
    write_bytes(path, "\n".join(line.rstrip() for line in text.splitlines() if line.strip()).encode() + b"\n")
    return path
