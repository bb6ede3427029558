"""An executed notebook as an HTML page that needs no network: styles and formulas are inside, pictures lie beside it.

Code is folded away, one click from its result. Formulas are MathML, which browsers draw without a script.
"""

import html
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from jinja2 import pass_context
from nbconvert.exporters import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode

from brew.compendium.notebooks.kept_pictures import pictures_apart
from brew.errors import BrewError

#: The folder of pictures, beside the pages.
_PICTURES = "pictures"
_STYLE = Path(__file__).with_name("pages.css")

# Blocks of nbconvert's own template, each with one thing changed.
_TEMPLATE = """
{%- extends 'classic/base.html.j2' -%}
{% block in_prompt %}{% endblock %}
{% block empty_in_prompt %}{% endblock %}
{% block output_area_prompt %}{% endblock %}
{% block stream_stderr %}{% endblock %}
{% block input_group %}
{%- if 'injected-parameters' in cell.metadata.get('tags', []) -%}
<details class="code parameters" open><summary>parameters of this run</summary>{{ super() }}</details>
{%- else -%}
<details class="code"><summary>code</summary>{{ super() }}</details>
{%- endif -%}
{% endblock %}
{% block data_latex %}<div class="output_subarea">{{ output.data['text/latex'] | markdown2html }}</div>{% endblock %}
"""

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{style}
</style>
</head>
<body>
<header><a href="../index.html">back to the report</a> <span>{title}</span></header>
<main>
{body}
</main>
</body>
</html>
"""


def page(notebook: NotebookNode, title: str) -> str:
    """The page of an executed (and cleaned) notebook; equal notebooks give equal pages."""
    body, _ = _Exporter().from_notebook_node(notebook)
    return _PAGE.format(title=html.escape(title), style=style(), body=body.strip())


def write_pages(notebooks: Path, pages: Path, stamped: Callable[[str], str] = str) -> list[Path]:
    """Write every executed notebook of the folder `notebooks` as a page of the same name into `pages`.

    stamped: what is done to each page at last. Raises BrewError where the folder holds no notebook.
    """
    import nbformat

    shutil.rmtree(pages / _PICTURES, ignore_errors=True)
    found = sorted(notebooks.glob("*.ipynb"))
    if not found:
        raise BrewError(f"{notebooks} holds no notebook; expected executed ones there; run `make repro` first")
    pages.mkdir(parents=True, exist_ok=True)
    written = []
    for path in found:
        written.append(pages / f"{path.stem}.html")
        notebook = pictures_apart(nbformat.read(path, as_version=4), pages / _PICTURES)
        text = page(notebook, title=f"Notebook {path.stem} - brew")
        written[-1].write_text(stamped(text), encoding="utf-8")
    return written


def style() -> str:
    """The style sheet of every page: brew's own, and the colours of code."""
    from pygments.formatters import HtmlFormatter

    return _STYLE.read_text(encoding="utf-8") + HtmlFormatter(style="default").get_style_defs(".highlight")


class _Exporter(HTMLExporter):
    def __init__(self, **options: Any) -> None:
        super().__init__(raw_template=_TEMPLATE, embed_images=True, anchor_link_text="#", **options)

    @pass_context
    def _markdown(self, context: Any, source: str) -> str:
        cell = context.get("cell", {})
        renderer = _Renderer(
            escape=False,
            attachments=cell.get("attachments", {}),
            embed_images=True,
            path=context.get("resources", {}).get("metadata", {}).get("path", ""),
            anchor_link_text=self.anchor_link_text,
        )
        return str(MarkdownWithMath(renderer=renderer).render(source))

    def default_filters(self) -> Iterable[tuple[str, Any]]:
        yield from super().default_filters()
        yield ("markdown2html", self._markdown)


class _Renderer(IPythonRenderer):
    """nbconvert's Markdown, with formulas as MathML instead of text for a script from the network."""

    def block_math(self, body: str) -> str:
        return f'<div class="formula">{_mathml(body, "block")}</div>'

    def inline_math(self, body: str) -> str:
        return _mathml(body, "inline")

    def latex_environment(self, name: str, body: str) -> str:
        return self.block_math(f"\\begin{{{name}}}{body}\\end{{{name}}}")


def _mathml(body: str, display: str) -> str:
    from latex2mathml.converter import convert

    return str(convert(body.strip(), display=display))
