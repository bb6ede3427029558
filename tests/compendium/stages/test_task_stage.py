"""The task stages on a miniature of a few images: rows, files, and cells that are kept."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brew import files
from brew.compendium.settings import Sources, load
from brew.compendium.stages import (
    Stage,
    build_stores,
    evaluate_change,
    evaluate_classification,
    evaluate_segmentation,
    extract_features,
    task_stage,
)
from brew.compendium.stages.task_stage import ComparedModel
from brew.data.miniature.miniature_store import MiniatureSettings
from brew.errors import BrewError
from brew.evaluation.backbones import Backbone, BandStatistics, random_backbone
from brew.evaluation.scores import Score, read_scores
from brew.evaluation.splits import LABEL_FRACTIONS, split_by_name
from brew.files import Layout
from brew.models.student import build_student

STAGES = {"segmentation": evaluate_segmentation, "change": evaluate_change, "classification": evaluate_classification}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where stores, reports and cells of these tests lie; the store is built once."""
    place = tmp_path_factory.mktemp("scale")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("DATA", "REPORTS", "SCRATCH"):
            patch.setattr(files, name, place / name.lower())
        build_stores.build(_stage())
        yield place


def _stage() -> Stage:
    settings = load("tiny")
    sources = Sources(miniature=MiniatureSettings(pretrain=2, train=20, validation=4, test=4))
    return Stage(replace(settings, data=sources), Layout("tiny"))


@dataclass
class Bands:
    """A backbone as a compared model, which counts how often it is loaded, and may be broken."""

    loaded: int = 0
    broken: bool = False

    def __call__(self) -> Backbone:
        self.loaded += 1
        if self.broken:
            raise RuntimeError("out of memory")
        return BandStatistics()


