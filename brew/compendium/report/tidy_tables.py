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
from brew.compendium.report.gains import Gain, gain
from brew.compendium.report.joint import ModelReplicates, Replicates, average, average_ranks, interval, ranks
from brew.compendium.report.paper import MODALITIES
from brew.compendium.report.scored import Scored
from brew.compendium.report.seeds import standing
from brew.compendium.report.summary import benchmarks_in, in_order
from brew.compendium.report.tables.doubt_tables import doubt_rows
from brew.evaluation.benchmarks import BENCHMARKS

_MEANS = ["group", "benchmarks", "backbone", "value", "low", "high", "seeds", "apart", "unit"]
_PAIRS = ["on", "label fraction", "arm", "less", "value", "low", "high", "low over seeds", "high over seeds", "seeds",
          "detectable", "p", "p over seeds", "rounding", "parts", "n", "unit"]  # fmt: skip
#: Digits that are kept, of percent and points: a page rounds once more, and must not come to another number by that.
_DIGITS = 5


def results(scored: Scored) -> pd.DataFrame:
    """A row per benchmark, share of the labels and backbone: the primary score with its doubts.

    low, high: the 95 % interval over n test samples, of the unit that is resampled. apart: why a score has no place in
    the order of its column; empty if it has one. leads: whether it is ahead of every other one of the column, each
    difference outside its interval.
    """
    table = doubt_rows(scored).round(_DIGITS)
    columns = {
        place: standing(scored, [place[0]], place[1])
        for place in {(row["benchmark"], row["label fraction"]) for row in table.to_dict("records")}
    }
    leaders = {place: each.leader for place, each in columns.items()}
    places = list(zip(table["benchmark"], table["label fraction"], table["backbone"], strict=True))
    table["apart"] = [columns[name, share].share(backbone) for name, share, backbone in places]
    table["leads"] = [leaders[name, share] == backbone for name, share, backbone in places]
    return table


def means(scored: Scored) -> pd.DataFrame:
    """A row per group of benchmarks and backbone that has a seed on all of the group: the mean, and its interval."""
    rows = []
    for title, names in groups(scored).items():
        found = standing(scored, names)
        for backbone, values in found.replicates.items():
            low, high = interval(values)
            seeds = len(found.seeds[backbone]) or 1
            row = (title, " ".join(names), backbone, values[0], low, high, seeds, found.share(backbone), "%")
            rows.append(dict(zip(_MEANS, row, strict=True)))
    return pd.DataFrame(rows, columns=_MEANS).round(_DIGITS)


def groups(scored: Scored) -> dict[str, list[str]]:
    """The groups over which gains are taken, with their benchmarks of the scale."""
    members = {title: group.members(benchmarks_in(scored.summary)) for title, group in GROUPS.items()}
    return {title: names for title, names in members.items() if names}


def pairs(scored: Scored) -> pd.DataFrame:
    """Every backbone less every later one, on every benchmark and group that both were scored on, at shared seeds.

    low, high: over test samples. low, high over seeds: Student's over paired seeds of pretraining. detectable: the
    smallest difference that so many seeds find four times out of five. p, p over seeds: not corrected. rounding: the
    difference that rounding alone may give. parts: of each benchmark of a mean. n: benchmarks.
    """
    places = {name: [name] for name in benchmarks_in(scored.summary)} | groups(scored)
    shares = sorted({fraction for _, fraction in scored.replicates}, reverse=True)
    rows = [
        _row(title, fraction, found, len(names))
        for title, names in places.items()
        for fraction in shares
        for arm, less in combinations(in_order(standing(scored, names, fraction).replicates), 2)
        for found in [gain(scored, names, arm, less, fraction)]
        if found is not None
    ]
    return pd.DataFrame(rows, columns=_PAIRS).round(_DIGITS)


def _row(title: str, fraction: float, found: Gain, benchmarks: int) -> dict[str, object]:
    seeds = found.over_seeds
    parts = " ".join(f"{name}:{points:.{_DIGITS}f}" for name, points in found.parts)
    numbers = found.points, found.low, found.high, seeds.low, seeds.high, seeds.seeds, seeds.detectable
    row = (title, fraction, found.arm, found.reference, *numbers, found.p, seeds.p, found.least, parts, benchmarks,
           "points")  # fmt: skip
    return dict(zip(_PAIRS, row, strict=True))


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
    backbone first, ties included. Ranked is what stands in order on every benchmark of the paper's two modalities.
    """
    names = [name for name in benchmarks_in(scored.summary) if BENCHMARKS[name].modality in MODALITIES]
    found = [standing(scored, [name]).ordered for name in names if scored.of(name)]
    each = [{one: values for one, values in part.items() if one not in REFERENCES} for part in found]
    rows = [
        {"aggregation": title, "backbone": backbone, "place": places[0], "low": interval(places)[0],
         "high": interval(places)[1], "first": float((places[1:] == best[1:]).mean()), "n": len(each), "unit": "place"}
        for title, aggregate in AGGREGATIONS.items()
        for ranked in [ranks({name: -values for name, values in aggregate(each).items()})]
        if ranked
        for best in [np.min(list(ranked.values()), axis=0)]
        for backbone, places in ranked.items()
    ]  # fmt: skip
    columns = ["aggregation", "backbone", "place", "low", "high", "first", "n", "unit"]
    return pd.DataFrame(rows, columns=columns).round(_DIGITS)


def _over_ranks(each: Sequence[ModelReplicates], summary: Callable[[np.ndarray], Replicates]) -> dict[str, Replicates]:
    shared = average(each).keys()
    ranked = [ranks({name: found[name] for name in shared}) for found in each]
    return {name: summary(np.stack([found[name] for found in ranked])) for name in shared}
