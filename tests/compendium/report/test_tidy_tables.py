"""Tidy tables compare at shared seeds, mark what leads and what stands apart, and turn with their sign."""

import math

import pandas as pd
import pytest

from brew.compendium.report import tidy_tables
from brew.compendium.report.charts.gain_chart import directed
from brew.compendium.report.formatting import signed
from brew.compendium.report.gains import gain
from tests.compendium.report.test_gains import rows, scored


@pytest.fixture(scope="module")
def here():
    return scored(
        rows("deo", {0: 0.8, 1: 0.7}), rows("ms-only", {0: 0.5, 1: 0.6}), rows("random", {0: 0.9}),
        rows("deo", {0: 0.4, 1: 0.4}, "spacenet1"), rows("ms-only", {0: 0.6, 1: 0.6}, "spacenet1"),
    )  # fmt: skip


def test_a_score_leads_its_column_unless_it_lacks_seeds(here) -> None:
    table = tidy_tables.results(here).set_index(["benchmark", "backbone"])
    assert table.loc[("roofs", "random"), "apart"] == "1 of 2 seeds"
    assert table.loc[("roofs", "deo"), "leads"] and not table.loc[("roofs", "random"), "leads"]
    assert table.loc[("roofs", "deo"), ["value", "seeds", "unit"]].tolist() == [75.0, 2, "sample"]


def test_pairs_are_compared_at_shared_seeds_and_a_mean_keeps_its_parts(here) -> None:
    pairs = tidy_tables.pairs(here)
    both = directed(pairs).set_index(["on", "arm", "less"])
    assert both.loc[("roofs", "deo", "random"), "value"] == pytest.approx(-10), "seed 0 alone"
    assert both.loc[("roofs", "random", "deo"), "seeds"] == 1
    assert both.loc[("optical", "deo", "ms-only"), "parts"] == "roofs:20.00000 spacenet1:-20.00000"
    assert both.loc[("optical", "ms-only", "deo"), "parts"] == "roofs:-20.00000 spacenet1:20.00000"
    assert math.isnan(both.loc[("roofs", "deo", "random"), "low over seeds"])


@pytest.mark.parametrize("points", [1.0496, -1.0496, 1.2504, -1.2496])
def test_a_page_that_rounds_a_pair_once_more_comes_to_the_same_number(points: float) -> None:
    here = scored(rows("deo", {0: 0.5 + points / 100}), rows("ms-only", {0: 0.5}))
    both = directed(tidy_tables.pairs(here)).set_index(["on", "arm", "less"])
    whole = gain(here, ["roofs"], "deo", "ms-only")
    assert whole is not None
    found = both.loc[("roofs", "deo", "ms-only")]
    assert signed(found["value"], found["low"], found["high"]) == signed(whole.points, whole.low, whole.high)


def test_places_are_of_what_stands_in_order_everywhere(here) -> None:
    orders = tidy_tables.orders(here)
    assert set(orders["backbone"]) == {"deo", "ms-only"}
    worst = orders[orders["aggregation"] == "worst rank"]
    assert worst["place"].tolist() == [1.5, 1.5] and isinstance(orders, pd.DataFrame)
