"""Manifests: equal folders give equal bytes, and every difference is named."""

from pathlib import Path

import pytest

from brew.data.manifest import check_manifest, write_manifest
from brew.data.sources.catalogue import SOURCES
from brew.errors import BrewError

PATTERNS = ("*/*.tif", "list.txt")


@pytest.fixture
def folder(tmp_path) -> Path:
    for name in ("b/2.tif", "a/1.tif", "list.txt", "notes.md"):
        (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / name).write_text(f"content of {name}")
    write_manifest(tmp_path / "m.yaml", tmp_path / "data", PATTERNS, "CC0", "ask: the authors")
    return tmp_path


def test_a_manifest_is_stable_and_leaves_other_files_alone(folder):
    first = (folder / "m.yaml").read_bytes()
    write_manifest(folder / "m.yaml", folder / "data", PATTERNS, "CC0", "ask: the authors")
    assert (folder / "m.yaml").read_bytes() == first
    assert b"notes.md" not in first and first.index(b"a/1.tif") < first.index(b"b/2.tif")
    (folder / "data" / "notes.md").write_text("changed")
    (folder / "data" / "a" / "._1.tif").write_text("left by a file manager")
    assert check_manifest(folder / "m.yaml", folder / "data") == check_manifest(folder / "m.yaml", folder / "data")


def test_differences_are_named(folder):
    def refused(match):
        with pytest.raises(BrewError, match=match):
            check_manifest(folder / "m.yaml", folder / "data")

    (folder / "data" / "c").mkdir()
    (folder / "data" / "c" / "3.tif").write_text("new")
    refused(r"c/3\.tif is not in .*m\.yaml")
    (folder / "data" / "c" / "3.tif").unlink()
    (folder / "data" / "b" / "2.tif").write_text("content of b/9.tif")
    refused(r"b/2\.tif has another content .*ask: the authors")
    (folder / "data" / "b" / "2.tif").write_text("short")
    refused(r"b/2\.tif has 5 bytes; expected 18")
    (folder / "data" / "a" / "1.tif").unlink()
    refused(r"a/1\.tif is missing")


def test_damaged_manifests_and_empty_folders(folder):
    (folder / "m.yaml").write_text("files: [1, 2]")
    with pytest.raises(BrewError, match=r"m\.yaml is no manifest"):
        check_manifest(folder / "m.yaml", folder / "data")
    with pytest.raises(BrewError, match=r"absent\.yaml does not exist"):
        check_manifest(folder / "absent.yaml", folder / "data")
    with pytest.raises(BrewError, match="holds no file like"):
        write_manifest(folder / "m.yaml", folder / "data", ("*.jpg",), "CC0", "ask")


@pytest.mark.parametrize(
    "name", [name for name, source in SOURCES.items() if source.folder and source.manifest.exists()]
)
def test_the_manifests_in_git_are_those_of_the_data(brew_data, monkeypatch, name):
    monkeypatch.setenv("BREW_DATA", str(brew_data))
    root = SOURCES[name].root()
    assert root is not None and len(check_manifest(SOURCES[name].manifest, root)) == 64
