"""The ledger of claims, and how many claims of each table got which verdict."""

from brew.compendium.report.captioned import CaptionedTable
from brew.compendium.report.ledger import average_scores, counted, found_scores, headline, ledger
from brew.compendium.report.paper import AVERAGES, paper_benchmarks
from brew.compendium.report.scored import Scored
from brew.evaluation.zoo import BACKBONES


def claim_tables(scored: Scored, scale: str) -> tuple[CaptionedTable, CaptionedTable]:
    """The ledger, which holds every claim with what this scale can say to it, and the counts of its verdicts."""
    averages = average_scores(scored, paper_benchmarks(), AVERAGES.values())
    weights = {name: entry.needs() for name, entry in BACKBONES.items()}
    table = ledger(scored.claims, found_scores(scored.summary, averages), scale, weights)
    told = headline(table)
    caption = f"The table counts claims about the method and its like by table and verdict. {told}"
    return CaptionedTable("ledger", table, told), CaptionedTable("claims", counted(table), caption)
