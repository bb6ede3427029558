"""The similarity stage on a store of a few images and an untrained teacher: what is written, and for whom."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from brew import files
from brew.compendium.compared_models import ComparedModel
from brew.compendium.report.style import caption_of, label
from brew.compendium.settings import Sources, load
from brew.compendium.stages import Stage, compare_representations, write_tables
from brew.errors import BrewError
from brew.evaluation.backbones import BandStatistics, StudentBackbone
from brew.evaluation.layer_similarity import MEASURES, TOKENS
from brew.files import Layout
from brew.models.student import build_student
from brew.models.teachers import TEACHERS, OpticalTeacher, TeacherUnavailable


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setattr(files, "REPORTS", tmp_path)
    found = Stage(load("tiny"), Layout("tiny"))
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (24, 3, 64, 64), dtype=np.uint8))
    monkeypatch.setattr(compare_representations, "images", lambda stage: (images[:12], images[12:]))
    students = {name: StudentBackbone(name, build_student("swin-nano", seed=1)) for name in ("random", "deo", "other")}
    compared = [
        ComparedModel("random", "", partial(students.get, "random")),
        ComparedModel("other", "", partial(students.get, "other")),
        *(ComparedModel("deo", "", partial(students.get, "deo"), repetition) for repetition in (0, 1)),
    ]
    monkeypatch.setattr(compare_representations, "compared_models", lambda stage: compared)
    teacher = TEACHERS["miniature"].build(random=True)
    monkeypatch.setattr(compare_representations, "ready_teacher", lambda stage, name: teacher)
    return found


def test_every_student_is_compared_at_every_layer_with_every_token(stage: Stage) -> None:
    table = compare_representations.compute(stage)
    assert list(dict.fromkeys(zip(table["backbone"], table["seed"], strict=True))) == [
        ("random", 0), ("deo", 0), ("deo", 1),
    ]  # fmt: skip
    assert len(table) == 3 * len(TOKENS) * 4
    assert (table["cosine low"] <= table["cosine"]).all() and (table["cosine"].abs() <= 1).all()
    figure = compare_representations.show(stage)
    assert len(figure.axes) == len(MEASURES) * len(TOKENS)
    assert {len(axis.get_lines()) for axis in figure.axes} == {4}, "two arms, and the two seeds of one of them"
    assert "12 optical test images" in caption_of(stage.layout.read("similarity") / "similarity.png")
    shown = write_tables.similarity(stage)
    assert shown is not None and shown.frame["measure"].tolist() == ["cka", "cosine"] * 6
    deo = shown.frame[shown.frame["student"] == label("deo")]
    assert set(deo["seeds"]) == {2} and deo["stride 4"].str.contains("+/- 0.00", regex=False).all(), "the same student"


def test_pairs_are_taken_apart_on_the_same_images_and_seeds(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    assert write_tables.similarity_differences(stage_of(stage, monkeypatch, "deo")) is None, "no masked arm"
    same = stage_of(stage, monkeypatch, "deo", "masked+distillation")
    found = pd.read_csv(same.layout.read("similarity") / "differences.csv")
    assert len(found) == len(TOKENS) * len(MEASURES) * 4 and set(found["seeds"]) == {2}
    assert (found["low"] <= found["difference"]).all() and (found["difference"] <= found["high"]).all()
    first = pd.read_csv(same.layout.read("similarity") / "similarity.csv").set_index(["token", "stride", "backbone"])
    cka = first.groupby(level=[0, 1, 2])["cka"].mean()
    line = found[(found["measure"] == "cka") & (found["token"] == "late")].iloc[0]
    place = ("late", line["stride"])
    assert line["difference"] == pytest.approx(cka[(*place, "deo")] - cka[(*place, "masked+distillation")], abs=1e-5)
    shown = write_tables.similarity_differences(same)
    assert shown is not None and shown.frame["stride 4"].str.contains("; 2 seeds [", regex=False).all()


def stage_of(stage: Stage, monkeypatch: pytest.MonkeyPatch, *arms: str) -> Stage:
    """The stage with two seeds of each arm, every run another untrained student."""
    runs = [(arm, seed) for arm in arms for seed in (0, 1)]
    students = [StudentBackbone(arm, build_student("swin-nano", seed=place)) for place, (arm, _) in enumerate(runs)]
    compared_models = [
        ComparedModel(arm, "", lambda student=student: student, seed)
        for (arm, seed), student in zip(runs, students, strict=True)
    ]
    monkeypatch.setattr(compare_representations, "compared_models", lambda stage: compared_models)
    names = tuple(f"{arm}-seed{seed}" if seed else arm for arm, seed in runs)
    changed = replace(stage, settings=replace(stage.settings, arms=names))
    compare_representations.compute(changed)
    return changed


def test_an_absent_teacher_is_said_and_not_replaced(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(stage: Stage, name: str) -> OpticalTeacher:
        if name in here:
            return TEACHERS[name].build(random=True)
        raise TeacherUnavailable(f"teacher {name!r}: no weights here")

    here: list[str] = []
    monkeypatch.setattr(compare_representations, "ready_teacher", absent)
    both = replace(stage, settings=replace(stage.settings, teacher="miniature", other_teachers=("self-distilled",)))
    assert compare_representations.compute(both).empty and write_tables.similarity(both) is None
    told = compare_representations.show(both).axes[0].texts[0].get_text()
    assert told == "teacher 'miniature': no weights here\nteacher 'self-distilled': no weights here"
    here.append("miniature")
    assert compare_representations.compute(both)["teacher"].unique().tolist() == ["miniature"]
    compare_representations.show(both)
    caption = caption_of(both.layout.read("similarity") / "similarity.png")
    assert caption.endswith("Not compared is teacher 'self-distilled': no weights here.")


def test_several_teachers_stand_side_by_side(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = replace(stage.settings, teacher="miniature", other_teachers=("self-distilled",))
    both = replace(stage, settings=settings)
    monkeypatch.setattr(compare_representations, "ready_teacher", lambda stage, name: TEACHERS[name].build(random=True))
    table = compare_representations.compute(both)
    assert table["teacher"].unique().tolist() == ["miniature", "self-distilled"]
    assert len(compare_representations.show(both).axes) == 2 * len(MEASURES) * len(TOKENS)
    shown = write_tables.similarity(both)
    assert shown is not None and shown.frame["teacher"].nunique() == 2


def test_a_scale_without_optical_images_is_refused(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    without = replace(stage, settings=replace(stage.settings, data=Sources()))
    with pytest.raises(BrewError, match="no source of scale 'tiny' has optical images"):
        compare_representations.images(without)


def test_a_students_size_is_that_of_its_trunk() -> None:
    student = build_student("swin-nano")
    trunk = sum(each.numel() for each in student.trunk.parameters())
    assert compare_representations.parameters(StudentBackbone("a", student)) == trunk > 0
    assert compare_representations.parameters(BandStatistics()) == 0


def test_sizes_stand_beside_the_similarity(stage: Stage) -> None:
    compare_representations.compute(stage)
    table = pd.read_csv(stage.layout.read("similarity") / "parameters.csv")
    assert table["backbone"].tolist() == ["random", "other", "deo"], "repetitions of an arm are of one size"
    assert table["parameters"].nunique() == 1
