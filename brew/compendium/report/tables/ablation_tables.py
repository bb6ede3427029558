"""Table 5, the ablation: every arm's scores, over the benchmarks of a scale or in the paper's form."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import pandas as pd

from brew.compendium.report.arm_gains import GROUPS
from brew.compendium.report.captioned import CaptionedTable
from brew.compendium.report.claims import stated_of_arm
from brew.compendium.report.columns import CELLS, NOT_RUN, STATED, Column, average_column, benchmark_column, wide
from brew.compendium.report.gains import EXPLORATORY
from brew.compendium.report.paper import Group, paper_benchmarks
from brew.compendium.report.scored import Scored
from brew.compendium.report.seeds import by_seed
from brew.compendium.report.style import label
from brew.compendium.report.summary import benchmarks_in
from brew.pretraining.arms import ARMS, BEYOND

#: The averages of the paper's table 5: over its segmentation benchmarks.
_PAPER_GROUPS = (Group("segmentation", "optical"), Group("segmentation", "multispectral"), Group("segmentation"))


def of_scale(scored: Scored) -> CaptionedTable:
    """Table 5 over the benchmarks of the scale."""
    caption = (
        "The ablation shows the paper's six cumulative rows, then arms beside the paper. The column `pretrained` says "
        f"how many seeds an arm has. {CELLS} A mean is over the benchmarks of its modality, whatever their task, and "
        f"its deviation is over seeds of pretraining. An arm that was pretrained once is {EXPLORATORY}: its intervals "
        "say nothing about another seed."
    )
    return CaptionedTable("ablation", ablation_table(scored, benchmarks_in(scored.summary)), caption)


def of_paper(scored: Scored) -> CaptionedTable:
    """Table 5 in the paper's form."""
    caption = (
        "The table has the form of the paper's table 5: it shows the cumulative rows in the mean over the paper's "
        f"optical, its multispectral and all of its segmentation benchmarks. {CELLS} {STATED}"
    )
    return CaptionedTable("paper-ablation", paper_ablation_table(scored, paper_benchmarks()), caption)


def ablation_table(scored: Scored, names: Sequence[str]) -> pd.DataFrame:
    """Every arm, run or not, by the benchmarks `names`, optical ones first, with the mean of either group.

    Arms beyond the paper have a row only if they were run.
    """
    times = {arm: _times(scored, names, arm) for arm in ARMS}
    arms = [arm for arm in ARMS if arm not in BEYOND or times[arm] != NOT_RUN]
    columns: list[Column] = []
    for group in GROUPS.values():
        members = group.members(names)
        if members:
            columns += [benchmark_column(scored, name) for name in members]
            columns.append(average_column(scored, group, members))
    table = _of_arms([_arms_alone(column) for column in columns], arms)
    table.insert(2, "pretrained", [times[arm] for arm in arms])
    return table


def _arms_alone(column: Column) -> Column:
    return replace(column, standing=column.standing.only(ARMS))


def _of_arms(columns: Sequence[Column], arms: Sequence[str]) -> pd.DataFrame:
    cells = wide(columns, arms).set_index("backbone").loc[[label(arm) for arm in arms]]
    table = cells.reset_index(drop=True)
    table.insert(0, "arm", list(arms))
    table.insert(1, "what it is", [ARMS[arm].summary for arm in arms])
    return table


def _times(scored: Scored, names: Sequence[str], arm: str) -> str:
    """How often the arm was pretrained."""
    count = max((len(by_seed(scored, [name], arm)) for name in names), default=0)
    return f"{count} times" if count > 1 else f"once: {EXPLORATORY}" if count else NOT_RUN


def paper_ablation_table(scored: Scored, names: Sequence[str]) -> pd.DataFrame:
    """Table 5 in the paper's form: its rows, and the means over its segmentation benchmarks, with what it states."""
    columns = [
        replace(
            _arms_alone(average_column(scored, group, names)),
            stated=partial(stated_of_arm, scored.claims, group),
        )
        for group in _PAPER_GROUPS
    ]
    rows = [arm for arm in ARMS if any(column.stated(arm) for column in columns)]
    return _of_arms(columns, rows)
