"""Every primary score with its doubts, a number per column: test samples, seeds of pretraining, decoders, rounding."""

import math
from collections.abc import Sequence

import pandas as pd

from brew.compendium.report.captioned import CaptionedTable
from brew.compendium.report.scored import Scored
from brew.compendium.report.style import label

#: Of `summarise` -> of the table.
_COLUMNS = {
    "benchmark": "benchmark", "label_fraction": "label fraction", "backbone": "backbone", "metric": "metric",
    "score": "value", "low": "low", "high": "high", "unit": "unit", "n": "n", "seeds": "seeds",
    "spread": "deviation over seeds", "decoders": "decoders", "decoder_spread": "deviation over decoders",
}  # fmt: skip


def doubts(scored: Scored) -> CaptionedTable:
    """A row per benchmark, share of the labels and backbone."""
    table = doubt_rows(scored)
    table["backbone"] = table["backbone"].map(label)
    caption = (
        "The table shows every primary score in percent with its doubts, which are never mixed. Between low and high "
        "lies the 95 % interval over n test samples, of the unit that is resampled. The deviation over seeds is that "
        "of seeds of pretraining, the decoders of each averaged. The deviation over decoders is that of one student's, "
        "which differ in initial weights and order alone. The numerical deviation is that of reruns that differ by "
        "rounding. An empty cell was not measured."
    )
    return CaptionedTable("doubts", table.round(2), caption)


def doubt_rows(scored: Scored) -> pd.DataFrame:
    """The same with identifiers of backbones, and not rounded."""
    table = scored.summary[list(_COLUMNS)].rename(columns=_COLUMNS)
    table["numerical deviation"] = [
        _numerical(scored, (row.benchmark, row.label_fraction, row.backbone), row.seed_numbers)
        for row in scored.summary.itertuples()
    ]
    return table


def _numerical(scored: Scored, place: tuple[str, float, str], seeds: Sequence[int]) -> float:
    name, fraction, backbone = place
    known = all((*place, seed) in scored.noise.deviations for seed in seeds)
    return scored.noise.of_mean([name], fraction, backbone, seeds) if known else math.nan
