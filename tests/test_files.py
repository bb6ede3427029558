"""Files appear whole or not at all, a hash depends on content and names alone, and data lie in one folder."""

import gc
import hashlib
import re
import resource
import subprocess
import sys
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path

import pytest

from brew.errors import BrewError
from brew.files import ROOT, data_root, real_data, replacing, search, sha256, write_bytes
from brew.pretraining import checkpoint


def test_a_file_s_hash_is_what_sha256sum_prints(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"abc")
    assert sha256(file) == hashlib.sha256(b"abc").hexdigest()


def test_a_folder_s_hash_follows_content_and_names(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"1")
    before = sha256(tmp_path)
    (tmp_path / "x").write_bytes(b"2")
    changed = sha256(tmp_path)
    (tmp_path / "x").rename(tmp_path / "y")
    assert len({before, changed, sha256(tmp_path)}) == 3
    with pytest.raises(BrewError, match="does not exist"):
        sha256(tmp_path / "absent")


#: What Python, editors and file managers leave in a folder.
LEFT = (
    "__pycache__/x.cpython-311.pyc", ".ipynb_checkpoints/x-checkpoint.tif", "__MACOSX/._x.tif", "._x.tif", ".DS_Store",
    "Thumbs.db", "desktop.ini", "inner/.nfs000000000123",
)  # fmt: skip


def test_what_programs_leave_is_neither_hashed_nor_found(tmp_path: Path) -> None:
    write_bytes(tmp_path / "x.tif", b"1")
    write_bytes(tmp_path / ".zattrs", b"1")
    before = sha256(tmp_path), search(tmp_path, "*.tif")
    for name in LEFT:
        write_bytes(tmp_path / name, b"2")
    assert (sha256(tmp_path), search(tmp_path, "*.tif")) == before
    assert search(tmp_path, "**/*.tif") == [tmp_path / "x.tif"]
    assert sha256(tmp_path / "x.tif") == sha256(tmp_path / ".zattrs"), "a file that is named counts, whatever its name"


def test_dvc_leaves_out_the_same() -> None:
    patterns = (ROOT / ".dvcignore").read_text().splitlines()
    for name in LEFT:
        assert any(fnmatch(part, each) for part in Path(name).parts for each in patterns), name


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "x"
    write_bytes(file, b"old")
    with pytest.raises(RuntimeError, match="interrupted"), replacing(file) as partial:
        partial.write_bytes(b"half")
        raise RuntimeError("interrupted")
    assert file.read_bytes() == b"old" and list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("write", [write_bytes, lambda file, content: checkpoint.save(file, {"x": content})])
def test_a_full_disk_is_told_with_bytes_needed_and_free_and_leaves_the_old_file(
    write: Callable[[Path, bytes], None], tmp_path: Path
) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(BrewError, match=r"x cannot be written .* room for \d+ bytes, and \d+ bytes are free"):
            write(file, bytes(5000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert file.read_bytes() == b"old" and list(tmp_path.iterdir()) == [file]
    gc.collect()  # Python 3.12.1 crashes here, and 3.13.0 complains, if the error holds a view of a buffer


def test_what_a_killed_writer_left_goes_and_what_another_one_writes_stays(tmp_path: Path) -> None:
    file = tmp_path / "x"
    script = "import os, sys; from brew.files import *\nwith replacing(Path(sys.argv[1])): os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", script, str(file)], check=False)
    assert len(list(tmp_path.glob(".partial-x-*"))) == 1, "the writer was killed on its way"
    with replacing(file) as slow:
        slow.write_bytes(b"slow")
        write_bytes(file, b"fast")
        assert list(tmp_path.glob(".partial-*")) == [slow]
    assert file.read_bytes() == b"slow" and list(tmp_path.iterdir()) == [file]


def test_a_folder_s_hash_is_what_sha256sum_prints_for_its_own_lines(tmp_path: Path) -> None:
    for name in ("b", "a/c", ".zattrs"):
        write_bytes(tmp_path / name, name.encode())
    lines = "find . -type f -printf '%P\\n' | LC_ALL=C sort | xargs sha256sum | sha256sum"
    printed = subprocess.run(["sh", "-c", lines], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert printed.split()[0] == sha256(tmp_path)


@pytest.mark.parametrize("name", ["../some data", "data"])
def test_a_relative_data_folder_is_refused_with_a_name_that_works(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tree").mkdir()
    monkeypatch.chdir(tmp_path / "tree")
    folder = (tmp_path / "tree" / name).resolve()
    (folder / "oscd").mkdir(parents=True)
    monkeypatch.setenv("BREW_DATA", name)
    with pytest.raises(BrewError, match=f"BREW_DATA is '{re.escape(name)}'; expected .* from the root") as refused:
        real_data("oscd", "download it")
    (hint,) = re.findall("Write (.*)", str(refused.value))
    written = subprocess.run(
        ["sh", "-c", f"{hint}; echo $BREW_DATA"], capture_output=True, text=True, check=True
    ).stdout
    monkeypatch.setenv("BREW_DATA", written.strip())
    monkeypatch.chdir(tmp_path)
    assert real_data("oscd", "download it") == folder / "oscd", "whatever the working folder"


def test_the_data_folder_may_be_unset_or_below_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BREW_DATA", raising=False)
    assert data_root() is None
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("BREW_DATA", "~/data")
    assert data_root() == tmp_path / "data"
