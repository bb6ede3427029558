"""What the stage `pretrain` plans, and what it refuses before it starts."""

from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from brew import files
from brew.compendium import scales, schema
from brew.compendium.launching import here
from brew.compendium.settings import FeedSettings, Settings, load
from brew.compendium.stages import Stage, begin, pretrain_arm
from brew.compendium.stages.arm_plan import plan
from brew.compendium.stages.training_feeds import share_of
from brew.data.miniature.feed import RenderedFeed
from brew.data.store import Variable, write_store
from brew.errors import BrewError
from brew.files import Layout
from brew.pretraining.feeds import Feed


def test_a_precision_that_the_losses_cannot_bear_is_refused():
    with pytest.raises(BrewError, match=r"'16-mixed'; expected one of 32-true, bf16-mixed"):
        here("16-mixed")
    assert here("bf16-mixed").world_size == 1


def test_a_repetition_differs_from_its_arm_in_the_seed_alone():
    stage = begin("tiny")
    (first, numbers), (again, others) = plan(stage, "deo"), plan(stage, "deo-seed3")
    assert first == again
    assert others.optimisation.seed == numbers.optimisation.seed + 3
    assert replace(others, optimisation=numbers.optimisation) == numbers
    with pytest.raises(BrewError, match="did you mean 'deo'"):
        plan(stage, "doe-seed1")


def test_an_arm_that_changes_does_not_name_is_refused_before_anything_runs(monkeypatch):
    given = scales.parameters("tiny")
    monkeypatch.setattr(scales, "parameters", lambda *_: given | {"arms": [*given["arms"], "augmented"]})
    with pytest.raises(BrewError, match="add `augmented: "):
        load("tiny")


def test_an_arm_changes_whole_numbers_and_fractions_for_itself():
    given: dict[str, Any] = {"deo": {"steps": 7, "learning_rate": 2e-3}}
    changed = schema.load(Settings, scales.merge(scales.parameters("tiny"), {"changes": given}), "here")
    stage = Stage(changed, Layout("tiny", explore=True))
    own, other = (plan(stage, arm)[1].optimisation for arm in ("deo", "ms-only"))
    assert (own.steps, own.learning_rate) == (7, 2e-3)
    assert other == changed.pretraining.optimisation


def test_rendered_scenes_begin_behind_the_store_s(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "DATA", tmp_path)
    stage = begin("gpu")
    store = stage.layout.store("miniature")
    store.parent.mkdir(parents=True)
    write_store(store, 3, {"split": Variable(("sample",), (), "text")}, [{"split": np.array(["train"] * 3)}], {})
    chosen, numbers = plan(stage, "ms-only")
    (feed,) = numbers.feeds
    found = share_of(stage, chosen, feed, 0, here(numbers.precision))
    assert isinstance(found, RenderedFeed) and isinstance(found, Feed)
    world = stage.settings.data.miniature
    assert world is not None
    assert (found.first, found.seed, found.size, len(found)) == (3, world.seed, world.size, 8192 // 64)
    assert found.products == ("multispectral", "optical")


def test_only_the_miniature_can_be_rendered():
    with pytest.raises(BrewError, match="'oscd' is to be rendered; expected 'miniature'"):
        FeedSettings("oscd", ("multispectral",), (), 4, rendered=8)


@pytest.mark.parametrize(("scale", "launched", "refused"), [("tiny", 8, True), ("tiny", 2, False), ("gpu", 8, False)])
def test_portable_bits_are_those_of_two_processes(scale, launched, refused):
    with pytest.raises(BrewError, match="expected 2, since their") if refused else nullcontext():
        pretrain_arm.check_processes(begin(scale), launched)
