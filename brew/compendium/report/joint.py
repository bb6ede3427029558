"""Backbones side by side: scores, differences, averages and ranks on the same replicates of test samples.

Everything here is a function of *replicates*: per backbone the score of the test as it is, then of every bootstrap
replicate of its samples, averaged over seeds. All backbones of a benchmark are on the same replicates, so that a
difference or a rank is taken within a replicate. Intervals say how sure a number is over test samples; seeds are
another matter (`over_seeds`).
"""

import math
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
from jaxtyping import Float, Real
from scipy.stats import norm, rankdata, t

from brew.compendium.report.formatting import leaves_out_zero
from brew.evaluation.benchmarks import Benchmark
from brew.evaluation.metrics import metric
from brew.evaluation.statistics import MetricFunction, joint_replicates

#: A score as it is, then of every replicate.
Replicates = Float[np.ndarray, " replicate"]
#: Backbone -> its replicates.
ModelReplicates = Mapping[str, Replicates]
LEVEL = 0.95
#: Points that are rounding of one and the same score.
_NOTHING = 1e-9


def replicates_of(benchmark: Benchmark, counts: Mapping[str, np.ndarray]) -> ModelReplicates:
    """Replicates of the benchmark's primary metric, in percent. counts: run -> counts per test sample.

    Raises BrewError if runs hold different numbers of test samples.
    """
    function = primary_metric(benchmark)
    return {name: 100 * values for name, values in joint_replicates(counts, function, seeds=False).items()}


def primary_metric(benchmark: Benchmark) -> MetricFunction:
    """Counts -> the benchmark's primary metric, which leaves out the class that the benchmark ignores."""
    chosen = metric(benchmark.metric)
    return partial(chosen, ignore=benchmark.ignore if chosen.ignores else None)


def interval(replicates: Replicates) -> tuple[float, float]:
    """The ends of the percentile interval."""
    low, high = np.quantile(replicates[1:], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def wald_p(difference: Replicates) -> float:
    """Two-sided p of a difference, by the standard error that its replicates give (Wald's test).

    Unlike a count of replicates, it is not bounded from below by their number, as a correction for many needs.
    """
    error = float(np.std(difference[1:], ddof=1))
    if error < _NOTHING:
        return float(abs(difference[0]) < _NOTHING)
    return float(2 * norm.sf(abs(difference[0]) / error))


def over_seeds(values: Float[np.ndarray, " seed"]) -> tuple[float, float]:
    """Student's 95 % interval of the mean of one value per seed of pretraining; NaN from a single seed."""
    count = len(values)
    if count < 2:
        return math.nan, math.nan
    half = float(t.ppf((1 + LEVEL) / 2, count - 1) * np.std(values, ddof=1) / math.sqrt(count))
    mean = float(np.mean(values))
    return mean - half, mean + half


def differs(one: Replicates, other: Replicates) -> bool:
    """Whether their difference lies outside its own interval: the interval of the paired difference leaves out 0."""
    return leaves_out_zero(*interval(one - other))


def leader(replicates: ModelReplicates) -> str | None:
    """The best backbone, if its difference to each other one lies outside its interval; else None."""
    if len(replicates) < 2:
        return None
    best = max(replicates, key=lambda name: replicates[name][0])
    ahead = all(differs(replicates[best], other) for name, other in replicates.items() if name != best)
    return best if ahead else None


def average(benchmarks: Sequence[ModelReplicates]) -> ModelReplicates:
    """Mean over benchmarks within each replicate, of the backbones that were scored on all of them."""
    return {name: np.mean([each[name] for each in benchmarks], axis=0) for name in _in_all(benchmarks)}


def ranks(replicates: ModelReplicates) -> ModelReplicates:
    """Rank of every backbone within each replicate, 1 the best, ties averaged."""
    if not replicates:
        return {}
    scores: Real[np.ndarray, "backbone replicate"] = np.stack(list(replicates.values()))
    return dict(zip(replicates, rankdata(-scores, axis=0), strict=True))


def average_ranks(benchmarks: Sequence[ModelReplicates]) -> ModelReplicates:
    """Mean rank over benchmarks within each replicate, among the backbones that were scored on all of them."""
    shared = _in_all(benchmarks)
    return average([ranks({name: each[name] for name in shared}) for each in benchmarks])


def _in_all(benchmarks: Sequence[ModelReplicates]) -> list[str]:
    return [name for name in benchmarks[0] if all(name in each for each in benchmarks)] if benchmarks else []
