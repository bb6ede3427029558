"""Describe real sources' files: `python -m brew.data.sources.describe [source ...]` writes their manifests anew.

Without a name, every source is described that has a manifest already.
"""

import sys

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


def main() -> int:
    """Describe the named sources, or all described ones."""
    described = [entry.name for entry in SOURCES.values() if entry.folder and entry.manifest.is_file()]
    try:
        for name in sys.argv[1:] or described:
            describe(source(name))
    except BrewError as error:
        print(f"describe: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
