"""The tidy tables behind the report: a number per column, a row per thing that was measured, no marks and no brackets.

What is printed of them (digits, brackets, bold) is the business of tables and pages. Everything is in percent, and a
difference in points. An empty cell was not measured.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from brew.compendium.report.arm_gains import GROUPS
from brew.compendium.report.columns import REFERENCES
from brew.compendium.report.gains import gain
from brew.compendium.report.joint import ModelReplicates, Replicates, average, average_ranks, interval, ranks
from brew.compendium.report.paper import MODALITIES
from brew.compendium.report.scored import Scored
from brew.compendium.report.summary import benchmarks_in, in_order
from brew.evaluation.benchmarks import BENCHMARKS

#: Of `summarise` -> of the table.
_RESULTS = {
    "benchmark": "benchmark", "label_fraction": "label fraction", "backbone": "backbone", "metric": "metric",
    "score": "value", "low": "low", "high": "high", "unit": "unit", "n": "n", "seeds": "seeds",
    "spread": "deviation over seeds",
}  # fmt: skip
_PAIRS = ["on", "label fraction", "arm", "less", "value", "low", "high", "low over seeds", "high over seeds", "seeds",
          "detectable"]  # fmt: skip
#: Digits that are kept, of percent and points.
_DIGITS = 3


def results(scored: Scored) -> pd.DataFrame:
    """A row per benchmark, share of the labels and backbone: the primary score with its doubts.

    low, high: the 95 % interval over n test samples, of the unit that is resampled.
    """
    return scored.summary[list(_RESULTS)].rename(columns=_RESULTS).round(_DIGITS)


def means(scored: Scored) -> pd.DataFrame:
    """A row per group of benchmarks and backbone that was scored on all of the group: the mean, and its interval."""
    rows = [
        {"group": title, "benchmarks": " ".join(names), "backbone": backbone, "value": values[0],
         "low": interval(values)[0], "high": interval(values)[1]}
        for title, names in groups(scored).items()
        for backbone, values in average([scored.of(name) for name in names]).items()
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["group", "benchmarks", "backbone", "value", "low", "high"]).round(_DIGITS)


def groups(scored: Scored) -> dict[str, list[str]]:
    """The groups over which gains are taken, with their benchmarks of the scale."""
    members = {title: group.members(benchmarks_in(scored.summary)) for title, group in GROUPS.items()}
    return {title: names for title, names in members.items() if names}


def pairs(scored: Scored) -> pd.DataFrame:
    """Every backbone less every later one, on every benchmark and group that both were scored on.

    low, high: over test samples. low, high over seeds: Student's over paired seeds of pretraining. detectable: the
    smallest difference that so many seeds find four times out of five.
    """
    places = {name: [name] for name in benchmarks_in(scored.summary)} | groups(scored)
    shares = sorted({fraction for _, fraction in scored.replicates}, reverse=True)
    rows = [
        _pair(scored, title, names, fraction, arm, less)
        for title, names in places.items()
        for fraction in shares
        for arm, less in combinations(_on_all(scored, names, fraction), 2)
    ]
    return pd.DataFrame([row for row in rows if row], columns=_PAIRS).round(_DIGITS)


def _on_all(scored: Scored, names: Sequence[str], fraction: float) -> list[str]:
    return in_order(average([scored.of(name, fraction) for name in names]))


def _pair(
    scored: Scored, title: str, names: Sequence[str], fraction: float, arm: str, less: str
) -> dict[str, object] | None:
    found = gain(scored, names, arm, less, fraction)
    if found is None:
        return None
    seeds = found.over_seeds
    ends = found.low, found.high, seeds.low, seeds.high, seeds.seeds, seeds.detectable
    return dict(zip(_PAIRS, (title, fraction, arm, less, found.points, *ends), strict=True))


#: Name of an aggregation -> benchmarks' replicates by backbone -> one number per replicate, of which less is better.
AGGREGATIONS: Mapping[str, Callable[[Sequence[ModelReplicates]], ModelReplicates]] = {
    "mean of ranks": average_ranks,
    "mean of scores": lambda each: {name: -values for name, values in average(each).items()},
    "median of ranks": lambda each: _over_ranks(each, lambda stacked: np.median(stacked, axis=0)),
    "worst rank": lambda each: _over_ranks(each, lambda stacked: stacked.max(axis=0)),
    "benchmarks led": lambda each: _over_ranks(each, lambda stacked: -(stacked == 1).sum(axis=0).astype(float)),
}


def orders(scored: Scored) -> pd.DataFrame:
    """The place of every backbone over all benchmarks, under each aggregation, with the interval of the place.

    Places are taken anew within every replicate of the test samples. first: the share of replicates that put the
    backbone first, ties included. Ranked is what was scored on every benchmark of the paper's two modalities.
    """
    names = [name for name in benchmarks_in(scored.summary) if BENCHMARKS[name].modality in MODALITIES]
    kept = [name for name in names if scored.of(name)]
    each = [{one: values for one, values in scored.of(name).items() if one not in REFERENCES} for name in kept]
    rows = [
        {"aggregation": title, "backbone": backbone, "place": places[0], "low": interval(places)[0],
         "high": interval(places)[1], "first": float((places[1:] == places_of.min(axis=0)[1:]).mean())}
        for title, aggregate in AGGREGATIONS.items()
        for found in [ranks({name: -values for name, values in aggregate(each).items()})]
        for places_of in [np.stack(list(found.values())) if found else np.empty((0, 0))]
        for backbone, places in found.items()
    ]  # fmt: skip
    columns = ["aggregation", "backbone", "place", "low", "high", "first"]
    return pd.DataFrame(rows, columns=columns).round(_DIGITS)


def _over_ranks(each: Sequence[ModelReplicates], summary: Callable[[np.ndarray], Replicates]) -> dict[str, Replicates]:
    shared = average(each).keys()
    ranked = [ranks({name: found[name] for name in shared}) for found in each]
    return {name: summary(np.stack([found[name] for found in ranked])) for name in shared}
