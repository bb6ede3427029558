"""What `notebooks/explore/results.ipynb` calls: the tidy tables of a scale's report, of what a reader chooses."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from brew import files
from brew.compendium.report.site.scale_findings import ScaleTables, read_tables
from brew.errors import unknown


def read(
    scale: str, arms: Sequence[str] = (), benchmarks: Sequence[str] = (), reports: Path | str | None = None
) -> ScaleTables:
    """The tables of a scale. arms, benchmarks: what is kept; all if none is named. reports: by default those in git.

    Raises BrewError if the scale has no tidy tables, or none of a name that is asked for.
    """
    found = read_tables(Path(reports or files.REPORTS) / scale)
    for kind, names, known in (("backbone", arms, found.backbones), ("benchmark", benchmarks, found.benchmarks)):
        for name in names:
            if name not in known:
                raise unknown(kind, name, known)
    kept, places = list(arms) or found.backbones, [*(benchmarks or found.benchmarks), "optical", "multispectral"]

    def of(table: pd.DataFrame, column: str, allowed: Sequence[str]) -> pd.DataFrame:
        return table[table[column].isin(allowed)].reset_index(drop=True)

    pairs = of(of(of(found.pairs, "arm", kept), "less", kept), "on", places)
    return replace(
        found, results=of(of(found.results, "backbone", kept), "benchmark", places), pairs=pairs,
        means=of(found.means, "backbone", kept), orders=of(found.orders, "backbone", kept),
        scores=of(of(found.scores, "arm", kept), "benchmark", places),
    )  # fmt: skip
