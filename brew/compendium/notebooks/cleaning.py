"""Notebooks in reproducible bytes: the same results give the same file, on every run and in every clone.

`clean` is for executed notebooks, `scrub` for sources. What is taken away has no meaning for a reader: timestamps,
random ids, memory addresses, the folder of the checkout, what went to stderr. Figures are made reproducible where they
are drawn (`SOURCE_DATE_EPOCH` and `matplotlibrc`, see `brew.compendium.environment`), not here.
"""

import re
from pathlib import Path
from typing import Any

from nbformat import NotebookNode, from_dict

from brew.files import ROOT

#: The kernel that every notebook names; which Python that is, the environment decides.
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}

# Identifiers that libraries draw at random: UUIDs (xarray's HTML) and the table ids of pandas' Styler.
_RANDOM_IDS = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b|\bT_[0-9a-f]{5}(?=\b|_)")
_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{8,16}\b")


def clean(notebook: NotebookNode, root: Path = ROOT) -> NotebookNode:
    """The executed `notebook`, changed in place, without what differs from run to run.

    Cell ids are counted; only kernel, language and cell tags are kept of the metadata; stderr is dropped and stdout,
    whose pieces depend on timing, joined; random ids are renumbered in order of appearance, memory addresses masked,
    and `root` is cut off from paths.
    """
    _keep_metadata(notebook)
    numbers: dict[str, str] = {}
    for index, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{index}"
        if cell.cell_type == "code":
            cell["outputs"] = [_same_text(output, numbers, root) for output in _join_streams(cell.outputs)]
    return notebook


def scrub(notebook: NotebookNode) -> NotebookNode:
    """The source `notebook`, changed in place, without outputs, execution counts and what editors add to metadata."""
    _keep_metadata(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell["outputs"] = []
            cell["execution_count"] = None
    return notebook


def scrub_before_saving(model: dict[str, Any], **_: Any) -> None:
    """What JupyterLab calls before it writes a file (`.jupyter/`): looking around then changes no dependency."""
    if model["type"] == "notebook":
        model["content"] = scrub(from_dict(model["content"]))


def _keep_metadata(notebook: NotebookNode) -> None:
    notebook["metadata"] = NotebookNode(kernelspec=NotebookNode(KERNEL), language_info=NotebookNode(name="python"))
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        cell["metadata"] = NotebookNode(tags=list(tags)) if tags else NotebookNode()


def _join_streams(outputs: list[NotebookNode]) -> list[NotebookNode]:
    joined: list[NotebookNode] = []
    for output in outputs:
        if output.output_type == "stream" and output.name == "stderr":
            continue
        if output.output_type == "stream" and joined and joined[-1].output_type == "stream":
            joined[-1]["text"] += output.text
            continue
        if output.output_type in ("display_data", "execute_result"):
            # Widgets are live objects of the kernel; their ids mean nothing to a reader.
            output.data.pop("application/vnd.jupyter.widget-view+json", None)
            if not output.data:
                continue
        joined.append(output)
    return joined


def _same_text(value: Any, numbers: dict[str, str], root: Path) -> Any:
    if isinstance(value, str):
        value = value.replace(f"{root}/", "").replace(str(root), ".")
        value = _RANDOM_IDS.sub(lambda match: numbers.setdefault(match[0], _number(match[0], len(numbers))), value)
        return _ADDRESS.sub("0x0", value)
    if isinstance(value, dict):
        return NotebookNode({key: _same_text(item, numbers, root) for key, item in value.items()})
    if isinstance(value, list):
        return [_same_text(item, numbers, root) for item in value]
    return value


def _number(found: str, count: int) -> str:
    return f"T_{count:05x}" if found.startswith("T_") else f"00000000-0000-0000-0000-{count:012x}"
