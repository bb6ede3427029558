"""Dates, labels and the two limits: what meets what, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from brew.data.batches import Batches
from brew.data.miniature import legends
from brew.data.sources import rsscn7
from brew.data.store import Variable, write_store
from brew.errors import BrewError
from brew.pretraining.arms import ARMS, BEYOND, Arm, SelfDistillation, Supervision, TemporalAlignment
from brew.pretraining.feeds import stream, views_of_step
from brew.pretraining.supervised_tasks import SUPERVISED_TASKS, scored_too
from brew.views import ViewSettings

VIEWS = ViewSettings(global_size=32, local_size=16, locals=1, blur_kernel=5, mask_patch=8)


def step_of(arm: Arm, feed, **settings):
    return views_of_step([feed], [stream(feed, 0)], arm, replace(VIEWS, **settings), 0)[0]


def test_the_other_date_is_seen_under_the_same_geometry(places):
    plain = replace(ARMS["ms+time"], optical_augmentation=False)
    batch = step_of(plain, places)
    assert [view.name for view in batch.later] == ["global0", "global1"]
    same = type(places)({
        name: torch.stack([places.products[name]] * 2, 1) for name in ("multispectral", "optical", "sar")
    } | {name: places.products[name] for name in places.labels})  # fmt: skip
    twice = step_of(plain, same)
    for now, later in zip(twice.global_views, twice.later, strict=True):
        assert torch.equal(now.multispectral, later.multispectral)
    assert not torch.equal(batch.later[0].multispectral, batch.views[0].multispectral)


def test_labels_lie_where_the_view_lies(places):
    """Of a label map that is an image, the view's labels are the view, but for its interpolation."""
    ramp = torch.arange(32, dtype=torch.float32)[None, :, None].expand(16, 32, 32) * 400
    painted = type(places)({
        "multispectral": ramp[:, None, None].expand(16, 2, 10, 32, 32).to(torch.uint16),
        "optical": torch.zeros(16, 2, 3, 128, 128, dtype=torch.uint8), "sar": torch.zeros(16, 2, 2, 32, 32),
        "materials_by_date": (ramp / 400 / 2).to(torch.uint8), "scene": torch.zeros(16).long(),
        "change": torch.zeros(16, 32, 32, dtype=torch.uint8),
    })  # fmt: skip
    arm = replace(ARMS["ms+labels"], supervision=(Supervision("multispectral", "materials"),))
    batch = step_of(arm, painted, global_size=32)
    for view, labels in zip(batch.global_views, batch.labels["materials"].values, strict=True):
        values = (view.multispectral[:, 0] * 965.23 + 1136.26) / 400 / 2
        coarse = torch.nn.functional.avg_pool2d(values[:, None], 4)[:, 0]
        assert (coarse - 0.25 - labels).abs().max() < 1.2


def test_a_smaller_share_of_labels_lies_within_a_larger_one(places):
    def labelled(share: float) -> set[int]:
        arm = replace(ARMS["labels-only"], supervision=(Supervision("multispectral", "scenes", share=share),))
        labels = step_of(arm, places).labels["scenes"]
        assert labels.expected == pytest.approx(8 * share)
        return set(labels.rows.tolist())

    assert labelled(0.3) < labelled(0.7) < labelled(1.0) == set(range(8))


def test_no_head_stays_in_the_student(short_run):
    plain, labelled = (short_run(name, steps=1).student.state_dict() for name in ("ms-only", "ms+labels"))
    assert plain.keys() == labelled.keys()


def test_each_arm_beyond_the_paper_is_deo_or_its_base_with_one_thing_changed():
    plain = {"time": (), "supervision": (), "balance": "fixed"}
    for arm in BEYOND.values():
        base = ARMS["ms-only" if arm.name.startswith("ms") else "deo"]
        if arm.self_distillation:
            taught = {"distillation": arm.distillation and base.distillation}
            assert replace(arm, **plain, **taught) == replace(base, name=arm.name, summary=arm.summary)


