"""Everything that tables and figures of scores are made from.

Left out: reading it from the folders of a scale, and which runs of two models are compared (`seeds`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from brew.compendium.report.claims import Claim
from brew.compendium.report.joint import ModelReplicates, Replicates
from brew.compendium.report.rounding import Noise
from brew.evaluation.scores import Score

#: Seed of pretraining -> decoder -> replicates.
Runs = Mapping[int, Mapping[int, Replicates]]
#: Benchmark and share of the labels.
Scoring = tuple[str, float]


@dataclass(frozen=True)
class Scored:
    """What was scored at a scale.

    runs: by benchmark and share of the labels, of every backbone. summary: of the same scores, by `summarise`.
    claims: with those of the paper. compared: backbones that have a row in the paper's tables, run or not.
    labelled: how many samples a share of a benchmark's training labels is, if that is known. noise: what rounding alone
    changes, if that was measured. protocols: the same by each other protocol that the scale asks for. readings: all
    scores of the whole test, if it asks for another one.
    """

    runs: Mapping[Scoring, Mapping[str, Runs]]
    summary: pd.DataFrame
    claims: Sequence[Claim] = ()
    compared: Sequence[str] = ()
    labelled: Mapping[Scoring, int] = field(default_factory=dict)
    noise: Noise = field(default_factory=Noise)
    protocols: Mapping[str, "Scored"] = field(default_factory=dict)
    readings: Sequence[Score] = ()

    @cached_property
    def replicates(self) -> Mapping[Scoring, ModelReplicates]:
        """Of every backbone: the mean over its seeds, of the mean over the decoders of each."""
        return {key: means(of_backbones) for key, of_backbones in self.runs.items()}

    def of(self, benchmark: str, label_fraction: float = 1.0) -> ModelReplicates:
        """Replicates of every backbone that was scored on it from that share of the labels."""
        return self.replicates.get((benchmark, label_fraction), {})

    def spread(self, benchmark: str, label_fraction: float = 1.0) -> dict[str, float]:
        """Deviation over seeds by backbone, NaN for one seed."""
        table = self.summary
        chosen = table[(table["benchmark"] == benchmark) & (table["label_fraction"] == label_fraction)]
        return dict(zip(chosen["backbone"], chosen["spread"], strict=True))


def over_decoders(runs: Runs) -> dict[int, Replicates]:
    """Seed of pretraining -> the mean over its decoders."""
    return {seed: np.mean([*decoders.values()], axis=0) for seed, decoders in runs.items()}


def means(of_backbones: Mapping[str, Runs]) -> dict[str, Replicates]:
    """Backbone -> the mean over its seeds."""
    return {name: np.mean([*over_decoders(runs).values()], axis=0) for name, runs in of_backbones.items()}
