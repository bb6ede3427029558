"""The answers of the study beyond the paper follow the rule that was written before it ran."""

from brew.compendium.report.beyond import NO, QUESTIONS, UNTOLD, YES
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


def test_every_question_is_run_over_three_seeds_on_benchmarks_that_the_scale_has():
    settings = load("beyond")
    seeds = [arm_and_seed(run) for run in settings.arms]
    for question in QUESTIONS:
        for arm in (question.arm, question.reference):
            assert sum(name == arm for name, _ in seeds) == 3, arm
        assert all(settings.data.offers(BENCHMARKS[name]) for name in question.benchmarks)
