"""Which backbones a scale compares."""

from dataclasses import replace
from pathlib import Path

import pytest

from brew import paths
from brew.errors import BrewError
from brew.models.teachers import TeacherUnavailable
from brew.paths import Layout
from brew.stages import Stage, evaluation
from brew.stages.settings import load


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A scale whose arms were all trained to nothing and whose teacher is absent."""

    def absent(_: Stage) -> None:
        raise TeacherUnavailable("absent")

    monkeypatch.setattr(paths, "REPORTS", tmp_path)
    monkeypatch.setattr(evaluation, "ready_teacher", absent)
    settings = load("tiny")
    for arm in settings.arms:
        (tmp_path / "tiny" / "stages" / "pretrain" / arm).mkdir(parents=True)
    return Stage(settings, Layout("tiny"))


def _names(stage: Stage, **changes: object) -> list[str]:
    changed = Stage(replace(stage.settings, **changes), stage.layout)
    return [entrant.name for entrant in evaluation.entrants(changed)]


def test_listed_backbones_are_compared_after_everything_of_ours(stage: Stage) -> None:
    assert _names(stage) == ["random", "band-statistics", "imagenet"]
    assert _names(stage, backbones=()) == ["random"]


def test_a_teacher_stands_once(stage: Stage) -> None:
    assert _names(stage, teacher="imagenet") == ["random", "band-statistics"]


def test_an_unknown_backbone_is_refused(stage: Stage) -> None:
    with pytest.raises(BrewError, match="imagenet"):
        _names(stage, backbones=("imagenets",))
