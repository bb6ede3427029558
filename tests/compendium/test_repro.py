"""The command that runs a scale: what it hands to DVC, and what it says before DVC starts."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from brew.compendium import repro
from brew.errors import BrewError


@pytest.mark.parametrize(
    "arguments",
    [
        ["--force", "--single-item", "tiny", "data", "arms"],
        ["tiny", "--force", "data", "--single-item", "arms"],
        ["tiny", "data", "arms", "--force", "--single-item"],
    ],
)
def test_options_may_stand_anywhere(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def started(scale: str, stages: Sequence[str], options: Sequence[str]) -> int:
        calls.append((scale, list(stages), list(options)))
        return 0

    monkeypatch.setattr(repro, "sync", list)
    monkeypatch.setattr(repro, "repro", started)
    assert repro.main(arguments) == 0
    assert calls == [("tiny", ["data", "arms"], ["--force", "--single-item"])]


def test_a_checkout_that_cannot_be_written_is_refused_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repro.check_writable(tmp_path)
    monkeypatch.setattr(repro.os, "access", lambda path, mode: False)
    with pytest.raises(BrewError, match=r"cannot be written; expected .* Copy or clone"):
        repro.check_writable(tmp_path)


def test_empty_runs_go_and_kept_ones_stay(tmp_path: Path) -> None:
    (tmp_path / "ab" / "abc").mkdir(parents=True)
    (tmp_path / "ab" / "abd").mkdir()
    (tmp_path / "ab" / "abd" / "run").write_text("kept")
    repro.remove_empty_runs(tmp_path)
    assert list((tmp_path / "ab").iterdir()) == [tmp_path / "ab" / "abd"]
    repro.remove_empty_runs(tmp_path / "absent")
