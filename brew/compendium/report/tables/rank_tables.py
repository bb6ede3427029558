"""Table 4: average ranks of the backbones over the benchmarks of a scale, or over the paper's."""

from collections.abc import Iterable, Sequence

import pandas as pd

from brew.compendium.report.captioned import CaptionedTable
from brew.compendium.report.columns import REFERENCES, Column, wide
from brew.compendium.report.joint import average_ranks
from brew.compendium.report.paper import MODALITIES, TASKS, paper_benchmarks
from brew.compendium.report.scored import Scored
from brew.compendium.report.seeds import Standing, standing
from brew.compendium.report.style import label
from brew.compendium.report.summary import benchmarks_in, in_order, seeds_note
from brew.evaluation.benchmarks import BENCHMARKS, Task

#: What stands in place of a rank of a backbone that lacks seeds.
APART = "apart: fewer seeds"


def ranks(scored: Scored, paper: bool = False) -> CaptionedTable | None:
    """Table 4 over the benchmarks of the scale; None if nothing can be ranked. paper: over those of the paper's."""
    names = paper_benchmarks() if paper else benchmarks_in(scored.summary)
    table, ranked = rank_table(scored, names)
    if not ranked:
        return None
    absent = [name for name in names if name not in ranked]
    caption = (
        f"Backbones are ranked on {', '.join(ranked)}, and their ranks averaged. Rank 1 is the best, and ties share "
        "their ranks. The interval is made by ranking anew within each of 2000 bootstrap replicates of the test "
        "samples, which are drawn jointly for all backbones, seeds averaged. It says how firm an order is on these "
        "benchmarks, and nothing about others. Ranked is what has all seeds of every benchmark; what has fewer stands "
        f"below, without a rank. {seeds_note(scored.summary, ranked)}"
        + (f" Not run, so not ranked, are {', '.join(absent)}." if absent else "")
    )
    return CaptionedTable("paper-ranks" if paper else "ranks", table, caption)


def rank_table(scored: Scored, names: Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
    """Average rank of every backbone over the scored benchmarks among `names`, task by task and over all.

    Ranked are the backbones that stand in order on all of these benchmarks. Also returns the benchmarks ranked over.
    """
    ranked = [name for name in names if scored.of(name) and BENCHMARKS[name].modality in MODALITIES]
    found = {name: standing(scored, [name]) for name in ranked}
    everywhere = [
        name for name in in_order(_in_all([each.replicates for each in found.values()])) if name not in REFERENCES
    ]
    compared = [name for name in everywhere if all(name in each.ordered for each in found.values())]
    parts = {task: [found[name] for name in ranked if BENCHMARKS[name].task == task] for task in TASKS}
    columns = [_column(task, task, each, compared) for task, each in parts.items()]
    columns.append(_column("all", "segmentation", list(found.values()), compared))
    last = columns[-1].standing.replicates
    table = wide(columns, sorted(compared, key=lambda name: last[name][0]))
    apart = [name for name in everywhere if name not in compared]
    below = pd.DataFrame({"backbone": [label(name) for name in apart]} | {each.title: APART for each in columns})
    return pd.concat([table, below], ignore_index=True), ranked


def _column(title: str, task: Task, found: Sequence[Standing], compared: Sequence[str]) -> Column:
    """Mean ranks among what is compared, which needs no more seeds than it has."""
    replicates = average_ranks([each.only(compared).replicates for each in found])
    return Column(title, Standing(replicates, dict.fromkeys(replicates, frozenset())), task, bold=False)


def _in_all(found: Sequence[Iterable[str]]) -> set[str]:
    return set.intersection(*map(set, found)) if found else set()
