"""The section `data`: which sources a scale has, by keys of their own or as benchmarks by name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brew.compendium.schema import load
from brew.compendium.settings import Sources
from brew.data.miniature.miniature_store import MiniatureSettings
from brew.data.sources.catalogue import SOURCES
from brew.errors import BrewError
from brew.evaluation.benchmarks import BENCHMARKS

#: Those whose source has no key of its own.
LISTED = ("m-eurosat", "pastis", "levir-cd", "spacenet1", "sen1floods11", "bigearthnet-v2")


def test_nothing_is_listed_by_default():
    miniature = MiniatureSettings(1, 1, 1, 1)
    assert Sources(miniature=miniature, rsscn7=True).present() == {"miniature": miniature, "rsscn7": True}


@given(st.lists(st.sampled_from(LISTED), unique=True))
def test_benchmarks_bring_their_sources(names):
    found = load(Sources, {"rsscn7": True, "benchmarks": names}, "here").present()
    assert found == {"rsscn7": True} | {BENCHMARKS[name].source: True for name in names}
    assert set(found) <= set(SOURCES)


@pytest.mark.parametrize(
    ("name", "message"), [("oscd", "set 'oscd' beside it"), ("roofs", "set 'miniature'"), ("m-euro", "'m-eurosat'")]
)
def test_a_benchmark_that_cannot_be_listed_is_an_error(name, message):
    with pytest.raises(BrewError, match=message):
        Sources(benchmarks=(name,))


def test_radar_is_scored_where_it_is_rendered():
    optical, radar = BENCHMARKS["roofs"], BENCHMARKS["materials-sar"]
    without, rendered = (Sources(miniature=MiniatureSettings(1, 1, 1, 1, sar=sar)) for sar in (False, True))
    assert [without.offers(entry) for entry in (optical, radar)] == [True, False]
    assert [rendered.offers(entry) for entry in (optical, radar)] == [True, True]
    assert not Sources(rsscn7=True).offers(radar)
