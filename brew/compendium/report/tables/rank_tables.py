"""Table 4: average ranks of the backbones over the benchmarks of a scale, or over the paper's."""

from collections.abc import Sequence

import pandas as pd

from brew.compendium.report.captioned import CaptionedTable
from brew.compendium.report.columns import REFERENCES, Column, wide
from brew.compendium.report.joint import average, average_ranks
from brew.compendium.report.paper import MODALITIES, TASKS, paper_benchmarks
from brew.compendium.report.scored import Scored
from brew.compendium.report.summary import benchmarks_in, in_order, seeds_note
from brew.evaluation.benchmarks import BENCHMARKS


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
        f"benchmarks, and nothing about others. {seeds_note(scored.summary, ranked)}"
        + (f" Not run, so not ranked, are {', '.join(absent)}." if absent else "")
    )
    return CaptionedTable("paper-ranks" if paper else "ranks", table, caption)


def rank_table(scored: Scored, names: Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
    """Average rank of every backbone over the scored benchmarks among `names`, task by task and over all.

    Ranked are the backbones that were scored on all of these benchmarks. Also returns the benchmarks ranked over.
    """
    ranked = [name for name in names if scored.of(name) and BENCHMARKS[name].modality in MODALITIES]
    everywhere = set(average([scored.of(name) for name in ranked])) - set(REFERENCES)
    replicates = {name: {each: scored.of(name)[each] for each in in_order(everywhere)} for name in ranked}
    columns = [
        Column(
            task,
            average_ranks([replicates[name] for name in ranked if BENCHMARKS[name].task == task]),
            task,
            bold=False,
        )
        for task in TASKS
    ] + [Column("all", average_ranks([replicates[name] for name in ranked]), "segmentation", bold=False)]
    order = sorted(in_order(everywhere), key=lambda name: columns[-1].replicates[name][0])
    return wide(columns, order), ranked
