"""JupyterLab as `make lab` starts it: saving a notebook scrubs it, so that looking around changes no dependency."""

from typing import Any

from nbformat import from_dict

from brew.notebooks.cleaning import scrub


def scrub_before_saving(model: dict[str, Any], **_: Any) -> None:
    if model["type"] == "notebook":
        model["content"] = scrub(from_dict(model["content"]))


c.FileContentsManager.pre_save_hook = scrub_before_saving  # type: ignore[name-defined]
