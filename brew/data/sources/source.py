"""What a source is: where a store's images and labels come from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from brew import files
from brew.data.fetch import Remote
from brew.data.manifest import check_manifest
from brew.errors import BrewError


@dataclass(frozen=True)
class Wanted:
    """Which part of a source is to be fetched. splits, categories: as the source names them, all if empty. count: of
    samples, all if 0."""

    splits: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    count: int = 0


@dataclass(frozen=True)
class Source:
    """One source.

    build: (root, store, settings); root is None for a source without a folder of its own. folder: below ``$BREW_DATA``.
    patterns: of the files that are read there. obtain: one line for whoever does not have them. remotes: what
    `make data` fetches into the folder. listed: what else the fetched files name. sizes: bytes of what is published, by
    what it is. part: fetches a part of a source that is too large for most. check: (manifest, root) to what
    identifies the files, once they were found to be the source's.
    """

    name: str
    summary: str
    licence: str
    build: Callable[[Path | None, Path, Any], None]
    folder: str | None = None
    patterns: tuple[str, ...] = ()
    obtain: str = ""
    remotes: Callable[[], tuple[Remote, ...]] = lambda: ()
    listed: Callable[[Path], tuple[Remote, ...]] = lambda _: ()
    sizes: Mapping[str, int] = field(default_factory=dict)
    part: Callable[[Path, Wanted], None] | None = None
    check: Callable[[Path, Path], str] = check_manifest

    @property
    def manifest(self) -> Path:
        """The list of the source's files, in git."""
        return files.DATA / "manifests" / f"{self.name}.yaml"

    def root(self) -> Path | None:
        """Where the source's files lie, None without a folder; BrewError says how to obtain absent ones."""
        return None if self.folder is None else files.real_data(self.folder, self.obtain)


def from_folder(build: Callable[[Path, Path], None]) -> Callable[[Path | None, Path, Any], None]:
    """The builder of a real source that has no settings."""
    return from_folder_with_settings(lambda root, path, _: build(root, path))


def from_folder_with_settings(build: Callable[[Path, Path, Any], None]) -> Callable[[Path | None, Path, Any], None]:
    """The builder of a real source, from `build` (root, store, settings)."""

    def built(root: Path | None, path: Path, settings: Any) -> None:
        if root is None:
            raise BrewError("a real source has no folder of files; expected one. Set `folder` in its entry of SOURCES")
        build(root, path, settings)

    return built


def without_folder(build: Callable[[Path, Any], None]) -> Callable[[Path | None, Path, Any], None]:
    """The builder of a source whose settings say all that it needs, from `build` (store, settings)."""
    return lambda _, path, settings: build(path, settings)
