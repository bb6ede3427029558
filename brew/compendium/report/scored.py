"""Everything that tables and figures of scores are made from.

Left out: reading it from the folders of a scale.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from brew.compendium.report.claims import Claim
from brew.compendium.report.joint import ModelReplicates, Replicates


@dataclass(frozen=True)
class Scored:
    """What was scored at a scale.

    replicates: by benchmark and share of the labels, seeds averaged. summary: of the same scores, by `summarise`.
    claims: with those of the paper. compared: backbones that have a row in the paper's tables, run or not.
    labelled: how many samples a share of a benchmark's training labels is, if that is known. runs: what `replicates`
    averages, backbone -> seed -> replicates.
    """

    replicates: Mapping[tuple[str, float], ModelReplicates]
    summary: pd.DataFrame
    claims: Sequence[Claim] = ()
    compared: Sequence[str] = ()
    labelled: Mapping[tuple[str, float], int] = field(default_factory=dict)
    runs: Mapping[tuple[str, float], Mapping[str, Mapping[int, Replicates]]] = field(default_factory=dict)

    def of(self, benchmark: str, label_fraction: float = 1.0) -> ModelReplicates:
        """Replicates of every backbone that was scored on it from that share of the labels."""
        return self.replicates.get((benchmark, label_fraction), {})

    def spread(self, benchmark: str, label_fraction: float = 1.0) -> dict[str, float]:
        """Deviation over seeds by backbone, NaN for one seed."""
        table = self.summary
        chosen = table[(table["benchmark"] == benchmark) & (table["label_fraction"] == label_fraction)]
        return dict(zip(chosen["backbone"], chosen["spread"], strict=True))
