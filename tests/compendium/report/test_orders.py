"""No two tables or figures of a report order the same pair of compared models differently."""

from collections.abc import Sequence
from dataclasses import fields

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

from brew.compendium.report.arm_gains import arm_gains
from brew.compendium.report.figures.gain_panels import gain_panels
from brew.compendium.report.figures.model_sizes import model_sizes
from brew.compendium.report.figures.score_panels import score_panels
from brew.compendium.report.orders import check_orders, contradictions
from brew.compendium.report.scored import Scored
from brew.compendium.report.seeds import standing
from brew.compendium.report.style import label
from brew.compendium.report.summary import benchmarks_in, in_order, is_primary
from brew.compendium.report.tables import (
    ablation_tables,
    difference_tables,
    few_label_tables,
    gain_tables,
    rank_tables,
    task_tables,
    teacher_tables,
)
from brew.errors import BrewError
from brew.evaluation.scores import Score
from brew.files import REPORTS
from tests.compendium.report.test_gains import rows, scored

WHITE = "#ffffff"
NAMES = ("roofs", "crops", "oscd", "rsscn7")
BACKBONES = ("random", "ms-only", "ms+optical-path", "deo", "masked", "teacher")
#: One score per decoder of a seed, in tenths of a percent.
RUNS = st.dictionaries(
    st.integers(0, 2), st.lists(st.integers(300, 330).map(lambda each: each / 1000), min_size=1, max_size=2), max_size=3
)
REPORTED = st.fixed_dictionaries({(name, backbone): RUNS for name in NAMES for backbone in BACKBONES})


def written(here: Scored) -> dict[str, pd.DataFrame]:
    """Every table of scores, ranks, differences and gains that the report makes."""
    names = benchmarks_in(here.summary)
    made = [
        *(task_tables.of_scale(here, task) for task in ("segmentation", "change", "classification")),
        ablation_tables.of_scale(here), rank_tables.ranks(here), difference_tables.differences(here, "ms-only"),
        gain_tables.gains(arm_gains(here, names)), gain_tables.few_labels_gains(here),
        few_label_tables.few_labels(here), teacher_tables.teachers(here),
    ]  # fmt: skip
    return {each.name: each.frame for each in made if each is not None}


def drawn(here: Scored) -> dict[str, pd.DataFrame]:
    """What figures of scores draw filled and figures of gains draw at all, as tables of these numbers."""
    names, backbones = benchmarks_in(here.summary), in_order(here.summary["backbone"])
    panels = {axis.get_title(): _dots(axis) for axis in score_panels(here).figure.axes if axis.axison}
    shown = in_order(here.summary.query("label_fraction == 1")["backbone"])[::-1]
    cells = {
        name: [f"{dots.get(shown.index(each), '')}" if each in shown else "" for each in backbones]
        for name, dots in panels.items()
    }
    tables = {"change": pd.DataFrame({"backbone": [label(each) for each in backbones], **cells})}
    found = gain_panels(arm_gains(here, names))
    if found:
        tables["gains"] = pd.DataFrame(_drawn_gains(found.figure.axes))
    plt.close("all")
    return tables


def _drawn_gains(axes: Sequence[Axes]) -> list[dict[str, str]]:
    """A row per pair of arms, as the table of gains has it; an arm that is not drawn has empty cells."""
    arms, panels = [each.get_text() for each in axes[0].get_yticklabels()], {}
    for axis in axes:
        group, reference = axis.get_title(loc="left").split(" benchmarks, gain over\n")
        panels.setdefault(reference, {})[f"{group}, over test samples"] = _dots(axis, hollow=True)
    return [
        {"arm": arm, "less": less} | {title: dots.get(place, "") for title, dots in columns.items()}
        for less, columns in panels.items() for place, arm in enumerate(arms)
    ]  # fmt: skip


def _dots(axis: Axes, hollow: bool = False) -> dict[int, str]:
    """Row -> the number at which its dot lies. hollow: whether hollow dots count."""
    dots = [line for line in axis.get_lines() if line.get_marker() == "o"]
    return {
        int(line.get_ydata()[0]): f"{line.get_xdata()[0]:.1f}"
        for line in dots if hollow or to_hex(line.get_markerfacecolor()) != WHITE
    }  # fmt: skip


@settings(max_examples=10)
@given(REPORTED, st.sampled_from([1.0, 0.1]))
def test_no_two_tables_order_a_pair_differently(found, label_fraction):
    whole = [rows("ms-only", {0: 0.31}, name) for name in NAMES]
    parts = [
        rows(backbone, runs, name, label_fraction) for (name, backbone), runs in found.items() if backbone != "ms-only"
    ]
    assert contradictions(written(scored(*whole, rows("cva", {0: 0.315}, "oscd"), *parts))) == []


