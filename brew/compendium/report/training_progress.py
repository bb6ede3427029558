"""What the arms learned along their training, from counts of linear probes: curves, gains, and their summary."""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from brew.compendium.report.convergence import convergence
from brew.compendium.report.formatting import signed
from brew.compendium.report.joint import over_seeds, primary_metric
from brew.evaluation.benchmarks import BENCHMARKS
from brew.evaluation.statistics import bootstrap, paired_difference

#: (benchmark, arm, seed, step) -> counts per validation image. The untrained trunk is the arm "random" at step 0.
Counts = Mapping[tuple[str, str, int, int], np.ndarray]
#: What a gain is taken since -> the head of its column.
SINCE = {"untrained": "over the untrained trunk", "two thirds": "in the last third"}
NOT_KEPT = "not kept"
_CURVES = ["benchmark", "modality", "arm", "seed", "step", "score", "low", "high", "images"]
_GAINS = ["benchmark", "arm", "seed", "since", "gain", "low", "high"]
_SUMMARY = ["arm", "benchmarks", *SINCE.values(), "convergence", "seeds"]


def curves(counts: Counts) -> pd.DataFrame:
    """The score of every kept student on every benchmark, with the 95 % interval over validation images."""
    return pd.DataFrame([_scored(*each) for each in counts.items()], columns=_CURVES).round(6)


def _scored(place: tuple[str, str, int, int], counts: np.ndarray) -> tuple[object, ...]:
    name, arm, seed, step = place
    found = bootstrap({arm: counts}, primary_metric(BENCHMARKS[name]))[arm]
    return name, BENCHMARKS[name].modality, arm, seed, step, found.value, found.low, found.high, found.n


def learned(counts: Counts) -> pd.DataFrame:
    """Of every run and benchmark: the last step less the untrained trunk, and less the step after two thirds."""
    return pd.DataFrame(list(_gains(counts)), columns=_GAINS)


def _gains(counts: Counts) -> Iterator[tuple[object, ...]]:
    for name, arm, seed in dict.fromkeys(place[:3] for place in counts if place[1] != "random"):
        steps = sorted(step for *own, step in counts if own == [name, arm, seed])
        last = counts[name, arm, seed, steps[-1]]
        earlier = {"untrained": counts[name, "random", 0, 0]}
        if two_thirds := [step for step in steps if abs(step - 2 / 3 * steps[-1]) <= 1]:
            earlier["two thirds"] = counts[name, arm, seed, two_thirds[0]]
        for since, before in earlier.items():
            found = paired_difference(last, before, primary_metric(BENCHMARKS[name]))
            yield name, arm, seed, since, found.value, found.low, found.high


def summary(gains: pd.DataFrame, converged: float) -> pd.DataFrame:
    """Arm by arm and modality by modality, in points: means over benchmarks and seeds, with the verdict.

    gains: of `learned`. The interval is Student's over seeds. converged: points, of `convergence`.
    """
    modality = gains["benchmark"].map(lambda name: BENCHMARKS[name].modality)
    means = (
        gains.assign(modality=modality, gain=100 * gains["gain"])
        .groupby(["arm", "modality", "since", "seed"], sort=False)["gain"]
        .mean()
    )
    rows = []
    for (arm, modality), part in means.groupby(["arm", "modality"], sort=False):
        values = {since: part[part.index.get_level_values("since") == since].to_numpy() for since in SINCE}
        last = values["two thirds"]
        rows.append(
            {"arm": arm, "benchmarks": modality}
            | {SINCE[since]: _points(each) for since, each in values.items()}
            | {"convergence": convergence(last, converged) if len(last) else NOT_KEPT}
            | {"seeds": part.index.get_level_values("seed").nunique()}
        )
    return pd.DataFrame(rows, columns=_SUMMARY)


def _points(values: np.ndarray) -> str:
    if not len(values):
        return NOT_KEPT
    return f"{values.mean():+.1f}" if len(values) < 2 else signed(values.mean(), *over_seeds(values))
