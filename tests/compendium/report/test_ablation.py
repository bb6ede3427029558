"""The ablation's tables: every arm has its row, and a gain says which doubt its interval answers."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from brew.compendium.report.arm_gains import REFERENCES, arm_gains, in_words
from brew.compendium.report.claims import read_claims
from brew.compendium.report.columns import NOT_RUN
from brew.compendium.report.contrasts import CONTRASTS, by_kind, contrasts_run
from brew.compendium.report.gain_cells import over_test
from brew.compendium.report.gains import EXPLORATORY, Gain, family, over_seeds
from brew.compendium.report.paper import paper_benchmarks
from brew.compendium.report.scored import Scored
from brew.compendium.report.tables.ablation_tables import ablation_table, paper_ablation_table
from brew.compendium.report.tables.gain_tables import few_labels_gains_table, gains_table
from brew.compendium.report.tables.teacher_tables import teachers_table
from brew.evaluation.benchmarks import BENCHMARKS
from brew.pretraining.arms import ARMS, BEYOND
from tests.compendium.report.test_gains import rows, scored

NAMES = ["roofs", "crops"]
SCORED = scored(
    *(rows("deo", {0: 0.50, 1: 0.56}, name) for name in NAMES),
    *(rows("ms-only", {0: 0.40, 1: 0.42}, name) for name in NAMES),
    *(rows("masked", {0: 0.30}, name) for name in NAMES),
    rows("random", {0: 0.20}),
)


def line(table, **where):
    (found,) = (row for row in table.to_dict("records") if where.items() <= row.items())
    return found


def test_every_arm_has_its_row_in_the_order_of_the_table():
    table = ablation_table(SCORED, NAMES)
    assert table["arm"].tolist() == [arm for arm in ARMS if arm not in BEYOND], "those were not run"
    assert list(table.columns[3:]) == [
        "optical: roofs (iou macro)", "optical average", "multispectral: crops (iou macro)", "multispectral average"
    ]  # fmt: skip
    assert set(table[table["arm"] == "optical-only"].iloc[0, 2:]) == {NOT_RUN}
    assert line(table, arm="deo")["optical average"] == "**53.0 +/- 4.2 [52.0, 54.0]**"
    assert line(table, arm="masked")["optical average"] == "30.0 [29.1, 30.9] (1 of 2 seeds)"
    assert [line(table, arm=arm)["pretrained"] for arm in ("deo", "masked")] == ["2 times", f"once: {EXPLORATORY}"]


def test_gains_are_stated_against_every_reference_with_both_doubts():
    table = gains_table(arm_gains(SCORED, NAMES))
    assert set(table["less"]) == {"ms-only"}, "the other references were not run"
    assert table["arm"].tolist() == [arm for arm in ARMS if arm in ("deo", "masked")]
    deo = line(table, arm="deo", less="ms-only")
    assert deo["optical, over test samples"] == "**+12.0 [+12.0, +12.0]**, Holm p < .001", "on the same replicates"
    assert deo["optical, over seeds"] == "+12.0 [-13.4, +37.4], 2 seeds could detect 32.7, Holm p .210"
    assert line(table, arm="masked", less="ms-only")["multispectral, over seeds"] == EXPLORATORY
    words = in_words(arm_gains(SCORED, NAMES))
    assert words.startswith(
        "DEO (both teachers) less MS self-distillation only: +12.0 [-13.4, +37.4] points on optical and "
    )
    assert words.endswith(" points on multispectral benchmarks (95 %, over seeds).")
    assert "test samples, of one seed" in in_words(arm_gains(SCORED, NAMES), "masked")
    every = scored(*(rows(arm, {0: 0.5}, name) for arm in ("deo", *REFERENCES) for name in NAMES))
    assert set(gains_table(arm_gains(every, NAMES))["less"]) == set(REFERENCES)


def told(found: Gain, *others: Gain) -> str:
    """In a table that holds the others too."""
    return over_test(found, family([found, *others]))


def test_a_mean_stands_with_its_benchmarks():
    here = scored(
        *(rows(arm, {0: value}, name) for arm, of_arm in {"deo": (0.5, 0.3), "ms-only": (0.4, 0.38)}.items()
          for name, value in zip(("roofs", "new-sites-rgb"), of_arm, strict=True))
    )  # fmt: skip
    found = arm_gains(here, ["roofs", "new-sites-rgb"])
    table = gains_table(found)
    assert line(table, arm="deo")["optical, over test samples"] == "+1.0 [+1.0, +1.0], Holm p < .001", (
        "never bold alone"
    )
    assert line(table, arm="deo")["optical, by benchmark"] == "roofs +10.0, new-sites-rgb -8.0"
    assert in_words(found).endswith("The optical benchmarks disagree: roofs +10.0, new-sites-rgb -8.0.")


def test_a_gain_is_bold_where_its_interval_leaves_out_0_as_printed():
    found = Gain("deo", "ms-only", -2.4, -4.6, -0.04, over_seeds(np.array([-2.4])), 0.01)
    assert told(found) == "-2.4 [-4.6, +0.0], Holm p .010"
    certain = replace(found, high=-0.06)
    assert told(certain) == "**-2.4 [-4.6, -0.1]**, Holm p .010"
    assert told(certain, *[replace(certain, arm=str(number)) for number in range(5)]) == (
        "-2.4 [-4.6, -0.1], Holm p .060"
    ), "one of six"
    assert told(replace(certain, least=2.5)) == "-2.4 [-4.6, -0.1], Holm p .010", "rounding alone could give it"
    parts = (("rsscn7", 3.0), ("hot-buildings", -7.8))
    assert told(replace(certain, parts=parts)) == "-2.4 [-4.6, -0.1], Holm p .010", "the benchmarks disagree"


def test_gains_from_few_labels_are_over_what_was_scored_from_them():
    assert few_labels_gains_table(SCORED, NAMES).empty
    few = SCORED.summary[SCORED.summary["benchmark"] == "roofs"].assign(label_fraction=0.1)
    runs = {**SCORED.runs, ("roofs", 0.1): SCORED.runs["roofs", 1.0]}
    here = Scored(runs, pd.concat([SCORED.summary, few]), labelled={("roofs", 0.1): 1})
    table = few_labels_gains_table(here, NAMES)
    assert set(table["label fraction"]) == {"10 %"} and set(table["labelled samples"]) == {"roofs 1"}
    assert set(table["multispectral, over test samples"]) == {NOT_RUN}, "crops has no such share"
    columns = ["arm", "less", "optical, over test samples"]
    pd.testing.assert_frame_equal(table[columns], gains_table(arm_gains(SCORED, NAMES))[columns])


def test_the_papers_rows_stand_with_what_it_states():
    table = paper_ablation_table(Scored({}, SCORED.summary, read_claims()), paper_benchmarks())
    assert table["arm"].tolist() == list(ARMS)[:6]
    first = line(table, arm="ms-only")
    assert first["optical average"] == f"{NOT_RUN} (paper: 77.87?)" and first["average"] == f"{NOT_RUN} (paper: 69.16)"


def test_what_each_teacher_brings_is_shown_where_it_was_run():
    assert [(each.arm, each.reference) for each in contrasts_run(SCORED, NAMES)] == [("deo", "ms-only")]
    table = teachers_table(SCORED, NAMES)
    assert table["lives on"].tolist() == ["fine texture", "red edge and short-wave infrared"]
    assert table.iloc[0, 2].startswith("**+12.0 [+12.0, +12.0]**, Holm p < .001; +12.0 [")


def test_every_benchmark_is_of_one_kind():
    kinds = by_kind(list(BENCHMARKS))
    assert sorted(name for members in kinds.values() for name in members) == sorted(BENCHMARKS)
    assert all(name in kinds["fine texture"] for name, entry in BENCHMARKS.items() if entry.modality == "optical")


@pytest.mark.parametrize("contrast", CONTRASTS, ids=lambda each: each.title)
def test_a_contrast_is_of_two_arms_that_differ_in_their_teachers(contrast):
    arm, reference = ARMS[contrast.arm], ARMS[contrast.reference]
    assert (arm.self_distillation, arm.distillation) != (reference.self_distillation, reference.distillation)
    in_its_place = arm.self_distillation and not reference.self_distillation
    assert arm.masking == reference.masking or in_its_place
