"""Stores from sources: a store is built only from the files that the source's manifest describes."""

from pathlib import Path
from typing import Any

from brew import randomness
from brew.data.sources.catalogue import source
from brew.errors import BrewError


def check_source(name: str, settings: Any) -> str:
    """Check the source against its manifest, and return what identifies the input of its store.

    For a source with a folder that is what its `check` returns, by default the manifest's hash. For another one it is
    the key of its settings.
    Raises BrewError for an unknown source, absent files, and files that the manifest does not describe.
    """
    entry = source(name)
    root = entry.root()
    if root is not None and not entry.manifest.is_file():
        raise BrewError(
            f"{entry.manifest} does not exist; expected a list of the files below {root}, on which results rest. "
            f"Run `python -m brew manifest {name}` to describe them"
        )
    return entry.check(entry.manifest, root) if root is not None else f"{randomness.key(repr(settings)):016x}"


def build_store(name: str, path: Path, settings: Any) -> None:
    """Build the store of a source that was checked; raises whatever the source's `build` raises."""
    entry = source(name)
    entry.build(entry.root(), path, settings)
