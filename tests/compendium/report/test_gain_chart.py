"""The chart of gains has the same axis at every scale, unless a gain lies beyond it."""

import json

import pytest

from brew.compendium.report import tidy_tables
from brew.compendium.report.charts.gain_chart import directed, gain_chart
from tests.compendium.report.test_gains import rows, scored


@pytest.mark.parametrize(
    ("deo", "axis"), [({0: 0.55, 1: 0.55}, (-20, 30)), ({0: 0.95, 1: 0.95}, (-20, 45)), ({0: 0.1, 1: 0.1}, (-40, 30))]
)
def test_the_axis_is_alike_and_loses_nothing(deo: dict[int, float], axis: tuple[float, float]) -> None:
    pairs = directed(tidy_tables.pairs(scored(rows("deo", deo), rows("ms-only", {0: 0.5, 1: 0.5}))))
    chart = gain_chart(pairs, "ms-only")
    assert chart is not None
    found: list[list[float]] = []

    def collect(part: dict) -> dict:
        if part.get("title") == "gain (points)":
            found.append(part["scale"]["domain"])
        return part

    json.loads(chart.script(), object_hook=collect)
    assert found == [pytest.approx(axis)]