@pytest.fixture
def stage(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setattr(files, "SCRATCH", tmp_path)
    return _stage()


@pytest.fixture
def compare(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let these backbones compete, by name."""

    def set_up(**loaders: Bands) -> None:
        found = [ComparedModel(name, f"{name}'s weights", loader) for name, loader in loaders.items()]
        for module in (*STAGES.values(), extract_features):
            monkeypatch.setattr(module, "compared_models", lambda *_: found)

    return set_up


def _scores(stage: Stage, task: str) -> list[Score]:
    return read_scores(stage.layout.read(task) / "scores.csv")


@pytest.mark.parametrize("task", sorted(STAGES))
def test_rows_name_what_they_come_from(task: str, stage: Stage, compare: Callable[..., None]) -> None:
    compare(bands=Bands())
    extract_features.compute(stage)
    STAGES[task].evaluate(stage)
    rows = _scores(stage, task)
    assert {row.benchmark for row in rows} == {each.name for each in task_stage.benchmarks_of(stage, task)}
    for row in rows:
        assert len(row.environment) == len(row.data) == len(row.settings) == 12
        assert row.model == {"bands": "bands's weig", "cva": "no training", "fc-siam-diff": "supervised"}[row.arm]
        assert row.n == 4 and 0 <= row.value <= 1
    assert len({row.identity for row in rows}) == len(rows)
    listed = pd.read_csv(stage.layout.read("data") / "sources.csv", dtype=str)
    assert {row.data for row in rows} == {store[:12] for store in listed["store"]}
    shares = LABEL_FRACTIONS if task == "classification" else stage.settings.evaluation.label_fractions
    assert {row.label_fraction for row in rows if row.arm == "bands"} == set(shares)
    for each in task_stage.benchmarks_of(stage, task):
        found = {row.metric for row in rows if row.benchmark == each.name}
        assert found >= set(task_stage.metrics_of(each)) and each.metric in found
        assert ("average_precision_macro" in found) == each.multilabel
    assert len({(row.settings, row.arm) for row in rows}) == len({row.arm for row in rows})


def test_settings_are_named_by_their_numbers(stage: Stage, compare: Callable[..., None]) -> None:
    compare(bands=Bands())
    evaluate_segmentation.evaluate(stage)
    before = {row.settings for row in _scores(stage, "segmentation")}
    evaluation = replace(stage.settings.evaluation, orientations=2)
    changed = replace(stage, settings=replace(stage.settings, evaluation=evaluation))
    evaluate_segmentation.evaluate(changed)
    after = {row.settings for row in _scores(stage, "segmentation")}
    assert len(before) == len(after) == 1 and before != after


def test_a_crashed_cell_leaves_the_others_and_runs_again_alone(stage: Stage, compare: Callable[..., None]) -> None:
    sound, broken = Bands(), Bands(broken=True)
    compare(sound=sound, broken=broken)
    with pytest.raises(BrewError, match=r"4 of 8 computations failed .*broken-0-0.1: RuntimeError: out of memory"):
        evaluate_segmentation.evaluate(stage)
    assert (sound.loaded, broken.loaded) == (2, 4)
    broken.broken = False
    evaluate_segmentation.evaluate(stage)
    assert (sound.loaded, broken.loaded) == (2, 4 + 2), "what was sound ran again, or shares do not share maps"
    assert {row.arm for row in _scores(stage, "segmentation")} == {"sound", "broken"}


def test_a_share_s_training_samples_are_the_data_set_s_own_where_it_names_them(stage: Stage) -> None:
    (benchmark,) = (each for each in task_stage.benchmarks_of(stage, "classification") if not each.multilabel)
    opened = task_stage.open_benchmark(stage, benchmark)
    split = split_by_name(np.where(opened.splits == "pretrain", "test", opened.splits))
    drawn = task_stage.with_labels(opened, split, 0.1, seed=0)
    assert set(opened.labels[drawn.train]) == set(opened.labels[split.train])
    member = np.zeros(len(opened.splits), dtype=bool)
    member[split.train[3:5]] = True
    own = replace(opened, dataset=opened.dataset.assign({"partition_0.10": ("sample", member)}))
    assert task_stage.with_labels(own, split, 0.1, seed=0).train.tolist() == split.train[3:5].tolist()
    assert task_stage.with_labels(own, split, 1.0, seed=0) is split


def test_one_labelled_image_is_refused_before_any_cell_is_computed(stage: Stage, compare: Callable[..., None]) -> None:
    compare(bands=Bands())
    few = replace(
        stage, settings=replace(stage.settings, evaluation=replace(stage.settings.evaluation, label_fractions=(0.05,)))
    )
    for task in (evaluate_segmentation, evaluate_change):
        with pytest.raises(BrewError, match=r"5 % of its \d+ training samples are 1; expected at least 2: raise"):
            list(task._planned(few))


def test_seeds_share_one_backbone_s_maps(stage: Stage, compare: Callable[..., None]) -> None:
    bands = Bands()
    compare(bands=bands)
    evaluation = replace(stage.settings.evaluation, seeds=(0, 1))
    evaluate_segmentation.evaluate(replace(stage, settings=replace(stage.settings, evaluation=evaluation)))
    assert bands.loaded == len(task_stage.benchmarks_of(stage, "segmentation"))
    assert {row.seed for row in _scores(stage, "segmentation")} == {0, 1}


def test_a_supervised_reference_is_trained_where_it_is_listed(stage: Stage, compare: Callable[..., None]) -> None:
    compare()
    listed = replace(stage, settings=replace(stage.settings, backbones=("unet-resnet50",)))
    evaluate_segmentation.evaluate(listed)
    rows = _scores(listed, "segmentation")
    assert {row.arm for row in rows} == {"unet-resnet50"}
    assert {row.benchmark for row in rows} == {each.name for each in task_stage.benchmarks_of(stage, "segmentation")}


@pytest.mark.parametrize("task", ["segmentation", "change"])
def test_fine_tuning_compares_the_students(task: str, stage: Stage, compare: Callable[..., None]) -> None:
    class Student(Bands):
        def __call__(self) -> Backbone:
            super().__call__()
            return random_backbone("student", lambda: build_student("swin-nano"), seed=0)

    compare(bands=Bands(), student=Student())
    scored = {}
    for rate in (0.0, 1e-2):
        settings = getattr(stage.settings.evaluation, task)
        settings = replace(settings, fit=replace(settings.fit, epochs=2, finetune=rate))
        evaluation = replace(stage.settings.evaluation, **{task: settings})
        STAGES[task].evaluate(replace(stage, settings=replace(stage.settings, evaluation=evaluation)))
        scored[rate] = [row for row in _scores(stage, task) if row.arm in ("bands", "student")]
    assert {row.arm for row in scored[0.0]} == {"bands", "student"}
    assert {row.arm for row in scored[1e-2]} == {"student"}
    assert {row.label_fraction for row in scored[1e-2]} == set(stage.settings.evaluation.label_fractions)
    assert not {row.settings for row in scored[0.0]} & {row.settings for row in scored[1e-2]}
