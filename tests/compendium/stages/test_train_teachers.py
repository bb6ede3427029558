"""A teacher that a scale trains itself: from its training images alone, and then a teacher like any other."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from brew import files
from brew.compendium import scale_teachers
from brew.compendium.settings import load
from brew.compendium.stages import Stage, prepare_teachers, train_teachers
from brew.data.store import Variable, write_store
from brew.errors import BrewError
from brew.files import Layout
from brew.pretraining.optimisation import Optimisation

SPLITS = ["train"] * 24 + ["validation"] * 4 + ["test"] * 4


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setattr(files, "REPORTS", tmp_path / "reports")
    monkeypatch.setattr(files, "DATA", tmp_path / "data")
    monkeypatch.setattr(files, "SCRATCH", tmp_path / "scratch")
    numbers = Optimisation(steps=2, learning_rate=1e-3, hidden=32, width=32, checkpoint_every_s=0.0)
    settings = replace(load("tiny"), teacher="self-distilled", other_teachers=("miniature",))
    learned = replace(settings.optical_teacher.learned, batch=12, optimisation=numbers)
    settings = replace(settings, optical_teacher=replace(settings.optical_teacher, learned=learned))
    return Stage(settings, Layout("tiny"))


def fill(stage: Stage, name: str, side: int, splits: list[str] = SPLITS) -> None:
    dims = ("sample", "time", "optical_band", "optical_y", "optical_x")
    images = np.random.default_rng(side).integers(0, 256, (len(splits), 1, 3, side, side), dtype=np.uint8)
    variables = {"optical": Variable(dims, (1, 3, side, side), "uint8"), "split": Variable(("sample",), (), "text")}
    path = stage.layout.store(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_store(path, len(splits), variables, [{"optical": images, "split": np.array(splits)}], {"source": name})


def test_it_learns_from_every_source_s_training_images_and_teaches(stage: Stage) -> None:
    fill(stage, "miniature", 64)
    fill(stage, "hot_buildings", 128)
    (row,) = train_teachers.learn(stage).to_dict("records")
    assert (row["images of miniature"], row["images of hot_buildings"]) == (24, 24)
    shares = {feed.name: feed.batch_size for feed in train_teachers.feeds_of(stage, torch.device("cpu"))}
    assert shares == {"miniature": 2, "hot_buildings": 10}, "like their pixels, one to four"
    told = prepare_teachers.prepare(stage)
    assert list(told) == ["self-distilled", "miniature"] and (told.loc["state"] == "ready").all()
    teacher = scale_teachers.ready_teacher(stage)
    assert teacher.name == "self-distilled"
    assert teacher(torch.rand(2, 3, 48, 48)).late.shape == (2, 128, 6, 6)
    assert scale_teachers.ready_teacher(stage, "miniature").name == "miniature"


def test_without_optical_training_images_it_is_refused(stage: Stage) -> None:
    fill(stage, "hot_buildings", 64, ["test"] * 8)
    with pytest.raises(BrewError, match="there are none; expected one of miniature, rsscn7, hot_buildings"):
        train_teachers.learn(stage)


def test_a_scale_that_lists_none_trains_none(stage: Stage) -> None:
    assert train_teachers.learn(replace(stage, settings=replace(stage.settings, teacher="imagenet"))).empty


def test_an_arm_s_own_teacher_has_to_be_listed(stage: Stage) -> None:
    with pytest.raises(BrewError, match=r"'imagenet' is not one of scale 'tiny' .self-distilled, miniature."):
        scale_teachers.ready_teacher(stage, "imagenet")
    unknown = replace(stage, settings=replace(stage.settings, other_teachers=("imagenets",)))
    with pytest.raises(BrewError, match="did you mean 'imagenet'"):
        scale_teachers.teachers_of(unknown)
