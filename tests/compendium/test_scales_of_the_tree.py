"""Every scale of the tree loads and plans, and the study's worlds and numbers are what its record says."""

import csv
from collections import Counter
from dataclasses import replace
from itertools import combinations
from math import dist
from typing import get_args

import pytest
from matplotlib.colors import to_rgb

from benchmarks.matched import table
from brew.compendium import scales
from brew.compendium.report.crowding import left_to_tables
from brew.compendium.report.paper import SYNTHETIC, paper_benchmarks
from brew.compendium.report.style import colour
from brew.compendium.settings import load
from brew.compendium.stages import Stage, training_feeds
from brew.compendium.stages.arm_plan import plan
from brew.compendium.stages.train_miniature_teacher import TeacherTraining
from brew.compendium.stages.training_feeds import check_labels, usable
from brew.data.store import IMAGES
from brew.errors import BrewError
from brew.evaluation.benchmarks import BENCHMARKS, Task
from brew.evaluation.zoo import BACKBONES
from brew.files import DATA, Layout
from brew.models.teachers import TEACHERS
from brew.models.trunks import TRUNKS
from brew.pretraining.arms import arm
from brew.pretraining.supervised_tasks import scored_too

SCALES = scales.scales()
#: Record 0027: what the study compares over seeds.
CORE = {"ms-only", "ms-only-matched", "ms+optical-path", "deo", "masked+distillation"}


def _arms(scale: str) -> Counter[str]:
    """Arm -> how many times the scale trains it."""
    return Counter(run.partition("-seed")[0] for run in load(scale).arms)


@pytest.mark.parametrize("scale", SCALES)
def test_every_scale_loads_and_plans(scale):
    settings = load(scale)
    present = settings.data.present()
    assert settings.teacher in TEACHERS and settings.pretraining.trunk in TRUNKS
    for feed in settings.pretraining.feeds:
        assert feed.source in present and set(feed.variables) <= set(IMAGES)
    for name in _arms(scale):
        chosen, numbers = plan(Stage(settings, Layout(scale, explore=True)), name)
        assert usable(chosen, numbers.feeds) and set(chosen.teachers) <= {settings.teacher, *settings.other_teachers}


@pytest.mark.parametrize("scale", SCALES)
def test_the_arms_of_a_picture_can_be_told_by_their_colours(scale):
    drawn = sorted({"random", *_arms(scale)} - set(left_to_tables(load(scale))))
    near = [pair for pair in combinations(drawn, 2) if dist(*(to_rgb(colour(arm)) for arm in pair)) < 0.15]
    assert not near


def test_the_paper_s_two_trunks_differ_in_nothing_else_that_is_trained_or_scored():
    swin, vit = load("paper"), load("paper-vit")
    assert (swin.pretraining.trunk, vit.pretraining.trunk) == ("swin-b", "vit-b8")
    assert replace(swin.pretraining, trunk="vit-b8") == vit.pretraining
    assert (swin.data, swin.evaluation, swin.arms, swin.teacher) == (vit.data, vit.evaluation, vit.arms, vit.teacher)


@pytest.mark.parametrize("scale", ["ablation", "paper"])
def test_the_paper_s_scales_score_its_thirteen_by_both_protocols(scale):
    settings = load(scale)
    assert all(settings.data.offers(BENCHMARKS[name]) for name in paper_benchmarks())
    assert settings.evaluation.protocols == ("common", "authors") and settings.evaluation.label_fractions == (1.0, 0.1)
    assert set(settings.backbones) == set(BACKBONES) or scale == "ablation"
    o, fmow = settings.pretraining.optimisation, settings.data.fmow
    (feed,) = settings.pretraining.feeds
    epochs = o.steps * feed.batch / fmow.count
    assert epochs == pytest.approx(50 if scale == "ablation" else 100, rel=1e-3)
    assert o.learning_rate == 5e-4 * feed.batch / 256 and o.warmup * epochs == pytest.approx(10, rel=1e-3)


def _world(scale: str) -> int | None:
    miniature = load(scale).data.miniature
    return miniature.seed if miniature else None


@pytest.mark.parametrize("scale", SCALES)
def test_a_scale_is_synthetic_whose_only_source_is_the_miniature(scale):
    assert (scale in SYNTHETIC) == (set(load(scale).data.present()) == {"miniature"})


def test_the_study_s_world_was_seen_by_nobody_before():
    with (DATA / "frozen-world.csv").open(newline="") as file:
        chosen_on = {int(row["world seed"]) for row in csv.DictReader(file)}
    fresh = ("study", "gpu", "beyond", "misaligned")
    others = {scale: _world(scale) for scale in SCALES if scale not in fresh}
    used = {*others.values(), *chosen_on, TeacherTraining().world_seed}
    assert len({*map(_world, fresh)} - used) == len(fresh)


def test_the_study_beyond_compares_all_its_arms_on_every_benchmark():
    """No benchmark is missing for some of its arms, since a mean over benchmarks needs all of them."""
    for scale in ("beyond", "misaligned"):
        stage = Stage(load(scale), Layout(scale, explore=True))
        scored = [(each.source, each.labels) for task in get_args(Task) for each in stage.benchmarks(task)]
        taught = {entry.task for name in _arms(scale) for entry in plan(stage, name)[0].supervision}
        assert not scored_too(taught, scored), scale


def test_labels_of_an_image_that_another_task_scores_teach_no_arm(monkeypatch):
    """Feeds of scale tiny take the split that is pretrained on; here its store has one image in all splits."""
    stage = Stage(load("tiny"), Layout("tiny", explore=True))
    monkeypatch.setattr(training_feeds, "image_hashes", lambda path, splits: {"same"})
    with pytest.raises(BrewError, match=r"'deo\+labels' learns from labels of 1 images of 'miniature'"):
        check_labels(stage, arm("deo+labels"))
    check_labels(stage, arm("deo"))
    monkeypatch.setattr(training_feeds, "image_hashes", lambda path, splits: {splits})
    check_labels(stage, arm("deo+labels"))


def test_the_study_repeats_its_core_five_times_and_explores_the_rest_once():
    arms = _arms("study")
    assert {name for name, times in arms.items() if times == 5} == CORE
    assert set(arms.values()) == {1, 5}


def test_the_matched_arm_computes_as_much_as_deo():
    study = load("study")
    assert study.changes["ms-only-matched"]["steps"] == table(study)["steps of ms-only"]["deo"]


def test_the_study_has_the_sizes_that_the_record_names():
    miniature, numbers = load("study").data.miniature, load("study").pretraining
    assert miniature is not None and (miniature.pretrain, miniature.train, miniature.test) == (4096, 400, 384)
    assert numbers.optimisation.steps == 450 and load("study").teacher == "imagenet"
    assert load("study").evaluation.samples == {"rgb": (192, 48, 144)}
