"""A scale in small asks for all that the scale asks for, and for little of each."""

import pytest

from brew.compendium import schema
from brew.compendium.rehearsal.small_scale import cut, small
from brew.compendium.scales import merged
from brew.compendium.settings import Settings, load
from brew.errors import BrewError


def settings_of(parameters: dict) -> Settings:
    return schema.load(Settings, parameters | {"scale": {"name": "x"}}, "the test's scale")


@pytest.mark.parametrize("scale", ["paper", "ablation", "paper-vit", "miniature", "tiny"])
def test_everything_is_asked_for_and_little_of_it(scale: str) -> None:
    real, found = load(scale), settings_of(small(merged(scale)))
    assert found.rehearsal and not real.rehearsal
    for name in ("arms", "teacher", "other_teachers", "backbones", "bits"):
        assert getattr(found, name) == getattr(real, name)
    assert found.data.present().keys() == real.data.present().keys()
    assert found.evaluation.protocols == real.evaluation.protocols
    assert found.evaluation.label_fractions == real.evaluation.label_fractions
    assert found.pretraining.precision == real.pretraining.precision
    assert [feed.source for feed in found.pretraining.feeds] == [feed.source for feed in real.pretraining.feeds]
    assert found.pretraining.optimisation.steps <= 6 and found.evaluation.segmentation.fit.epochs == 1


def test_a_source_without_a_layout_is_named() -> None:
    with pytest.raises(BrewError, match=r"source 'rsscn7' has no writer .* Add a writer there"):
        small(merged("real"))


def test_a_cut_keeps_what_is_named_and_what_pretraining_reads() -> None:
    found = settings_of(cut(small(merged("paper")), ["m-eurosat", "pastis"], ["dofa", "croma"]))
    assert set(found.data.present()) == {"fmow", "m-eurosat", "pastis"}
    assert found.backbones == ("croma", "dofa")
    with pytest.raises(BrewError, match="did you mean 'pastis'"):
        cut(small(merged("paper")), ["pasti"], [])
    with pytest.raises(BrewError, match="backbone 'doffa' is unknown"):
        cut(small(merged("paper")), [], ["doffa"])
