"""Table 7: benchmarks from all training labels and from a share of them."""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from brew.compendium.report.captioned import CaptionedTable
from brew.compendium.report.columns import CELLS, STATED, benchmark_column, share, wide
from brew.compendium.report.paper import paper_benchmarks
from brew.compendium.report.scored import Scored
from brew.compendium.report.summary import benchmarks_in, in_order


def few_labels(scored: Scored, paper: bool = False) -> CaptionedTable | None:
    """Table 7 over the benchmarks of the scale; None if none was scored from a share. paper: over the paper's."""
    table = few_labels_table(scored, paper_benchmarks() if paper else benchmarks_in(scored.summary), paper)
    if table.empty:
        return None
    caption = (
        "The table shows the primary score of each benchmark from all training labels and from shares of them. "
        + CELLS
        + (f" {STATED}" if paper else "")
    )
    return CaptionedTable("paper-low-data" if paper else "low-data", table, caption)


def few_labels_table(scored: Scored, names: Sequence[str], paper: bool = False) -> pd.DataFrame:
    """Benchmarks among `names` that have scores from a share of the labels: backbones by shares, all labels first.

    paper: also those that the paper has numbers of, with what it states.
    """
    told = [
        each
        for each in scored.claims
        if paper and each.of_paper and each.label_fraction < 1 and each.benchmark in names
    ]
    pairs = {*scored.runs, *((claim.benchmark, claim.label_fraction) for claim in told)}
    few = [name for name in names if any(part == name and label_fraction < 1 for part, label_fraction in pairs)]
    shares = sorted({1.0, *(label_fraction for name, label_fraction in pairs if name in few)}, reverse=True)
    parts = [pd.DataFrame(columns=["benchmark", "backbone"])]
    for name in few:
        columns = [
            replace(benchmark_column(scored, name, paper, label_fraction), title=share(label_fraction))
            for label_fraction in shares
        ]
        models = {model for column in columns for model in column.standing.replicates}
        models |= {claim.ours.backbone or claim.model for claim in told if claim.benchmark == name}
        block = wide(columns, in_order(models))
        sizes = [
            str(scored.labelled[name, label_fraction])
            for label_fraction in shares
            if (name, label_fraction) in scored.labelled
        ]
        block.insert(0, "benchmark", f"{name} ({', '.join(sizes)} labelled samples)" if sizes else name)
        parts.append(block)
    return pd.concat(parts, ignore_index=True) if few else parts[0]
