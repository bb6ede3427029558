"""The answers of the study beyond the paper follow the rule that was written before it ran."""

import pandas as pd

from brew.compendium.report.beyond import NO, QUESTIONS, QUESTIONS_ABOUT, UNTOLD, YES
from brew.compendium.report.charts.answer_chart import answer_chart
from brew.compendium.report.tables.beyond_tables import answers, answers_table
from brew.compendium.scales import arm_and_seed
from brew.compendium.settings import load
from brew.evaluation.benchmarks import BENCHMARKS
from tests.compendium.report.test_gains import rows, scored


def told(gains: list[float], arm: str = "deo+time", reference: str = "deo+time-unpaired") -> str:
    found = scored(
        rows(reference, dict.fromkeys(range(3), 0.5), "crops-year"),
        rows(arm, {seed: 0.5 + gain / 100 for seed, gain in enumerate(gains)}, "crops-year"),
    )
    (answer,) = answers_table(found)["answer"]
    return answer


def test_a_gain_is_told_by_its_interval_and_by_one_point():
    assert told([3.0, 3.2, 2.9]) == YES
    assert told([0.50, 0.51, 0.49]) == NO  # above 0, and too small
    assert told([-3.0, -3.2, -2.9]) == NO
    assert told([3.0, -2.0, 4.0]) == UNTOLD


def test_a_scale_without_such_arms_has_no_such_table():
    assert answers(scored(rows("deo", {0: 0.5}), rows("ms-only", {0: 0.4}))) is None
    both = [rows(arm, {0: 0.5, 1: 0.6}, "crops-year") for arm in ("deo+time", "deo+time-unpaired")]
    table = answers(scored(*both))
    assert table is not None and table.name == "beyond-answers"


def test_a_chart_per_question_says_its_answers_and_a_teacher_s_strength_is_its_own_score():
    found = scored(*(
        rows(arm, {seed: value + seed / 100 for seed in range(3)}, name)
        for name in ("roofs", "new-sites-rgb")
        for arm, value in (("ms-only", 0.4), ("deo", 0.5), ("deo-random", 0.395))
    ), *(rows(name, {0: value}, task) for task in ("roofs", "new-sites-rgb")
         for name, value in (("teacher", 0.6), ("teacher-random", 0.2))))  # fmt: skip
    table = answers_table(found)
    assert table[["about", "arm", "strength", "answer"]].values.tolist() == [
        ["strength", "deo-random", 20.0, NO], ["strength", "deo", 60.0, YES],
    ]  # fmt: skip
    chart = answer_chart(table, "strength")
    assert chart is not None and chart.name == "answers-strength"
    assert "A teacher that learned nothing: no (-0.5 [-0.5, -0.5] points, 3 seeds)." in chart.finding
    assert "score of the teacher itself (%)" in chart.svg()
    assert answer_chart(table, "dates") is None and answer_chart(pd.DataFrame(), "dates") is None


def test_every_question_of_the_page_has_a_chart_and_a_comparison():
    assert dict.fromkeys(question.about for question in QUESTIONS) == dict.fromkeys(QUESTIONS_ABOUT)


def test_every_question_is_run_over_three_seeds_on_benchmarks_that_the_scale_has():
    for question in QUESTIONS:
        settings = load("misaligned" if question.about == "alignment" else "beyond")
        seeds = [arm_and_seed(run) for run in settings.arms]
        for arm in (question.arm, question.reference):
            assert sum(name == arm for name, _ in seeds) == 3, arm
        assert all(settings.data.offers(BENCHMARKS[name]) for name in question.benchmarks)
