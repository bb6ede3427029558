"""The parameters of an evaluation spelled out, a line per number."""

from collections.abc import Iterator, Mapping
from typing import Any

#: Task -> the sections below `evaluation` that decide its scores.
_SECTIONS = {
    "segmentation": ("segmentation",), "change": ("change", "siamese"), "classification": (),
}  # fmt: skip


def settings_of(parameters: Mapping[str, Any], task: str) -> list[tuple[str, str]]:
    """(parameter, value) of everything in `evaluation` that the task reads."""
    whole = parameters["evaluation"]
    other = {name for names in _SECTIONS.values() for name in names} - set(_SECTIONS[task])
    kept = {name: value for name, value in whole.items() if name not in other}
    return list(_spelled(kept, "evaluation"))


def _spelled(value: Any, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _spelled(inner, f"{name}.{key}")
    else:
        yield name, ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
