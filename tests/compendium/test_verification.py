"""`make verify` names every score that differs, and nothing else."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from brew.compendium import verification
from brew.compendium.verification import Tolerances, differences
from brew.errors import BrewError
from brew.evaluation.scores import Score

_SCORE = Score(
    "roofs", "segmentation", "deo", 0, 1.0, "iou_macro", "all", 0.5, 0.4, 0.6, "sample", 10, "x", "m", "d", "e"
)


def test_equal_scores_agree():
    assert differences([_SCORE], [_SCORE], Tolerances()) == []


@pytest.mark.parametrize(("arm", "off", "named"), [("deo", 0.02, False), ("deo", 0.04, True), ("cva", 0.001, True)])
def test_a_score_beyond_its_tolerance_is_named(arm, off, named):
    committed = replace(_SCORE, arm=arm)
    found = differences([committed], [replace(committed, value=0.5 + off)], Tolerances())
    assert bool(found) == named
    assert all(arm in line and "committed 0.5000" in line for line in found)


def test_a_score_on_one_side_alone_is_named():
    assert differences([_SCORE], [], Tolerances()) == ["roofs segmentation deo 0 1.0 iou_macro all: only committed"]


def test_a_score_that_became_nan_is_named():
    assert len(differences([_SCORE], [replace(_SCORE, value=float("nan"))], Tolerances())) == 1


def test_the_committed_tree_runs_in_a_clone_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree, clone, runs = tmp_path / "my tree", tmp_path / "my clone", []
    tree.mkdir()
    monkeypatch.setattr(verification, "ROOT", tree)
    monkeypatch.setattr(verification, "repro", lambda scale, options, root: runs.append((scale, root)))
    with pytest.raises(BrewError, match=r"my tree cannot be cloned .* expected the program git, a checkout of git"):
        verification.regenerate("tiny", clone)
    for command in ("init --quiet", "-c user.name=x -c user.email=x commit --quiet --allow-empty -m x"):
        subprocess.run(["git", *command.split()], cwd=tree, check=True)
    assert verification.regenerate("tiny", clone) == clone / "reports" / "tiny" / "scores"
    assert runs == [("tiny", clone)] and not any(path.is_symlink() for path in clone.rglob("*"))
