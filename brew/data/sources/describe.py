"""`brew manifest`: the manifests of real sources' files, written anew.

Without a name, every source is described that has a manifest already.
"""

import argparse

from brew.data.manifest import write_manifest
from brew.data.sources.catalogue import SOURCES, source
from brew.data.sources.source import Source
from brew.errors import BrewError


def describe(entry: Source) -> None:
    """Write the manifest of a real source's files, as they lie below ``$BREW_DATA``.

    Raises BrewError for a source without a folder and for absent files.
    """
    root = entry.root()
    if root is None:
        raise BrewError(
            f"source {entry.name!r} has no folder below BREW_DATA; expected a source of files. Name another one"
        )
    write_manifest(entry.manifest, root, entry.patterns, entry.licence, entry.obtain)
    print(f"{entry.manifest} written")


def main(arguments: list[str]) -> int:
    """`brew manifest [SOURCE ...]`."""
    parser = argparse.ArgumentParser(prog="brew manifest", description="Describe the files of real sources anew.")
    parser.add_argument("source", nargs="*", help="its name; default: every source that has a manifest")
    described = [entry.name for entry in SOURCES.values() if entry.folder and entry.manifest.is_file()]
    for name in parser.parse_args(arguments).source or described:
        describe(source(name))
    return 0
