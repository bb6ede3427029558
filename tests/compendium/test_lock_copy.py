"""A scale's lock is never lost: a copy of it from before each stage, put back if the lock was cut short."""

from pathlib import Path

import pytest

from brew.compendium.lock_copy import copy_of, keep_before_stage, keep_or_restore
from brew.errors import BrewError
from brew.files import ROOT


def test_a_lock_that_is_cut_short_is_restored(tmp_path: Path) -> None:
    lock = tmp_path / "dvc.lock"
    kept = copy_of(lock, tmp_path)
    keep_or_restore(lock, tmp_path)
    assert not kept.exists()
    whole = (ROOT / "scales" / "tiny" / "dvc.lock").read_text()
    lock.write_text(whole)
    keep_or_restore(lock, tmp_path)
    assert kept.read_text() == whole
    for end in ("nfiles:", "- path:", "    md5"):
        lock.write_text(whole[: whole.index(end, len(whole) // 2) + len(end)])
        keep_or_restore(lock, tmp_path)
        assert lock.read_text() == whole
    kept.unlink()
    lock.write_text(whole[: whole.index("nfiles:") + len("nfiles:")])
    with pytest.raises(BrewError, match=r"dvc.lock is cut short; .* Run `git checkout"):
        keep_or_restore(lock, tmp_path)


@pytest.mark.parametrize("stage", ["scales/tiny/dvc.yaml:data", "data"])
def test_a_stage_keeps_the_lock_that_it_finds(stage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = tmp_path / "scales" / "tiny" / "dvc.lock" if ":" in stage else tmp_path / "dvc.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    for name, value in {"DVC_STAGE": stage, "DVC_ROOT": str(tmp_path), "BREW_DVC": "1"}.items():
        monkeypatch.setenv(name, value)
    keep_before_stage()
    assert not copy_of(lock, tmp_path).exists()
    lock.write_text("written")
    keep_before_stage()
    assert copy_of(lock, tmp_path).read_text() == "written"
    monkeypatch.delenv("BREW_DVC")
    lock.write_text("of a run that DVC itself was asked for")
    keep_before_stage()
    assert copy_of(lock, tmp_path).read_text() == "written"
