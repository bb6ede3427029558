"""The ledgers of claimed numbers, how many got which verdict, and the paper's statements with their tests.

Numbers about the paper stand apart from those of other projects.
"""

import pandas as pd

from brew.compendium.report.captioned import CaptionedTable
from brew.compendium.report.claims import CONTEXT, NUMBER
from brew.compendium.report.ledger import Ours, average_scores, counted, found_scores, headline, ledger
from brew.compendium.report.paper import AVERAGES, Group, paper_benchmarks
from brew.compendium.report.paper_statements import statement_rows
from brew.compendium.report.scored import Scored
from brew.evaluation.protocols import COMMON
from brew.evaluation.zoo import BACKBONES


def claim_tables(scored: Scored, scale: str) -> tuple[CaptionedTable, CaptionedTable, CaptionedTable]:
    """The ledger of the paper's numbers, the one of other projects' numbers, and the counts of the first's verdicts."""
    weights = {name: entry.needs() for name, entry in BACKBONES.items()}
    found: dict[tuple[str | Group, str, float, str], Ours] = {}
    for protocol, each in {COMMON: scored, **scored.protocols}.items():
        averages = average_scores(each, paper_benchmarks(), AVERAGES.values())
        found |= found_scores(each.summary, averages, protocol)
    paper, context = (
        ledger([claim for claim in scored.claims if claim.kind == kind], found, scale, weights, scored.readings)
        for kind in (NUMBER, CONTEXT)
    )
    told = headline(paper)
    of_others = (
        f"The table holds {len(context)} numbers of other projects on the paper's data sets, by protocols of their "
        "own. None of them is a claim about the paper, and no score of ours can be held against one."
    )
    caption = f"The table counts the numbers that are claimed about the paper, by table and verdict. {told}"
    return (
        CaptionedTable("ledger", paper, told), CaptionedTable("ledger-context", context, of_others),
        CaptionedTable("claims", counted(paper), caption),
    )  # fmt: skip


def statement_table(scored: Scored, similarities: pd.DataFrame) -> CaptionedTable:
    """Every statement with its test, its evidence at the scale and its verdict, a row per comparison.

    similarities: of `brew.compendium.report.similarity.similarity_differences`.
    """
    caption = (
        "The table shows what the paper states in words, each statement with the comparisons that test it. An interval "
        "is Student's over paired seeds of pretraining, or over test samples if both entries are released weights, "
        "which have no seeds. The last p is corrected by Holm's method over the comparisons of a statement. A "
        "statement is supported if all of its comparisons are established, contradicted if one is established with "
        "the other sign, and not supported if neither is so. It is not tested if a comparison was not run or has one "
        "seed. A verdict holds at this scale alone."
    )
    return CaptionedTable("statements", statement_rows(scored, similarities), caption)
