"""What one arm gains over another, with the two doubts about it kept apart: test samples, and seeds of pretraining.

Only seeds of pretraining that both arms share count: a decoder's seed, which goes with them, can weigh more than any
teacher, so that an arm of one seed must not meet the mean of another's several. Over test samples both arms are on the
same bootstrap replicates, with these seeds averaged. Over seeds the difference is taken within each, and Student's t
gives its interval. Two runs of one pretrained model with other decoder seeds are not two seeds of pretraining: they are
averaged first.
Left out: corrections for many comparisons.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from brew.compendium.report import joint
from brew.compendium.report.comparison import NOT_RUN, REFERENCES, Scored, missing
from brew.compendium.report.formatting import told_apart
from brew.compendium.report.joint import Replicates, interval
from brew.compendium.report.style import label
from brew.compendium.report.summary import in_order
from brew.evaluation.benchmarks import BENCHMARKS
from brew.evaluation.statistics import detectable_difference

#: One pretrained model of an arm is an anecdote: its gains are explored, not established.
EXPLORATORY = "exploratory"


@dataclass(frozen=True)
class OverSeeds:
    """How far the mean of paired differences is to be trusted over seeds of pretraining, of which there are `seeds`.

    low, high: Student's 95 % interval. detectable: the smallest true difference that so many seeds find four times out
    of five. All three are NaN for a single seed.
    """

    low: float
    high: float
    detectable: float
    seeds: int


@dataclass(frozen=True)
class Gain:
    """Points that `arm` is ahead of `reference`, in the mean over some benchmarks and the seeds that both share.

    low, high: the 95 % interval over test samples.
    """

    arm: str
    reference: str
    points: float
    low: float
    high: float
    over_seeds: OverSeeds

    @property
    def exploratory(self) -> bool:
        return self.over_seeds.seeds < 2


def gain(scored: Scored, names: Sequence[str], arm: str, reference: str, label_fraction: float = 1.0) -> Gain | None:
    """Of `arm` over `reference` on the benchmarks `names` from a share of the labels; None unless a seed has all."""
    ours, theirs = (by_seed(scored, names, each, label_fraction) for each in (arm, reference))
    shared = sorted(ours.keys() & theirs.keys())
    if not shared:
        return None
    differences = np.stack([ours[seed] - theirs[seed] for seed in shared])
    found = differences.mean(axis=0)
    return Gain(arm, reference, float(found[0]), *interval(found), over_seeds(differences[:, 0]))


def over_seeds(differences: Float[np.ndarray, " seed"]) -> OverSeeds:
    """Student's t interval of the mean of paired differences."""
    count = len(differences)
    if count < 2:
        return OverSeeds(math.nan, math.nan, math.nan, count)
    return OverSeeds(*joint.over_seeds(differences), detectable_difference(differences), count)


def difference_table(scored: Scored, reference: str, names: Sequence[str]) -> pd.DataFrame:
    """Every backbone less `reference` on the same replicates of test samples; bold where the interval leaves out 0.

    Of the seeds that both have; of all, where there is no decoder whose seed could be shared.
    """
    compared = [name for name in names if reference in scored.of(name)]
    rows = in_order({each for name in compared for each in scored.of(name)} - {reference})
    cells = {name: [_difference(scored, name, each, reference) for each in rows] for name in compared}
    return pd.DataFrame({"backbone": [label(name) for name in rows], **cells})


def _difference(scored: Scored, name: str, backbone: str, reference: str) -> str:
    replicates = scored.of(name)
    if backbone not in replicates:
        return missing(backbone, BENCHMARKS[name].task, BENCHMARKS[name].sensor)
    if backbone in REFERENCES:
        difference = replicates[backbone] - replicates[reference]
        return told_apart(difference[0], *interval(difference))
    found = gain(scored, [name], backbone, reference)
    return NOT_RUN if found is None else told_apart(found.points, found.low, found.high)


def by_seed(scored: Scored, names: Sequence[str], backbone: str, label_fraction: float = 1.0) -> dict[int, Replicates]:
    """Seed of pretraining -> replicates of the mean over the benchmarks `names`, of the seeds that all have."""
    each = [_pretrained(scored, name, backbone, label_fraction) for name in names]
    shared = set.intersection(*map(set, each)) if each else set()
    return {seed: np.mean([part[seed] for part in each], axis=0) for seed in sorted(shared)}


def _pretrained(scored: Scored, name: str, backbone: str, label_fraction: float) -> dict[int, Replicates]:
    """Seed -> replicates of one pretrained model, named by its first seed: decoder seeds of one are averaged."""
    table = scored.summary
    chosen = table[
        (table["benchmark"] == name) & (table["backbone"] == backbone) & (table["label_fraction"] == label_fraction)
    ]
    models: defaultdict[str, dict[int, Replicates]] = defaultdict(dict)
    for row in chosen.itertuples():
        for seed, model in row.models:
            models[model][seed] = scored.runs[name, label_fraction][backbone][seed]
    return {min(runs): np.mean(list(runs.values()), axis=0) for runs in models.values()}
