"""Reruns for noise: each from other rounding, each kept once complete, one that was interrupted gone on with."""

from dataclasses import replace
from pathlib import Path

import pytest

from brew.compendium import noise, regeneration
from brew.errors import BrewError
from brew.evaluation.scores import Score, write_scores

_SCORE = Score(
    "roofs", "segmentation", "deo", 0, 1.0, "iou_macro", "all", 0.5, 0.4, 0.6, "sample", 10, "x", "m", "d", "e"
)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is done to clones, whose runs leave a score that their noise moves; the second run is interrupted once."""
    done: list[str] = []

    def run(scale: str, folder: Path, stages: tuple[str, ...]) -> None:
        done.append(f"run {folder.name}")
        if done.count("run 2") == 1 and folder.name == "2":
            raise KeyboardInterrupt
        for place, task in enumerate(stages):
            file = folder / "reports" / scale / "stages" / task / "scores.csv"
            write_scores(file, [replace(_SCORE, task=task, benchmark=task, value=0.1 * place + int(folder.name) / 100)])

    monkeypatch.setattr(regeneration, "check_committed", lambda: None)
    monkeypatch.setattr(regeneration, "clone", lambda folder: (folder.mkdir(), done.append(f"clone {folder.name}")))
    monkeypatch.setattr(regeneration, "share_cache", lambda folder: None)
    monkeypatch.setattr(regeneration, "nudge", lambda folder, number: done.append(f"nudge {folder.name} by {number}"))
    monkeypatch.setattr(regeneration, "run", run)
    return done


def test_an_interrupted_measurement_goes_on_and_gives_the_whole_table(
    calls: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(noise, "SCRATCH", tmp_path)
    monkeypatch.setattr(noise, "file", lambda scale: noise.ROOT / "scratch" / "unwritten.csv")
    monkeypatch.setattr(noise, "write", lambda path, reruns: tables.append(reruns))
    tables: list[noise.Reruns] = []
    with pytest.raises(KeyboardInterrupt):
        noise.main(["tiny"])
    assert calls == ["clone 1", "nudge 1 by 1", "run 1", "clone 2", "nudge 2 by 2", "run 2"]
    calls[:] = ["run 2"]
    assert noise.main(["tiny"]) == 0
    assert calls[:2] == ["run 2", "run 2"] and "clone 2" not in calls and "run 1" not in calls and "run 5" in calls
    (table,) = tables
    assert len(table) == 3 and all(len(values) == 5 for values in table.values())
    assert table[replace(_SCORE, task="change", benchmark="change").identity] == (0.11, 0.12, 0.13, 0.14, 0.15)


def test_fewer_than_five_reruns_are_refused() -> None:
    with pytest.raises(BrewError, match="--reruns is 2; expected 5 or more"):
        noise.main(["tiny", "--reruns", "2"])


def test_a_clone_is_nudged_by_its_parameters(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(regeneration, "sync", lambda root: [])
    file = tmp_path / "params.yaml"
    file.write_text((noise.ROOT / "params.yaml").read_text())
    regeneration.nudge(tmp_path, 3)
    assert "nudge: 3\n" in file.read_text()
    with pytest.raises(BrewError, match="says nothing of 'nudge: 0'"):
        regeneration.nudge(tmp_path, 4)
