"""Which backbones a scale compares."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from brew import files
from brew.compendium import compared_models as module
from brew.compendium.compared_models import compared_models, distinct, scored_models
from brew.compendium.settings import load
from brew.compendium.stage import Stage
from brew.errors import BrewError
from brew.evaluation.benchmarks import BENCHMARKS
from brew.evaluation.zoo.weights import TorchgeoFile
from brew.files import Layout
from brew.models.student import build_student, save_student
from brew.models.teachers import TeacherUnavailable
from brew.sensors import PATHS


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A scale whose arms were all trained to nothing and whose teacher is absent."""

    def absent(_: Stage) -> None:
        raise TeacherUnavailable("absent")

    monkeypatch.setattr(files, "REPORTS", tmp_path)
    monkeypatch.setattr(module, "ready_teacher", absent)
    settings = load("tiny")
    for arm in settings.arms:
        (tmp_path / "tiny" / "stages" / "pretrain" / arm).mkdir(parents=True)
    return Stage(settings, Layout("tiny"))


def _names(stage: Stage, sensor: str | None = None, **changes: object) -> list[str]:
    changed = Stage(replace(stage.settings, **changes), stage.layout)
    return [model.name for model in compared_models(changed, sensor)]


def test_listed_backbones_are_compared_after_everything_of_ours(stage: Stage) -> None:
    assert _names(stage) == ["random", "band-statistics", "imagenet"]
    assert _names(stage, backbones=()) == ["random"]


def test_a_teacher_stands_once(stage: Stage) -> None:
    assert _names(stage, teacher="imagenet") == ["random", "band-statistics"]


def test_an_unknown_backbone_is_refused(stage: Stage) -> None:
    with pytest.raises(BrewError, match="imagenet"):
        _names(stage, backbones=("imagenets",))


def test_what_cannot_run_is_left_out(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _names(stage, backbones=("croma", "unet-resnet50")) == ["random"]
    monkeypatch.setattr(TorchgeoFile, "file", lambda _: Path(__file__))
    assert _names(stage, backbones=("croma", "dofa", "satlas")) == ["random", "croma", "dofa", "satlas"]
    assert _names(stage, "sentinel2", backbones=("croma", "dofa", "satlas")) == ["random", "dofa", "satlas"]
    assert _names(stage, "rgb", backbones=("croma", "dofa", "satlas")) == ["random", "dofa"]


def test_a_repeated_arm_stands_once_per_seed_and_no_two_of_its_students_share_a_decoder_s_seed(stage: Stage) -> None:
    runs = ("ms-only", "deo", "deo-seed1")
    for run in runs:
        student = files.REPORTS / "tiny" / "stages" / "pretrain" / run / "student.pt"
        student.parent.mkdir(exist_ok=True)
        student.write_text(run)
    found = compared_models(Stage(replace(stage.settings, arms=runs, backbones=()), stage.layout))
    assert [(each.name, each.seed) for each in found] == [("random", 0), ("ms-only", 0), ("deo", 0), ("deo", 1)]
    seeds = [[each.decoder_seed(decoder) for decoder in range(3)] for each in found]
    assert seeds[0] == seeds[1] == seeds[2] and not set(seeds[2]) & set(seeds[3])
    assert len({each.identity for each in found}) == len(found)
    assert [(each.name, each.repetition) for each in distinct(found)] == [
        ("random", None), ("ms-only", None), ("deo", 0),
    ]  # fmt: skip


def test_a_student_is_not_scored_on_labels_that_taught_it(stage: Stage) -> None:
    runs = ("deo", "deo+aerial-scenes", "deo+aerial-buildings", "deo+labels")
    for run in runs:
        student = files.REPORTS / "tiny" / "stages" / "pretrain" / run / "student.pt"
        student.parent.mkdir(parents=True, exist_ok=True)
        student.write_text(run)
    changed = Stage(replace(stage.settings, arms=runs, backbones=()), stage.layout)

    def left_out(benchmark: str) -> set[str]:
        return {*runs} - {model.name for model in scored_models(changed, BENCHMARKS[benchmark])}

    assert left_out("rsscn7") == {"deo+aerial-scenes"}
    assert left_out("hot-buildings") == {"deo+aerial-buildings"}
    assert left_out("scenes") == {"deo+labels"}
    assert left_out("oscd") == left_out("roofs") == set()


def test_radar_is_read_by_a_stem_of_its_own(stage: Stage) -> None:
    folder = stage.layout.read("pretrain/deo")
    save_student(folder / "student.pt", build_student("swin-nano"))
    assert _names(stage, "sentinel1") == ["random"]
    save_student(folder / "student.pt", build_student("swin-nano", tuple(PATHS)))
    assert _names(stage, "sentinel1") == ["random", "deo"]


def test_a_further_stem_changes_no_weight_of_the_random_trunk() -> None:
    both, more = (build_student("swin-nano", paths, seed=0).state_dict() for paths in (None, tuple(PATHS)))
    assert all(torch.equal(both[name], more[name]) for name in both)