#: What the report of a scale once said: a random trunk of one seed second, where at this seed it is last.
ONE_SEED = scored(
    rows("random", {0: 0.468}, "oscd"), rows("cva", {0: 0.320}, "oscd"),
    rows("ms-only", {0: 0.498, 1: 0.510, 2: 0.300}, "oscd"), rows("deo", {0: 0.520, 1: 0.490, 2: 0.350}, "oscd"),
)  # fmt: skip


def test_an_entry_of_fewer_seeds_stands_apart():
    found = standing(ONE_SEED, ["oscd"])
    assert set(found.ordered) == {"ms-only", "deo", "cva"}, "a method that learns nothing needs no seeds"
    assert found.share("random") == "1 of 3 seeds" and found.share("cva") == ""
    table = task_tables.task_table(ONE_SEED, "change", ["oscd"])
    assert table["backbone"].tolist()[-1] == label("random")
    assert table.iloc[-1, 1] == "46.8 [45.9, 47.8] (1 of 3 seeds)"
    ranks = rank_tables.ranks(ONE_SEED).frame.set_index("backbone")["all"]
    assert ranks[label("random")] == rank_tables.APART and ranks[label("deo")].startswith("1.0 ")
    lucky = scored(rows("random", {0: 0.9}, "oscd"), rows("ms-only", {0: 0.3, 1: 0.3}, "oscd"))
    assert not task_tables.task_table(lucky, "change", ["oscd"]).iloc[:, 1].str.contains("**", regex=False).any()


def test_figures_draw_what_stands_apart_hollow():
    (axis,) = score_panels(ONE_SEED).figure.axes
    dots = [line for line in axis.get_lines() if line.get_marker() == "o"]
    shown = in_order(standing(ONE_SEED, ["oscd"]).replicates)[::-1]
    hollow = {shown[int(line.get_ydata()[0])] for line in dots if to_hex(line.get_markerfacecolor()) == WHITE}
    assert hollow == {"random"}
    both = scored(
        *(rows(arm, seeds, name) for name in ("roofs", "crops")
          for arm, seeds in {"deo": {0: 0.5, 1: 0.6}, "ms-only": {0: 0.4, 1: 0.5}, "random": {0: 0.3}}.items())
    )  # fmt: skip
    (axis,) = model_sizes(both, dict.fromkeys(("deo", "ms-only", "random"), 5)).figure.axes
    faces = [to_hex(each.get_facecolor()[0]) for each in axis.collections]
    assert faces.count(WHITE) == 1 and faces[0] == WHITE, "the random trunk is drawn first"
    plt.close("all")


def test_what_contradicts_itself_is_no_report():
    scores = ["46.8 [29.8, 55.7]", "43.6 +/- 11.8 [27.4, 56.9]"]
    change = pd.DataFrame({"backbone": ["random trunk", label("ms-only")], "multispectral: oscd (f1)": scores})
    tests = pd.DataFrame([{"benchmark": "oscd", "backbone": "random trunk", "less": "MS self-distillation only",
                           "difference (points)": "-3.0 [-8.8, +1.3]"}])  # fmt: skip
    with pytest.raises(BrewError, match=r"on oscd from 100 %.*shared seeds"):
        check_orders({"change": change, "exact-tests": tests})
    apart = change.replace({"46.8 [29.8, 55.7]": "46.8 [29.8, 55.7] (1 of 3 seeds)"})
    check_orders({"change": apart, "exact-tests": tests})
    ranks = pd.DataFrame({"backbone": ["random trunk", "MS self-distillation only"], "change": ["2.0", "1.0"]})
    assert contradictions({"change": change, "ranks": ranks.assign(segmentation="not run", classification="not run")})


def swapped(gains: pd.DataFrame) -> pd.DataFrame:
    return gains.rename(columns={"arm": "less", "less": "arm"})


@pytest.mark.parametrize("file", sorted(REPORTS.glob("*/scores/scores.csv")), ids=lambda file: file.parts[-3])
def test_committed_scores_give_tables_and_figures_that_agree(file):
    found = pd.read_csv(file, keep_default_na=False, na_values=["nan"])
    known = {each.name for each in fields(Score)} & set(found.columns)
    primary = [
        score for score in (Score(**{name: row[name] for name in known}) for row in found.to_dict("records"))
        if is_primary(score)
    ]  # fmt: skip
    parts: dict[tuple[str, str, float], dict[int, list[float]]] = {}
    for score in primary:
        seeds = parts.setdefault((score.arm, score.benchmark, score.label_fraction), {})
        seeds.setdefault(score.seed, []).append(score.value)
    here = scored(*(rows(arm, seeds, name, fraction) for (arm, name, fraction), seeds in parts.items()))
    tables = written(here)
    assert {"ablation", "ranks", "differences", "gains"} <= tables.keys()
    assert contradictions(tables) == []
    figures = drawn(here)
    assert len(contradictions({"ablation": tables["ablation"], "gains": swapped(figures["gains"])})) > 0
    assert contradictions(tables | figures) == []
