"""How sure a score is: bootstrap over test samples, paired tests, and the spread over seeds, kept apart.

Two sources of doubt are never mixed. *Which test samples were drawn* is answered by resampling them (percentile
bootstrap), jointly for all arms, so that a difference between arms is taken on the same replicate. *Which seed was
drawn* is answered by training again: `seed_spread`. An interval of a score that has several seeds resamples the test
samples and averages the seeds' values within each replicate: it says nothing about other seeds.

If few independent units exist (ten test cities) `exact_swap_test` enumerates all 2**n ways of exchanging two arms.
`holm` corrects the p values of many comparisons. Left out: which comparisons belong together.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Integer, Real
from scipy.optimize import brentq
from scipy.stats import nct, t, ttest_1samp

from brew import randomness as keyed
from brew.errors import BrewError

#: Counts -> one value per leading index (see `brew.evaluation.metrics`).
MetricFunction = Callable[[np.ndarray], np.ndarray]
#: 2**20 arrangements are enumerated at most.
_MOST_UNITS = 20
#: Differences below are rounding.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Interval:
    """A value and its percentile interval; n is the number of resampled units."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation (n - 1) over seeds; std is NaN for a single seed."""

    mean: float
    std: float
    n: int


def seed_spread(values: Float[np.ndarray, " seed"]) -> Spread:
    """Spread of one score over training seeds."""
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 1 or not len(values):
        raise BrewError(f"values of shape {values.shape}; expected one value per seed and at least one seed")
    std = float(values.std(ddof=1)) if len(values) > 1 else float("nan")
    return Spread(float(values.mean()), std, len(values))


def detectable_difference(differences: Float[np.ndarray, " seed"], power: float = 0.8, level: float = 0.95) -> float:
    """The smallest true mean of paired differences that a two-sided t test of so many seeds finds with that power.

    differences: of two arms, one per seed that both were trained with, in any unit; the result has the same.
    With n seeds and deviation s it is d s / sqrt(n), where d is the noncentrality at which the test's power is `power`
    (d = 3.76 for five seeds, .8 and .95). Raises BrewError with fewer than two seeds. Source: Cohen 1988, section 2.
    """
    spread = seed_spread(differences)
    if spread.n < 2:
        raise BrewError("one seed says nothing about other seeds; expected at least two: train both arms with more")
    freedom = spread.n - 1
    limit = t.ppf((1 + level) / 2, freedom)

    shift = brentq(lambda shift: float(nct.sf(limit, freedom, shift)) - power, 0.0, 4.0 * limit + 4.0)
    return shift * spread.std / spread.n**0.5


def paired_t_p(differences: Float[np.ndarray, " seed"]) -> float:
    """Two-sided p of the t test that paired differences have mean 0; of equal ones it is 0, or 1 if they are 0."""
    if np.ptp(differences) <= _ROUNDING * max(1.0, float(np.abs(differences).max())):
        return float(abs(differences[0]) < _ROUNDING)
    return float(ttest_1samp(differences, 0.0).pvalue)


def holm(p: Float[np.ndarray, " test"]) -> Float[np.ndarray, " test"]:
    """Holm's corrected p values of a family of tests: below .05 for any true hypothesis at most one time in twenty.

    NaN is no test: it stays and does not count. Source: Holm 1979, Scandinavian Journal of Statistics 6, 65-70.
    """
    corrected = np.full(len(p), np.nan)
    order = np.argsort(np.where(np.isnan(p), np.inf, p), kind="stable")[: int((~np.isnan(p)).sum())]
    steps = np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(1, np.maximum.accumulate(steps * p[order]))
    return corrected


def resample(units: int, replicates: int, seed: int) -> Integer[np.ndarray, "replicate unit"]:
    """How often each unit occurs in each bootstrap replicate; every row sums to `units`."""
    generator = np.random.Generator(np.random.Philox(key=keyed.key(seed, "bootstrap", units)))
    return generator.multinomial(units, np.full(units, 1 / units), size=replicates)


def bootstrap(
    arms: Mapping[str, Real[np.ndarray, "unit ..."]],
    metric: MetricFunction,
    *,
    seeds: bool = False,
    replicates: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, Interval]:
    """Percentile interval of every arm's score, all arms on the same replicates of test units.

    arms: name -> counts with the unit (sample or whole city) on the first axis, or on the second after a seed axis
    if `seeds`. All arms must hold the same units in the same order. level: of the interval.
    """
    samples = joint_replicates(arms, metric, seeds, replicates, seed)
    return {name: _interval(sample, level, _units(arms[name], seeds)) for name, sample in samples.items()}


