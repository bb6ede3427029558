"""What one arm gains over another, with the doubts about it kept apart: test samples, seeds of pretraining, rounding.

Only seeds of pretraining that both arms share are paired (`seeds`). Over test samples both arms are on the same
bootstrap replicates, with these seeds averaged. Over seeds the difference is taken within each, and Student's t gives
its interval. Several decoders on one pretrained model are not several seeds of pretraining: they are averaged first.
A mean over benchmarks can hide that its parts contradict each other, so a gain keeps its parts.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from jaxtyping import Float

from brew.compendium.report import joint
from brew.compendium.report.joint import Replicates, interval, wald_p
from brew.compendium.report.scored import Runs, Scored
from brew.compendium.report.seeds import SEEDLESS, pair, shared_seeds
from brew.evaluation.statistics import detectable_difference, holm, paired_t_p

#: One pretrained model of an arm is an anecdote: its gains are explored, not established.
EXPLORATORY = "exploratory"


@dataclass(frozen=True)
class OverSeeds:
    """How far the mean of paired differences is to be trusted over seeds of pretraining, of which there are `seeds`.

    low, high: Student's 95 % interval. detectable: the smallest true difference that so many seeds find four times out
    of five. p: of the paired t test, two-sided. All four are NaN for a single seed.
    """

    low: float
    high: float
    detectable: float
    seeds: int
    p: float = math.nan


@dataclass(frozen=True)
class Gain:
    """Points that `arm` is ahead of `reference`, in the mean over some benchmarks and the seeds that both share.

    low, high: the 95 % interval over test samples. p: from the same replicates, two-sided. least: the difference that
    rounding alone may give. parts: of each benchmark, if there are several.
    """

    arm: str
    reference: str
    points: float
    low: float
    high: float
    over_seeds: OverSeeds
    p: float = math.nan
    least: float = 0.0
    parts: tuple[tuple[str, float], ...] = ()

    @property
    def exploratory(self) -> bool:
        return self.over_seeds.seeds < 2

    @property
    def cancels(self) -> bool:
        """Whether its parts have different signs, so that the mean says little."""
        return len({points > 0 for _, points in self.parts}) > 1

    @property
    def above_noise(self) -> bool:
        return abs(self.points) > self.least


def gain(scored: Scored, names: Sequence[str], arm: str, reference: str, label_fraction: float = 1.0) -> Gain | None:
    """Of `arm` over `reference` on the benchmarks `names` from a share of the labels; None unless a seed has all."""
    by_seed = pair(scored, names, arm, reference, label_fraction)
    if not by_seed:
        return None
    differences, seeds = np.stack([*by_seed.values()]), list(by_seed)
    found = differences.mean(axis=0)
    each = {name: pair(scored, [name], arm, reference, label_fraction) for name in names}
    parts = tuple((name, float(np.mean([part[seed][0] for seed in seeds]))) for name, part in each.items())
    return Gain(
        arm, reference, float(found[0]), *interval(found), over_seeds(differences[:, 0]), wald_p(found),
        scored.noise.least(names, label_fraction, (arm, reference), seeds), parts if len(parts) > 1 else (),
    )  # fmt: skip


def over_seeds(differences: Float[np.ndarray, " seed"]) -> OverSeeds:
    """Student's t interval of the mean of paired differences."""
    count = len(differences)
    if count < 2:
        return OverSeeds(math.nan, math.nan, math.nan, count)
    detectable = detectable_difference(differences)
    return OverSeeds(*joint.over_seeds(differences), detectable, count, paired_t_p(differences))


@dataclass(frozen=True)
class Family:
    """The gains of one table, with Holm's correction of each doubt over all of them.

    test, seeds: gain -> corrected p, over test samples and over seeds of pretraining; NaN if there is no p.
    """

    test: Mapping[Gain, float]
    seeds: Mapping[Gain, float]


def family(gains: Sequence[Gain | None]) -> Family:
    """Of the gains that were found."""
    found = [each for each in gains if each is not None]
    test = holm(np.array([each.p for each in found]))
    seeds = holm(np.array([each.over_seeds.p for each in found]))
    return Family(dict(zip(found, test.tolist(), strict=True)), dict(zip(found, seeds.tolist(), strict=True)))


def difference(scored: Scored, name: str, backbone: str, reference: str) -> Replicates | None:
    """Replicates of `backbone` less `reference` on one benchmark, at the seeds that both have; None without any."""
    by_seed = pair(scored, [name], backbone, reference)
    return np.mean([*by_seed.values()], axis=0) if by_seed else None


def paired_runs(
    scored: Scored, name: str, backbone: str, reference: str
) -> dict[tuple[tuple[int, int], tuple[int, int]], float]:
    """The runs that `difference` pairs, each as (seed, decoder): (of `backbone`, of `reference`) -> weight.

    The weights sum to 1.
    """
    own, others = (scored.runs.get((name, 1.0), {}).get(each, {}) for each in (backbone, reference))
    ours, theirs = _keys(own, backbone, others), _keys(others, reference, own)
    shared = shared_seeds(ours, theirs)
    return {
        both: 1 / (len(shared) * len(ours[seed]) * len(theirs[seed]))
        for seed in shared
        for both in product(ours[seed], theirs[seed])
    }


def _keys(own: Runs, name: str, others: Runs) -> dict[int, list[tuple[int, int]]]:
    """Seed -> the runs there; a method without seeds has the same at every seed of the other one."""
    if name in SEEDLESS:
        every = [(seed, decoder) for seed, decoders in own.items() for decoder in decoders]
        return dict.fromkeys(others, every)
    return {seed: [(seed, decoder) for decoder in decoders] for seed, decoders in own.items()}
