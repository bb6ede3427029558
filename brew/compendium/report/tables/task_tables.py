"""Tables 1 to 3: backbones by the benchmarks of a task, over those of a scale or over the paper's."""

from collections.abc import Iterable, Sequence

import pandas as pd

from brew.compendium.report.captioned import CaptionedTable
from brew.compendium.report.claims import Claim
from brew.compendium.report.columns import CELLS, STATED, average_column, benchmark_column, wide
from brew.compendium.report.paper import MODALITIES, TASKS, Group, paper_benchmarks
from brew.compendium.report.scored import Scored
from brew.compendium.report.summary import benchmark_note, benchmarks_in, in_order, seeds_note
from brew.evaluation.benchmarks import BENCHMARKS, Task


def of_scale(scored: Scored, task: Task) -> CaptionedTable | None:
    """Table 1, 2 or 3 over the benchmarks of the scale, with averages; None if it has none of that task."""
    names = [name for name in benchmarks_in(scored.summary) if BENCHMARKS[name].task == task]
    if not names:
        return None
    caption = (
        f"The table shows {task} with frozen backbones under one protocol. {CELLS} "
        f"{seeds_note(scored.summary, names)} {benchmark_note(names)}"
    )
    return CaptionedTable(task, task_table(scored, task, names), caption)


def of_paper(scored: Scored, task: Task) -> CaptionedTable:
    """Table 1, 2 or 3 in the paper's form: its thirteen benchmarks, its models beside ours, and what it states."""
    caption = (
        f"The table has the form of the paper's table {TASKS.index(task) + 1}: {task} on its benchmarks. {CELLS} "
        f"{STATED} What a cell that was not run needs stands in the table of needs."
    )
    return CaptionedTable(f"paper-{task}", task_table(scored, task, paper_benchmarks(), paper=True), caption)


def task_table(scored: Scored, task: Task, names: Sequence[str], paper: bool = False) -> pd.DataFrame:
    """Backbones by the benchmarks of a task among `names`, with averages. paper: with what the paper states.

    Optical benchmarks come first. In the paper's form the models that it or brew compares have rows, run or not.
    """
    groups = [group for group in _groups(task, names) if len(group.members(names)) > 1]
    columns = []
    for modality in (*MODALITIES, "radar"):
        members = Group(task, modality).members(names)
        columns += [benchmark_column(scored, name, paper) for name in members]
        columns += [average_column(scored, group, names, paper) for group in groups if group.modality == modality]
    columns += [average_column(scored, group, names, paper) for group in groups if group.modality is None]
    rows = {backbone for column in columns for backbone in column.standing.replicates}
    if paper:
        rows |= {model for model in _models(scored.claims) if any(column.stated(model) for column in columns)}
        rows |= set(scored.compared)
    return wide(columns, in_order(rows))


def _groups(task: Task, names: Sequence[str]) -> list[Group]:
    """The averages of a task's table: of each modality if both have several benchmarks, and of all."""
    parts = [Group(task, "optical"), Group(task, "multispectral")]
    return [*(parts if all(len(part.members(names)) > 1 for part in parts) else []), Group(task)]


def _models(claims: Iterable[Claim]) -> list[str]:
    """Those that the paper's tables name; rows of its ablation are arms of ours."""
    stated_of = (claim.ours.backbone or claim.model for claim in claims if claim.ours.backbone or not claim.ours.arm)
    return list(dict.fromkeys(stated_of))
