"""What one arm gains over another, with the two doubts about it kept apart: test samples, and seeds of pretraining.

Only seeds of pretraining that both arms share are paired. A decoder's seed, which goes with them, can weigh more than
any teacher, so that an arm of one seed must not meet the mean of another's several. Over test samples both arms are on
the same bootstrap replicates, with these seeds averaged. Over seeds the difference is taken within each, and Student's
t gives its interval. Two runs of one pretrained model with other decoder seeds are not two seeds of pretraining: they
are averaged first.
Left out: corrections for many comparisons.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from jaxtyping import Float

from brew.compendium.report import joint
from brew.compendium.report.columns import REFERENCES
from brew.compendium.report.joint import Replicates, interval
from brew.compendium.report.pairing import shared_seeds
from brew.compendium.report.scored import Scored
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
    shared = shared_seeds(ours, theirs)
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


def difference(scored: Scored, name: str, backbone: str, reference: str) -> Replicates | None:
    """Replicates of `backbone` less `reference` on one benchmark, over `paired_runs`; None if no run is paired.

    A method without a decoder has no seed that could be shared: it is held against all runs of the reference.
    """
    if backbone in REFERENCES:
        replicates = scored.of(name)
        return replicates[backbone] - replicates[reference]
    ours, theirs = (by_seed(scored, [name], each) for each in (backbone, reference))
    shared = shared_seeds(ours, theirs)
    return np.mean([ours[seed] - theirs[seed] for seed in shared], axis=0) if shared else None


def paired_runs(scored: Scored, name: str, backbone: str, reference: str) -> dict[tuple[int, int], float]:
    """The runs that `difference` pairs: (seed of `backbone`, seed of `reference`) -> weight; the weights sum to 1."""
    ours, theirs = (_decoder_seeds(scored, name, each, 1.0) for each in (backbone, reference))
    if backbone in REFERENCES:
        ours, theirs = ({0: [seed for seeds in each.values() for seed in seeds]} for each in (ours, theirs))
    shared = shared_seeds(ours, theirs)
    return {
        pair: 1 / (len(shared) * len(ours[seed]) * len(theirs[seed]))
        for seed in shared
        for pair in product(ours[seed], theirs[seed])
    }


def by_seed(scored: Scored, names: Sequence[str], backbone: str, label_fraction: float = 1.0) -> dict[int, Replicates]:
    """Seed of pretraining -> replicates of the mean over the benchmarks `names`, of the seeds that all have."""
    each = [_pretrained(scored, name, backbone, label_fraction) for name in names]
    shared = set.intersection(*map(set, each)) if each else set()
    return {seed: np.mean([part[seed] for part in each], axis=0) for seed in sorted(shared)}


def _pretrained(scored: Scored, name: str, backbone: str, label_fraction: float) -> dict[int, Replicates]:
    """Seed of pretraining -> replicates of one pretrained model: its decoder seeds are averaged."""
    models = _decoder_seeds(scored, name, backbone, label_fraction)
    runs = scored.runs[name, label_fraction][backbone] if models else {}
    return {first: np.mean([runs[seed] for seed in seeds], axis=0) for first, seeds in models.items()}


def _decoder_seeds(scored: Scored, name: str, backbone: str, label_fraction: float) -> dict[int, list[int]]:
    """Seed of pretraining -> decoder seeds of one pretrained model, which is named by the first of them."""
    table = scored.summary
    chosen = table[
        (table["benchmark"] == name) & (table["backbone"] == backbone) & (table["label_fraction"] == label_fraction)
    ]
    models: defaultdict[str, list[int]] = defaultdict(list)
    for row in chosen.itertuples():
        for seed, model in row.models:
            models[model].append(seed)
    return {min(seeds): seeds for seeds in models.values()}
