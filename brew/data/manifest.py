"""Manifests: the files that a source was built from, by name, size and SHA-256.

A manifest is small text in git, so that a reader without the data knows exactly which files the results rest on, and
somebody who obtains them knows that they are the same. Files and keys have a fixed order: equal folders, equal bytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from glob import glob
from pathlib import Path

import yaml

from brew.data.plain import read_yaml
from brew.errors import BrewError
from brew.files import is_content, sha256


def write_manifest(path: Path, root: Path, patterns: Sequence[str], licence: str, obtain: str) -> None:
    """Describe the files below `root` that match one of the glob `patterns`.

    obtain: one line for whoever does not have them. Raises BrewError where nothing matches.
    """
    files = {name: f"{file.stat().st_size} {sha256(file)}" for name, file in listing(root, patterns).items()}
    if not files:
        raise BrewError(f"{root} holds no file like {', '.join(patterns)}; expected the source's files. {obtain}")
    manifest = {"licence": licence, "obtain": obtain, "patterns": list(patterns), "files": files}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(manifest, sort_keys=False, width=1000, allow_unicode=True))


@dataclass(frozen=True)
class Manifest:
    """What a manifest says. files: size in bytes and SHA-256 of each, by name below the source's folder."""

    patterns: list[str]
    obtain: str
    files: dict[str, tuple[int, str]]


def read_manifest(path: Path) -> Manifest:
    """A manifest from git; BrewError if the file is none."""
    manifest = read_yaml(path)
    try:
        patterns, entries = manifest["patterns"], {name: entry.split() for name, entry in manifest["files"].items()}
        if not isinstance(patterns, list) or not all(isinstance(each, str) for each in [*patterns, *entries]):
            raise TypeError("patterns and files are no texts")
        return Manifest(
            patterns, manifest["obtain"], {name: (int(size), content) for name, (size, content) in entries.items()}
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BrewError(
            f"{path} is no manifest ({type(error).__name__}: {error}); expected patterns, files, licence, obtain. "
            "Restore it from git"
        ) from error


def check_manifest(path: Path, root: Path) -> str:
    """The SHA-256 of the manifest after all files below `root` were read and found to be those that it lists.

    Raises BrewError naming the first file that is missing, changed or extra.
    """
    manifest = read_manifest(path)
    obtain = f"To obtain the data: {manifest.obtain}"
    found = listing(root, manifest.patterns)
    for name, (size, content) in manifest.files.items():
        file = found.pop(name, None)
        if file is None:
            raise BrewError(f"{root / name} is missing; expected it, as {path} lists it. {obtain}")
        if file.stat().st_size != size:
            raise BrewError(f"{file} has {file.stat().st_size} bytes; expected {size} as in {path}. {obtain}")
        if sha256(file) != content:
            raise BrewError(f"{file} has another content than {path} says; expected the same bytes. {obtain}")
    if found:
        raise BrewError(
            f"{next(iter(found.values()))} is not in {path}; expected the files it lists alone. Move it away"
        )
    return sha256(path)


def listing(root: Path, patterns: Sequence[str]) -> dict[str, Path]:
    """Files below `root` by name, in the order of names, also in linked folders, which `Path.glob` leaves out."""
    names = {name for each in patterns for name in glob(each, root_dir=root, recursive=True, include_hidden=True)}
    return {name: root / name for name in sorted(names) if is_content(name) and (root / name).is_file()}
