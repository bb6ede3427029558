"""Stores from sources: a store is built only from the files that the source's manifest describes."""

from pathlib import Path
from typing import Any

from brew import randomness
from brew.data.sources.catalogue import source
from brew.errors import BrewError


def build_store(name: str, path: Path, settings: Any) -> str:
    """Check the source against its manifest, build its store at `path`, and return what identifies the input.

    For a source with a folder that is what its `check` returns, by default the manifest's hash. For another one it is
    the key of its settings.
    Raises BrewError for an unknown source, absent files, files that the manifest does not describe, and whatever the
    source's `build` raises.
    """
    entry = source(name)
    root = entry.root()
    if root is not None and not entry.manifest.is_file():
        raise BrewError(
            f"{entry.manifest} does not exist; expected a list of the files below {root}, on which results rest. "
            f"Run `python -m brew manifest {name}` to describe them"
        )
    made_from = entry.check(entry.manifest, root) if root is not None else f"{randomness.key(repr(settings)):016x}"
    entry.build(root, path, settings)
    return made_from
