"""What docs/study.md and docs/real.md answer is what the committed reports of those scales say."""

import re

import pandas as pd
import pytest

from brew.files import REPORTS, ROOT

#: A difference with its interval, and bold where that leaves out 0.
CELL = r"\*{0,2}[+-][\d.]+ \[[+-][\d.]+, [+-][\d.]+\]\*{0,2}"
#: Scale -> what its core arms are held against, and how many seeds they have.
SCALES = {
    "study": (["ms-only", "ms-only-matched", "ms+optical-path"], 5),
    "real": (["ms-only", "ms+optical-path"], 3),
}


def text(scale: str, section: str = "The answer") -> str:
    """A section of a scale's document."""
    whole = (ROOT / "docs" / f"{scale}.md").read_text(encoding="utf-8")
    return whole.split(f"\n## {section}\n")[1].split("\n## ")[0]


def plain(scale: str) -> str:
    """The answer on one line."""
    return " ".join(text(scale).split())


def table(scale: str, name: str) -> pd.DataFrame:
    return pd.read_csv(REPORTS / scale / "tables" / f"{name}.csv")


def answers(scale: str) -> list[tuple[str, str, str, str]]:
    """Rows of the table of answers: arm, what it is held against, gain on optical and on multispectral benchmarks."""
    rows, arm = [], ""
    for line in text(scale).splitlines():
        if found := re.fullmatch(rf"\| (?:`(.+?)`)? ?\| `(.+?)` \| ({CELL}) \| ({CELL}) \|", line):
            arm = found[1] or arm
            rows.append((arm, found[2], found[3], found[4]))
    return rows


@pytest.mark.parametrize("scale", SCALES)
def test_both_core_arms_are_held_against_every_reference(scale):
    references, _ = SCALES[scale]
    assert [row[:2] for row in answers(scale)] == [
        (arm, less) for arm in ("deo", "masked+distillation") for less in references
    ]


@pytest.mark.parametrize("scale", SCALES)
def test_an_answer_is_its_report_s(scale):
    gains, (_, seeds) = table(scale, "gains").set_index(["arm", "less"]), SCALES[scale]
    for arm, less, optical, multispectral in answers(scale):
        assert gains.loc[(arm, less), "optical, over seeds"].startswith(f"{optical}, {seeds} seeds")
        assert gains.loc[(arm, less), "multispectral, over seeds"].startswith(f"{multispectral}, {seeds} seeds")


@pytest.mark.parametrize(
    ("scale", "labels", "kinds"), [("study", "10 %", ("optical", "multispectral")), ("real", "5 %", ("optical",))]
)
def test_gains_from_few_labels_that_it_names_stand_in_the_table(scale, labels, kinds):
    few = table(scale, "low-data-gains").set_index(["label fraction", "arm", "less"])
    for less in ("ms-only", "ms+optical-path"):
        for kind in kinds:
            gain = few.loc[(labels, "deo", less), f"{kind}, over seeds"].split(f", {SCALES[scale][1]} seeds")[0]
            assert gain in plain(scale)


def test_what_linear_readings_gained_stands_in_the_table():
    read = table("real", "progress").query("benchmarks == 'multispectral'").set_index("arm")["over the untrained trunk"]
    assert all(read[arm] in plain("real") for arm in ("ms-only", "deo", "masked+distillation"))


def test_gains_on_real_scenes_that_it_names_stand_in_the_table():
    (scenes,) = (row for row in table("real", "teachers").to_dict("records") if row["benchmark"] == "rsscn7")
    for less in ("MS self-distillation only", "MS + optical self-distillation", "masked + optical teacher"):
        over_seeds = scenes[f"DEO (both teachers) less {less}"].split("; ")[1].split(", 3 seeds")[0]
        assert over_seeds in plain("real")


def test_alignments_that_it_names_stand_in_the_table():
    found = table("real", "alignment-differences").query("token == 'late' and measure == 'cka'")
    found = found.set_index(["arm", "less", "teacher"])
    pair, named = ("", ""), 0
    for line in text("real", "Two kinds of teacher").splitlines():
        if row := re.fullmatch(rf"\| (?:`(.+?)` less `(.+?)`.*?)? ?\| `(.+?)` \| ({CELL}) \| ({CELL}) \|", line):
            if row[1]:
                pair = (row[1], row[2])
            for stride, stated in (("stride 8", row[4]), ("stride 32", row[5])):
                difference, interval = stated.split(" ", 1)
                cell = found.loc[(*pair, row[3]), stride].strip("*")
                assert cell.startswith(difference) and cell.endswith(interval), (pair, row[3], stride)
                named += 1
    assert named == 10
