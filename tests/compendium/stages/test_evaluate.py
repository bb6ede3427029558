"""The evaluation stages on a miniature of a few images: rows, files, runs that are kept, and pictures."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

from brew import files
from brew.compendium import compared_models, dense_evaluation
from brew.compendium.compared_models import ComparedModel
from brew.compendium.report.pictures import true_colour
from brew.compendium.settings import Sources, load
from brew.compendium.stages import (
    Stage,
    build_stores,
    draw_change,
    draw_segmentation,
    evaluate_change,
    evaluate_classification,
    evaluate_segmentation,
    extract_features,
)
from brew.data.miniature.miniature_store import MiniatureSettings
from brew.errors import BrewError
from brew.evaluation import change_detection, segmentation
from brew.evaluation.backbones import Backbone, BandStatistics, random_backbone
from brew.evaluation.benchmark_metrics import metrics_of
from brew.evaluation.benchmark_stores import open_benchmark
from brew.evaluation.change_detection import ChangeResult, ChangeTask
from brew.evaluation.protocols import AUTHORS, BATCHES, COMMON, IMAGES, SET, Protocol
from brew.evaluation.scores import Score, read_scores
from brew.evaluation.segmentation import SegmentationResult, SegmentationTask
from brew.evaluation.splits import LABEL_FRACTIONS
from brew.files import Layout
from brew.models.student import build_student

STAGES = {"segmentation": evaluate_segmentation, "change": evaluate_change, "classification": evaluate_classification}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where stores, reports and results of these tests lie; the store is built once."""
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
        for module in (compared_models, extract_features):
            monkeypatch.setattr(module, "compared_models", lambda *_: found)
        for module in (dense_evaluation, evaluate_classification):
            monkeypatch.setattr(module, "scored_models", lambda *_: found)

    return set_up


def _scores(stage: Stage, task: str) -> list[Score]:
    return read_scores(stage.layout.read(task) / "scores.csv")


@pytest.mark.parametrize("task", sorted(STAGES))
def test_rows_name_what_they_come_from(task: str, stage: Stage, compare: Callable[..., None]) -> None:
    compare(bands=Bands())
    extract_features.compute(stage)
    STAGES[task].evaluate(stage)
    rows = _scores(stage, task)
    assert {row.benchmark for row in rows} == {each.name for each in stage.benchmarks(task)}
    for row in rows:
        assert len(row.environment) == len(row.data) == len(row.settings) == 12
        assert row.model == {"bands": "bands's weig", "cva": "no training", "fc-siam-diff": "supervised"}[row.arm]
        assert row.n == 4 and 0 <= row.value <= 1
    assert len({row.identity for row in rows}) == len(rows)
    listed = pd.read_csv(stage.layout.read("data") / "sources.csv", dtype=str)
    assert {row.data for row in rows} == {store[:12] for store in listed["store"]}
    fractions = LABEL_FRACTIONS if task == "classification" else stage.settings.evaluation.label_fractions
    assert {row.label_fraction for row in rows if row.arm == "bands"} == set(fractions)
    for each in stage.benchmarks(task):
        found = {row.metric for row in rows if row.benchmark == each.name}
        assert found >= set(metrics_of(each)) and each.metric in found
        assert ("average_precision_macro" in found) == each.multilabel
    assert len({(row.settings, row.arm) for row in rows}) == len({row.arm for row in rows})


