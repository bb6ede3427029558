"""What docs/study.md answers is what the committed report says."""

import re

import pandas as pd
import pytest

from brew.paths import REPORTS, ROOT

TABLES = REPORTS / "study" / "tables"
#: A difference with its interval, and bold where that leaves out 0.
CELL = r"\*{0,2}[+-][\d.]+ \[[+-][\d.]+, [+-][\d.]+\]\*{0,2}"


def answers() -> list[tuple[str, str, str, str]]:
    """Rows of the table of answers: arm, what it is held against, gain on optical and on multispectral benchmarks."""
    rows, arm = [], ""
    for line in (ROOT / "docs" / "study.md").read_text(encoding="utf-8").splitlines():
        if found := re.fullmatch(rf"\| (?:`(.+?)`)? ?\| `(.+?)` \| ({CELL}) \| ({CELL}) \|", line):
            arm = found[1] or arm
            rows.append((arm, found[2], found[3], found[4]))
    return rows


def test_both_core_arms_are_held_against_every_reference():
    references = ["ms-only", "ms-only-matched", "ms+optical-path"]
    assert [row[:2] for row in answers()] == [
        (arm, less) for arm in ("deo", "masked+distillation") for less in references
    ]


@pytest.mark.parametrize(("arm", "less", "optical", "multispectral"), answers())
def test_the_study_s_answer_is_its_report_s(arm, less, optical, multispectral):
    gains = pd.read_csv(TABLES / "gains.csv").set_index(["arm", "less"]).loc[(arm, less)]
    assert gains["optical, over seeds"].startswith(f"{optical}, 5 seeds")
    assert gains["multispectral, over seeds"].startswith(f"{multispectral}, 5 seeds")


def test_other_differences_it_names_stand_in_the_tables():
    few = pd.read_csv(TABLES / "low-data-gains.csv").set_index(["labels", "arm", "less"])
    text = (ROOT / "docs" / "study.md").read_text(encoding="utf-8")
    for less in ("ms-only", "ms+optical-path"):
        for kind in ("optical", "multispectral"):
            cell = few.loc[("10 %", "deo", less), f"{kind}, over seeds"].split(", 5 seeds")[0]
            assert cell in text
