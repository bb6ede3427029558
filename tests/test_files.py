"""Files appear whole or not at all, and a hash depends on content and names alone."""

import hashlib
from pathlib import Path

import pytest

from brew.errors import BrewError
from brew.files import replacing, sha256, write_bytes


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


def test_what_python_writes_beside_its_sources_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_bytes(b"1")
    before = sha256(tmp_path)
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "x.cpython-311.pyc").write_bytes(b"2")
    assert sha256(tmp_path) == before


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "x"
    write_bytes(file, b"old")
    with pytest.raises(RuntimeError, match="interrupted"), replacing(file) as partial:
        partial.write_bytes(b"half")
        raise RuntimeError("interrupted")
    assert file.read_bytes() == b"old" and list(file.parent.iterdir()) == [file]
