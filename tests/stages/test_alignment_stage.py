"""The alignment stage on a store of a few images and an untrained teacher: what is written, and for whom."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from brew import paths
from brew.downstream.backbones import BandStatistics, StudentBackbone
from brew.errors import BrewError
from brew.models.student import build_student, save_student
from brew.models.teachers import TEACHERS
from brew.paths import Layout
from brew.reporting.style import caption_of
from brew.stages import Stage, alignment, tables
from brew.stages.runs import finished, pretraining_run
from brew.stages.settings import load


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setattr(paths, "REPORTS", tmp_path)
    found = Stage(load("tiny"), Layout("tiny"))
    for name in found.settings.arms:
        found.layout.write(f"pretrain/{name}")
    folder = found.layout.write("pretrain/deo")
    save_student(folder / "student.pt", build_student("swin-nano", seed=1), {"arm": "deo"})
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (24, 3, 64, 64), dtype=np.uint8))
    monkeypatch.setattr(alignment, "_images", lambda stage: (images[:12], images[12:]))
    monkeypatch.setattr(alignment, "entrants", lambda stage: [])
    teacher = TEACHERS["miniature"].build(random=True)
    monkeypatch.setattr(alignment, "ready_teacher", lambda stage: teacher)
    return found


def test_every_student_is_compared_at_every_layer_with_every_token(stage: Stage) -> None:
    table = alignment.compute(stage)
    assert set(table["backbone"]) == {"random", "deo"}, "an arm that left no student has no row"
    assert len(table) == 2 * len(alignment.TOKENS) * 4
    assert (table["cosine low"] <= table["cosine"]).all() and (table["cosine"].abs() <= 1).all()
    figure = alignment.show(stage)
    assert [len(axis.get_lines()) for axis in figure.axes] == [2, 2, 2]
    assert "12 optical test images" in caption_of(stage.layout.read("alignment") / "alignment.png")
    shown = tables.alignment(stage)
    assert shown is not None and shown["measure"].tolist() == ["cka", "cosine"] * 6


def test_an_absent_teacher_is_said_and_not_replaced(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(stage: Stage) -> None:
        raise alignment.TeacherUnavailable("no weights here")

    monkeypatch.setattr(alignment, "ready_teacher", absent)
    assert alignment.compute(stage).empty and tables.alignment(stage) is None
    assert alignment.show(stage).axes[0].texts[0].get_text().startswith("no weights here")


def test_a_scale_without_optical_images_is_refused(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(alignment, "_is_optical", lambda path: False)
    with pytest.raises(BrewError, match="no source of scale 'tiny' has optical images"):
        alignment._images(stage)


def test_a_students_size_is_that_of_its_trunk() -> None:
    student = build_student("swin-nano")
    trunk = sum(each.numel() for each in student.trunk.parameters())
    assert alignment.parameters(StudentBackbone("a", student)) == trunk > 0
    assert alignment.parameters(BandStatistics()) == 0


def test_further_seeds_of_an_arm_are_runs_of_that_arm(stage: Stage) -> None:
    names = ("deo", "deo-seed1", "ms+optical-path-seed12")
    assert [(pretraining_run(name).arm, pretraining_run(name).seed) for name in names] == [
        ("deo", 0), ("deo", 1), ("ms+optical-path", 12),
    ]  # fmt: skip
    assert [run.name for run in finished(stage, "student.pt")] == ["deo"]


def test_sizes_stand_beside_the_alignment(stage: Stage) -> None:
    alignment.compute(stage)
    assert list(pd.read_csv(stage.layout.read("alignment") / "parameters.csv")) == ["backbone", "parameters"]
