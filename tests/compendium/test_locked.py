"""What a lock says that a run left, and which run is the first to have left something else."""

from pathlib import Path

import pytest

from brew.compendium.locked import differences, read_lock
from brew.errors import BrewError

LOCK = """schema: '2.0'
stages:
  site:
    deps: [{path: reports/tiny/stages, md5: a}]
    outs: [{path: reports/tiny/index.html, md5: PAGE}, {path: reports/tiny/tables, md5: TABLES}]
  pretrain@deo:
    deps: [{path: brew/code.py, md5: CODE}]
    outs: [{path: reports/tiny/stages/pretrain/deo, md5: STUDENT}]
  data:
    outs: [{path: data/stores/tiny, md5: s}]
"""


def lock(folder: Path, **hashes: str):
    text = LOCK
    for name in ("PAGE", "TABLES", "CODE", "STUDENT"):
        text = text.replace(name, hashes.get(name, name))
    (folder / "dvc.lock").write_text(text)
    return read_lock(folder / "dvc.lock")


def test_runs_come_in_the_order_of_the_pipeline_and_the_first_that_differs_says_why(tmp_path: Path) -> None:
    one, other = lock(tmp_path), lock(tmp_path, CODE="edited", STUDENT="other", TABLES="other")
    assert list(one) == ["data", "pretrain@deo", "site"]
    assert [each.run for each in differences(one, other)] == ["pretrain@deo", "site"]
    assert str(differences(one, other)[0]) == (
        "pretrain@deo left other reports/tiny/stages/pretrain/deo and depended on other brew/code.py"
    )
    assert "depended on the same files" in str(differences(one, lock(tmp_path, STUDENT="other"))[0])


def test_the_page_which_names_a_commit_and_other_code_with_the_same_bytes_are_no_difference(tmp_path: Path) -> None:
    assert differences(lock(tmp_path), lock(tmp_path, PAGE="other", CODE="a comment")) == []


def test_a_run_of_one_side_alone_is_told(tmp_path: Path) -> None:
    whole = lock(tmp_path)
    part = {name: run for name, run in whole.items() if name != "data"}
    assert str(differences(whole, part)[0]).startswith("data left other outputs: it is expected alone")


def test_an_absent_lock_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BrewError, match=r"does not exist; .* `brew lock SCALE` writes it"):
        read_lock(tmp_path / "dvc.lock")
    (tmp_path / "dvc.lock").write_text("schema: '2.0'\n")
    with pytest.raises(BrewError, match="holds no stages"):
        read_lock(tmp_path / "dvc.lock")