def paired_difference(
    arm: Real[np.ndarray, "unit ..."],
    reference: Real[np.ndarray, "unit ..."],
    metric: MetricFunction,
    *,
    seeds: bool = False,
    replicates: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Interval of metric(arm) - metric(reference), both on the same replicates of test units."""
    samples = joint_replicates({"arm": arm, "reference": reference}, metric, seeds, replicates, seed)
    return _interval(samples["arm"] - samples["reference"], level, _units(arm, seeds))


def _units(counts: np.ndarray, seeds: bool) -> int:
    return counts.shape[1 if seeds else 0]


def joint_replicates(
    arms: Mapping[str, np.ndarray], metric: MetricFunction, seeds: bool, replicates: int = 2000, seed: int = 0
) -> dict[str, np.ndarray]:
    """Per arm: the score of all units as they are, then of every replicate; all arms on the same replicates."""
    sizes = {name: _units(counts, seeds) for name, counts in arms.items()}
    if len(set(sizes.values())) != 1 or 0 in sizes.values():
        raise BrewError(f"arms hold {sizes} test units; expected the same, not empty: evaluate them on one test set")
    units = next(iter(sizes.values()))
    weights = np.concatenate([np.ones((1, units), dtype=np.int64), resample(units, replicates, seed)])
    return {name: _weighted(counts, weights, metric, seeds) for name, counts in arms.items()}


def _weighted(counts: np.ndarray, weights: np.ndarray, metric: MetricFunction, seeds: bool) -> np.ndarray:
    runs = counts if seeds else counts[None]
    # Products of float64 use BLAS and are exact here: counts stay far below 2**53.
    flat = runs.reshape(len(runs), runs.shape[1], -1).astype(np.float64)
    values = [metric((weights.astype(np.float64) @ run).reshape(len(weights), *runs.shape[2:])) for run in flat]
    return np.mean(values, axis=0)


def _interval(sample: np.ndarray, level: float, units: int) -> Interval:
    low, high = np.quantile(sample[1:], [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(sample[0]), float(low), float(high), units)


def unit_values(values: Float[np.ndarray, " unit"]) -> Float[np.ndarray, "unit 2"]:
    """Values of single units (such as each city's F1) in the form of counts, whose metric is `mean_of_units`."""
    values = np.asarray(values, dtype=np.float64)
    return np.stack([values, np.ones_like(values)], axis=-1)


def mean_of_units(summed: Float[np.ndarray, "*replicate 2"]) -> Float[np.ndarray, "*replicate"]:
    """The mean over units of what `unit_values` holds."""
    return summed[..., 0] / summed[..., 1]


def exact_swap_test(
    arm: Real[np.ndarray, "unit ..."], reference: Real[np.ndarray, "unit ..."], metric: MetricFunction
) -> float:
    """Two-sided p value of metric(arm) - metric(reference), by exchanging the arms' counts in every subset of units.

    Under the hypothesis that both arms are alike, each of the 2**n exchanges is as likely as what was observed.
    Exact for pooled scores; the smallest possible p is 2 / 2**n. Raises BrewError above 20 units.
    """
    if arm.shape != reference.shape:
        raise BrewError(f"arms of shapes {arm.shape} and {reference.shape}; expected counts of the same test units")
    swapped = _arrangements(len(arm)).astype(np.float64)
    shape = (len(swapped), *arm.shape[1:])
    one, other = (counts.reshape(len(arm), -1).astype(np.float64) for counts in (arm, reference))
    differences = metric(((1 - swapped) @ one + swapped @ other).reshape(shape)) - metric(
        (swapped @ one + (1 - swapped) @ other).reshape(shape)
    )
    return _share_as_extreme(differences)


def _arrangements(units: int) -> Integer[np.ndarray, "arrangement unit"]:
    """All subsets of the units as 0/1 rows; the first is empty (what was observed)."""
    if not 0 < units <= _MOST_UNITS:
        raise BrewError(
            f"{units} test units; an exact test enumerates 2**n arrangements and expects 1 to {_MOST_UNITS}: "
            "pool the samples into whole scenes, or use paired_difference"
        )
    return (np.arange(2**units)[:, None] >> np.arange(units)) & 1


def _share_as_extreme(differences: np.ndarray) -> float:
    # The tolerance keeps arrangements that equal the observed one up to rounding on its side.
    observed = abs(differences[0])
    return float(np.mean(np.abs(differences) >= observed - 1e-12))
