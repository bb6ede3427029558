"""What one arm gains over another, with the two doubts about it kept apart: test samples, and seeds of pretraining.

Over test samples both arms are on the same bootstrap draws, with their seeds averaged. Over seeds the difference is
taken within each seed of pretraining that both arms share, and Student's t gives its interval. Two runs of one
pretrained model with other decoder seeds are not two seeds of pretraining: they are averaged first.
Left out: corrections for many comparisons.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from brew.downstream.uncertainty import detectable_difference
from brew.reporting import joint
from brew.reporting.comparison import Scored
from brew.reporting.joint import average, interval

#: One pretrained model of an arm is an anecdote: its gains are explored, not established.
EXPLORATORY = "exploratory"


@dataclass(frozen=True)
class OverSeeds:
    """Mean of the paired differences over `seeds` seeds of pretraining.

    low, high: Student's 95 % interval. detectable: the smallest true difference that so many seeds find four times out
    of five. All three are NaN for a single seed.
    """

    mean: float
    low: float
    high: float
    detectable: float
    seeds: int


@dataclass(frozen=True)
class Gain:
    """Points that `arm` is ahead of `reference`, in the mean over some benchmarks.

    low, high: the 95 % interval over test samples. over_seeds: of the seeds that both share; None where there is none.
    """

    arm: str
    reference: str
    points: float
    low: float
    high: float
    over_seeds: OverSeeds | None

    @property
    def exploratory(self) -> bool:
        return self.over_seeds is None or self.over_seeds.seeds < 2


def gain(scored: Scored, names: Sequence[str], arm: str, reference: str, labels: float = 1.0) -> Gain | None:
    """Of `arm` over `reference` on the benchmarks `names` from a share of the labels; None unless both have all."""
    draws = average([scored.of(name, labels) for name in names])
    if arm not in draws or reference not in draws:
        return None
    difference = draws[arm] - draws[reference]
    ours, theirs = (by_seed(scored, names, each, labels) for each in (arm, reference))
    shared = sorted(ours.keys() & theirs.keys())
    paired = over_seeds(np.array([ours[seed] - theirs[seed] for seed in shared])) if shared else None
    return Gain(arm, reference, float(difference[0]), *interval(difference), paired)


def over_seeds(differences: Float[np.ndarray, " seed"]) -> OverSeeds:
    """Student's t interval of the mean of paired differences."""
    count, mean = len(differences), float(differences.mean())
    if count < 2:
        return OverSeeds(mean, math.nan, math.nan, math.nan, count)
    return OverSeeds(mean, *joint.over_seeds(differences), detectable_difference(differences), count)


def by_seed(scored: Scored, names: Sequence[str], backbone: str, labels: float = 1.0) -> dict[int, float]:
    """Seed of pretraining -> mean score over the benchmarks `names`, of the seeds that all of them were scored with."""
    each = [_pretrained(scored, name, backbone, labels) for name in names]
    shared = set.intersection(*map(set, each)) if each else set()
    return {seed: float(np.mean([part[seed] for part in each])) for seed in sorted(shared)}


def _pretrained(scored: Scored, name: str, backbone: str, labels: float) -> dict[int, float]:
    """Seed -> score of one pretrained model, named by the first of its seeds: decoder seeds of one are averaged."""
    table = scored.summary
    chosen = table[(table["benchmark"] == name) & (table["backbone"] == backbone) & (table["labels"] == labels)]
    models: defaultdict[str, dict[int, float]] = defaultdict(dict)
    for row in chosen.itertuples():
        for (seed, model), value in zip(row.models, row.values, strict=True):
            models[model][seed] = value
    return {min(runs): float(np.mean(list(runs.values()))) for runs in models.values()}
