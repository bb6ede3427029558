"""A plan counts what a step computes, what is asked for, and which claims could be decided."""

import json
from dataclasses import replace

import pytest

from benchmarks.matched import image_flops
from brew.command import main
from brew.compendium.plan import operations, scale_plan
from brew.compendium.plan.decided import decisions
from brew.compendium.plan.holdings import Holding
from brew.compendium.plan.plan_page import page
from brew.compendium.plan.rate import Rate, measure
from brew.compendium.plan.runs import Scoring, Training, runs_of_model, scorings, trainings
from brew.compendium.plan.stage_costs import costs
from brew.compendium.report.claims import read_claims
from brew.compendium.settings import Sources, load
from brew.compendium.stage import Stage
from brew.files import Layout
from brew.pretraining.arms import arm
from brew.views import ViewSettings

VIEWS = ViewSettings(global_size=32, local_size=16, locals=2, blur_kernel=5)


@pytest.mark.parametrize("name", ["ms-only", "deo", "masked+distillation"])
def test_a_step_costs_about_what_all_of_its_products_do(name: str) -> None:
    settings = load("tiny")
    counted = operations.of_arm(arm(name).with_teacher(settings.teacher), settings.pretraining.trunk,
                                settings.pretraining.views)  # fmt: skip
    # Heads and losses are left out; the first layer needs no gradient of the images, which is counted all the same.
    assert counted.total == pytest.approx(image_flops(settings, name), rel=0.15)


def test_a_second_stem_and_a_teacher_cost_what_they_compute() -> None:
    alone, both = (
        operations.of_arm(arm(name).with_teacher("miniature"), "swin-nano", VIEWS) for name in ("ms-only", "deo")
    )
    assert alone.teachers == 0 < both.teachers
    assert alone.moving_average == both.moving_average
    assert both.student > 1.9 * alone.student
    optical = operations.of_arm(arm("deo").with_teacher("miniature"), "swin-nano", VIEWS, {"optical"})
    assert optical.moving_average == 0 and optical.teachers == both.teachers and optical.student < both.student


def test_the_paper_s_trunk_needs_no_memory_to_be_counted() -> None:
    swin = operations.forward("swin-b", "multispectral", 224)
    # Twice the 15.4 G multiply-adds of torchvision's Swin-B at 224 px; windows of 12 fill up more than windows of 7.
    assert 2 * 15.4e9 < swin < 1.15 * 2 * 15.4e9


def test_absent_data_and_teachers_make_runs_impossible() -> None:
    settings = replace(load("tiny"), teacher="dinov3-vitb16")
    held = {
        name: Holding("data", name, state, "", "")
        for name, state in {"miniature": "made here", "dinov3-vitb16": "absent", "imagenet": "present"}.items()
    }  # fmt: skip
    stage = Stage(settings, Layout("tiny"))
    states = {each.run: (each.state, each.reason) for each in trainings(stage, held)}
    assert states["deo"] == ("impossible", "dinov3-vitb16 absent")
    assert states["ms-only"][0] != "impossible"
    held["miniature"] = Holding("data", "miniature", "absent", "", "")
    assert all(each.runs == each.impossible and each.reason for each in scorings(stage, held))


def test_every_protocol_of_a_scale_has_its_runs() -> None:
    settings, held = load("ablation"), {}
    for name in settings.data.present():
        held[name] = Holding("data", name, "absent", "", "")
    held[settings.teacher] = Holding("weights", settings.teacher, "absent", "", "")

    def runs(*protocols: str) -> dict[str, int]:
        evaluation = replace(settings.evaluation, protocols=protocols)
        stage = Stage(replace(settings, evaluation=evaluation), Layout("ablation"))
        return {each.benchmark: each.runs for each in scorings(stage, held)}

    own, theirs, both, unfrozen = (
        runs(*names) for names in (("common",), ("authors",), ("common", "authors"), ("authors-b808714",))
    )
    assert len(own) == 13 and all(both[name] == own[name] + theirs[name] for name in own)
    assert all(unfrozen[name] < theirs[name] for name in own), "students alone are trained with their decoders"


def test_a_claim_is_decided_by_its_benchmark_and_its_model_alone() -> None:
    claims = read_claims()
    settings = replace(
        load("real"), data=Sources(benchmarks=("m-eurosat",)), backbones=("dinov3-b",),
    )  # fmt: skip
    held = {"m-eurosat": Holding("data", "m-eurosat", "present", "", ""),
            "dinov3-b": Holding("weights", "dinov3-b", "present", "", "")}  # fmt: skip
    able = [each.claim for each in decisions(settings, claims, held) if not each.lacking]
    assert able and {(claim.benchmark, claim.ours.backbone) for claim in able} == {("m-eurosat", "dinov3-b")}
    held["dinov3-b"] = Holding("weights", "dinov3-b", "absent", "", "")
    assert not [each for each in decisions(settings, claims, held) if not each.lacking]


def test_the_rate_is_that_of_a_training_pass() -> None:
    rate = measure("swin-nano", 32, "32-true", seconds=0.0)
    assert rate.devices == 1 and rate.flops > 1e6


def test_the_command_prints_a_page_and_json(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scale_plan, "measure", lambda *_: Rate(1e12, 1, "a test"))
    monkeypatch.setattr(scale_plan, "free_bytes", lambda _: 10**9)
    assert main(["plan", "tiny"]) == 0
    told = capsys.readouterr().out
    assert told.rstrip() == page(scale_plan.plan("tiny"))
    for part in ("scale tiny", "pretraining (", "deo: 6 steps of", "roofs: segmentation", "GB are free", "a test"):
        assert part in told
    assert main(["plan", "tiny", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["scale"] == "tiny" and record["hours"]["pretraining"] >= 0
    assert {each["name"] for each in record["holdings"]} >= {"miniature", "imagenet"}
    assert {"data", "pretrain@deo", "segmentation", "site"} <= {each["name"] for each in record["stages"]}
    assert record["costs"].keys() <= {each["name"] for each in record["stages"]}


def test_a_stage_takes_what_its_students_and_stores_take() -> None:
    stage = Stage(load("paper"), Layout("paper"))
    run = Training("deo", 1, 1, 10, "to run")
    found = costs(stage, [run], [Scoring("pastis", "segmentation", 1, 0, None)])
    # Swin-B has 88 million weights; five students are kept, and training holds five copies beside DINOv3 ViT-B.
    assert found["pretrain@deo"].disk == pytest.approx(5 * 88e6 * 4, rel=0.02)
    assert found["pretrain@deo"].memory == pytest.approx((5 * 88e6 + 86e6) * 4, rel=0.02)
    # 500,000 pairs: ten bands of 48 px in 16 bits, three colours of 384 px in 8.
    assert found["data"].disk == 500_000 * (10 * 48**2 * 2 + 3 * 384**2)
    assert found["segmentation"].flops is None and found["segmentation"].disk is None


def test_decoders_and_draws_are_counted_once_per_model() -> None:
    assert runs_of_model("segmentation", 3, [1.0, 0.1]) == 4
    assert runs_of_model("classification", 3, [1.0, 0.1, 0.05]) == 7
