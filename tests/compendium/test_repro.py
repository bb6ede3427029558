"""`brew repro` clears what a killed DVC left in DVC's way."""

from pathlib import Path

from brew.compendium.repro import remove_empty_runs


def test_empty_runs_go_and_kept_ones_stay(tmp_path: Path) -> None:
    (tmp_path / "ab" / "abc").mkdir(parents=True)
    (tmp_path / "ab" / "abd").mkdir()
    (tmp_path / "ab" / "abd" / "run").write_text("kept")
    remove_empty_runs(tmp_path)
    assert list((tmp_path / "ab").iterdir()) == [tmp_path / "ab" / "abd"]
    remove_empty_runs(tmp_path / "absent")
