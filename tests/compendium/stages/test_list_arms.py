"""A run's file changes with its own arm alone: what pretraining depends on."""

from dataclasses import replace
from pathlib import Path

import pytest

from brew import files
from brew.compendium.settings import load
from brew.compendium.stages import list_arms
from brew.pretraining.arms import ARMS


@pytest.fixture(autouse=True)
def reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "REPORTS", tmp_path)


def written() -> dict[str, str]:
    return {file.stem: file.read_text() for file in list_arms.write("study").glob("*.json")}


def test_every_run_has_a_file_and_repetitions_are_the_same_arm() -> None:
    found = written()
    assert set(found) == set(load("study").arms)
    assert found["deo"] == found["deo-seed4"] != found["ms-only"]
    assert '"imagenet"' in found["deo"], "the scale's teacher stands in its place"


@pytest.mark.parametrize("changes", [{"high_resolution": "none"}, {"distillation": ()}, {"summary": "another"}])
def test_a_changed_arm_changes_its_own_files_alone(changes: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    before = written()
    monkeypatch.setitem(ARMS, "deo", replace(ARMS["deo"], **changes))
    changed = {run for run, text in written().items() if text != before[run]}
    assert changed == {"deo", "deo-seed1", "deo-seed2", "deo-seed3", "deo-seed4"}