def test_classes_are_those_of_the_labels_and_no_scored_task_is_taught():
    lengths = {
        "materials": legends.MATERIALS, "scenes": legends.SCENES, "changes": legends.CHANGES,
        "aerial-scenes": rsscn7.CLASSES, "aerial-buildings": ("other", "building"),
    }  # fmt: skip
    assert {name: task.classes for name, task in SUPERVISED_TASKS.items()} == {n: len(v) for n, v in lengths.items()}
    assert scored_too(("materials", "scenes"), [("miniature", "scene"), ("rsscn7", "materials")]) == ("scenes",)
    assert scored_too(("materials",), [("miniature", "materials")]) == ("materials",)


def test_what_cannot_be_compared_or_labelled_is_refused(places, scenes):
    with pytest.raises(BrewError, match="which is not self-distilled; expected a SelfDistillation"):
        Arm("mine", "", time=(TemporalAlignment("multispectral"),))
    with pytest.raises(BrewError, match="did you mean 'materials'"):
        Arm("mine", "", supervision=(Supervision("multispectral", "material"),))
    with pytest.raises(BrewError, match="more than 0 and at most 1"):
        Arm("mine", "", supervision=(Supervision("multispectral", "scenes", share=0.0),))
    with pytest.raises(BrewError, match="names stem over time 'multispectral' twice"):
        times = (TemporalAlignment("multispectral"),) * 2
        Arm("mine", "", (SelfDistillation("multispectral"),), time=times)
    with pytest.raises(BrewError, match=r"feed 'scenes' gives one date of each place, and arm 'ms.time' compares two"):
        step_of(ARMS["ms+time"], scenes)
    with pytest.raises(BrewError, match="no feed gives 'materials_by_date' of 'miniature'"):
        step_of(ARMS["ms+labels"], scenes)
    odd = type(places)({**places.products, **{
        name: torch.stack([places.products[name]] * 2, 1) for name in ("multispectral", "optical", "sar")
    }, "scene": places.products["scene"] + 5})  # fmt: skip
    with pytest.raises(BrewError, match=r"labels 'scene' of task 'scenes' reach from .* expected 0 to 7"):
        step_of(ARMS["labels-only"], odd)


def test_a_feed_of_pairs_never_gives_a_date_twice(tmp_path):
    variables = {"multispectral": Variable(("sample", "time", "band", "y", "x"), (5, 10, 1, 1), "uint16"),
                 "split": Variable(("sample",), (), "text"), "scene": Variable(("sample",), (), "int64")}  # fmt: skip
    dates = np.broadcast_to(np.arange(5, dtype=np.uint16)[None, :, None, None, None], (16, 5, 10, 1, 1))
    block = {"multispectral": dates, "split": np.array(["pretrain"] * 16, dtype=object), "scene": np.arange(16)}
    write_store(tmp_path / "years.zarr", 16, variables, [block], {})

    def seen(pairs: str) -> set[tuple[int, int]]:
        feed = Batches("years", tmp_path / "years.zarr", ("multispectral", "scene"), ("pretrain",), 16, 0, pairs=pairs)
        found = set()
        for epoch in range(8):
            (batch,) = feed.epoch(epoch)
            assert set(batch.later) == {"multispectral"} and torch.equal(batch.arrays["scene"], batch.samples)
            both = (each["multispectral"][:, 0, 0, 0].tolist() for each in (batch.arrays, batch.later))
            found |= set(zip(*both, strict=True))
        return found

    assert seen("any") == {(one, other) for one in range(5) for other in range(5) if one != other}
    assert seen("ends") == {(0, 4), (4, 0)}


def test_a_store_of_one_date_gives_no_pairs(tmp_path):
    variables = {"multispectral": Variable(("sample", "time", "band", "y", "x"), (1, 10, 1, 1), "uint16"),
                 "split": Variable(("sample",), (), "text")}  # fmt: skip
    block = {"multispectral": np.zeros((4, 1, 10, 1, 1), np.uint16), "split": np.array(["pretrain"] * 4, dtype=object)}
    write_store(tmp_path / "one.zarr", 4, variables, [block], {})
    with pytest.raises(BrewError, match="has one date of each place; expected two or more"):
        Batches("one", tmp_path / "one.zarr", ("multispectral",), ("pretrain",), 4, 0, pairs="any")