def test_what_validation_could_not_choose_is_kept(
    stage: Stage, compare: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def segmented(maps: object, task: SegmentationTask, *_: object) -> SegmentationResult:
        counts = np.ones((len(task.split.test), len(task.classes), len(task.classes)), int)
        return SegmentationResult(task.split.test, counts, np.zeros((0, 1, 1), np.uint8), 0.25)

    def changed(maps: object, task: ChangeTask, *_: object) -> ChangeResult:
        scenes = tuple(scene.name for scene in task.scenes(task.split.test))
        shown = {name: np.zeros((1, 1), np.float32) for name in scenes}
        return ChangeResult(scenes, np.ones((len(scenes), 2, 2), int), shown, undecided=("learning rate", "threshold"))

    compare(bands=Bands())
    monkeypatch.setattr(segmentation, "evaluate", segmented)
    monkeypatch.setattr(change_detection, "evaluate_decoder", changed)
    evaluation = replace(stage.settings.evaluation, siamese_networks=0)
    quick = replace(stage, settings=replace(stage.settings, evaluation=evaluation))
    for task, column, value in (
        ("segmentation", "validation", 0.25),
        ("change", "undecided", "learning rate, threshold"),
    ):
        STAGES[task].evaluate(quick)
        chosen = STAGES[task].choices(quick)
        listed = {(row.benchmark, row.arm, row.seed, row.decoder, row.label_fraction) for row in _scores(quick, task)}
        rows = chosen[["benchmark", "backbone", "seed", "decoder", "label_fraction"]].itertuples(index=False, name=None)
        assert set(rows) == listed
        assert set(zip(chosen["backbone"], chosen[column], strict=True)) - {("cva", "")} == {("bands", value)}


def test_settings_are_named_by_their_numbers(stage: Stage, compare: Callable[..., None]) -> None:
    compare(bands=Bands())
    evaluate_segmentation.evaluate(stage)
    before = {row.settings for row in _scores(stage, "segmentation")}
    evaluation = replace(stage.settings.evaluation, orientations=2)
    changed = replace(stage, settings=replace(stage.settings, evaluation=evaluation))
    evaluate_segmentation.evaluate(changed)
    after = {row.settings for row in _scores(stage, "segmentation")}
    assert len(before) == len(after) == 1 and before != after


def test_a_crashed_run_leaves_the_others_and_runs_again_alone(stage: Stage, compare: Callable[..., None]) -> None:
    sound, broken = Bands(), Bands(broken=True)
    compare(sound=sound, broken=broken)
    with pytest.raises(BrewError, match=r"4 of 8 computations failed .*broken-0-0.1: RuntimeError: out of memory"):
        evaluate_segmentation.evaluate(stage)
    assert (sound.loaded, broken.loaded) == (2, 4)
    broken.broken = False
    evaluate_segmentation.evaluate(stage)
    assert (sound.loaded, broken.loaded) == (2, 4 + 2), "what was sound ran again, or label fractions do not share maps"
    assert {row.arm for row in _scores(stage, "segmentation")} == {"sound", "broken"}


def test_one_labelled_image_is_refused_before_anything_is_computed(stage: Stage, compare: Callable[..., None]) -> None:
    compare(bands=Bands())
    few = replace(
        stage, settings=replace(stage.settings, evaluation=replace(stage.settings.evaluation, label_fractions=(0.05,)))
    )
    for task in (evaluate_segmentation, evaluate_change):
        with pytest.raises(BrewError, match=r"5 % of its \d+ training samples are 1; expected at least 2: raise"):
            list(task.planned(few))


def test_decoders_share_one_backbone_s_maps(stage: Stage, compare: Callable[..., None]) -> None:
    bands = Bands()
    compare(bands=bands)
    evaluation = replace(stage.settings.evaluation, decoders=2)
    evaluate_segmentation.evaluate(replace(stage, settings=replace(stage.settings, evaluation=evaluation)))
    assert bands.loaded == len(stage.benchmarks("segmentation"))
    rows = [row for row in _scores(stage, "segmentation") if row.metric == "iou_macro"]
    found = {(row.seed, row.decoder, row.label_fraction): row.value for row in rows if row.benchmark == "roofs"}
    assert found.keys() == {(0, 0, 1.0), (0, 1, 1.0), (0, 0, 0.1)}, "from a share of the labels one is trained"
    assert found[0, 0, 1.0] != found[0, 1, 1.0]


def test_a_supervised_reference_is_trained_where_it_is_listed(stage: Stage, compare: Callable[..., None]) -> None:
    compare()
    listed = replace(stage, settings=replace(stage.settings, backbones=("unet-resnet50",)))
    evaluate_segmentation.evaluate(listed)
    rows = _scores(listed, "segmentation")
    assert {row.arm for row in rows} == {"unet-resnet50"}
    assert {row.benchmark for row in rows} == {each.name for each in stage.benchmarks("segmentation")}


def test_pictures_show_the_images_and_the_dates_in_their_order(stage: Stage, compare: Callable[..., None]) -> None:
    compare(random=Bands())
    evaluate_change.evaluate(stage)
    evaluate_segmentation.evaluate(stage)
    for benchmark, figure in zip(stage.benchmarks("change"), draw_change.all_maps(stage), strict=True):
        opened = open_benchmark(benchmark, stage.layout.store(benchmark.source))
        for first in figure.axes[:: len(figure.axes) // 2]:
            row = figure.axes[figure.axes.index(first) :]
            (pair,) = opened.images.read(np.array([int(first.get_ylabel())]))
            for axis, date, title in zip(row, pair, ("date 1", "date 2"), strict=False):
                assert axis.get_title() == title
                np.testing.assert_array_equal(_shown(axis), true_colour(date, benchmark.sensor))
            np.testing.assert_array_equal(_shown(row[2]), opened.labels[int(first.get_ylabel())] > 0)
    for benchmark, figure in zip(stage.benchmarks("segmentation"), draw_segmentation.all_maps(stage), strict=True):
        opened = open_benchmark(benchmark, stage.layout.store(benchmark.source))
        tested = opened.split().test
        dates = [true_colour(pair[0], benchmark.sensor) for pair in opened.images.read(tested)]
        for image, label in zip(figure.axes[::3], figure.axes[1::3], strict=True):
            (sample,) = (place for place, date in enumerate(dates) if np.array_equal(date, _shown(image)))
            truth = opened.labels[tested[sample]]
            np.testing.assert_array_equal(_shown(label)[truth != benchmark.ignore], truth[truth != benchmark.ignore])
    plt.close("all")


def _shown(axis: Axes) -> np.ndarray:
    (image,) = axis.get_images()
    return image.get_array()


class Student(Bands):
    def __call__(self) -> Backbone:
        super().__call__()
        return random_backbone("student", lambda: build_student("swin-nano"), seed=0)


#: How somebody might have run the miniature's benchmarks, in one short epoch.
THEIRS = Protocol(32, "one-hot-cross-entropy", 1e-3, epochs=1, batch=8, warmup=0, width=8)


@pytest.mark.parametrize("task", sorted(STAGES))
def test_a_protocol_of_the_authors_is_run_beside_brew_s_own(
    task: str, stage: Stage, compare: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    protocol = replace(THEIRS, statistics="backbone") if task == "change" else THEIRS
    first = {name: replace(stage.benchmarks(name)[0], protocol=protocol) for name in STAGES}
    monkeypatch.setattr(Stage, "benchmarks", lambda self, task: [first[task]])
    compare(bands=Bands(), student=Student())
    evaluation = replace(
        stage.settings.evaluation, label_fractions=(1.0,), siamese_networks=0,
        protocols=(COMMON, AUTHORS, "authors-c931665"),
    )  # fmt: skip
    both = replace(stage, settings=replace(stage.settings, evaluation=evaluation))
    extract_features.compute(stage)
    STAGES[task].evaluate(both)
    rows = [row for row in _scores(both, task) if row.label_fraction == 1 and row.arm in ("bands", "student")]
    by = {protocol: {row.arm for row in rows if row.protocol == protocol} for protocol in evaluation.protocols}
    assert by == {COMMON: {"bands", "student"}, AUTHORS: {"bands", "student"}, "authors-c931665": {"student"}}
    assert len({row.settings for row in rows if row.arm == "student"}) == 3
    averaged = {(row.protocol, row.reading, row.metric.removesuffix("_knn")) for row in rows if row.reading != SET}
    assert averaged == {(protocol, reading, first[task].metric) for protocol in by for reading in (IMAGES, BATCHES)}
    kept = both.layout.read(task) / "counts"
    assert any("-by-authors-c931665" in file.name for file in kept.iterdir())


@pytest.mark.parametrize("task", ["segmentation", "change"])
def test_fine_tuning_compares_the_students(task: str, stage: Stage, compare: Callable[..., None]) -> None:
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
