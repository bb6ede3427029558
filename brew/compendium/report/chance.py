"""What a map scores that has not looked at its image, from the labels of the test alone.

Both rows know the classes' frequencies in the test, so they are the most that guessing can reach. Confusion counts have
the true class in rows (`brew.evaluation.metrics`).
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from jaxtyping import Float, Real

from brew.compendium.report.formatting import number, told_apart
from brew.compendium.report.joint import ModelReplicates, interval, replicates_of
from brew.compendium.report.style import label
from brew.compendium.report.summary import in_order
from brew.evaluation.benchmarks import Benchmark

Counts = Real[np.ndarray, "unit classes classes"]


def commonest(counts: Counts) -> Counts:
    """The commonest class everywhere."""
    truth = counts.sum(axis=2)
    guessed = np.zeros_like(counts)
    guessed[:, :, truth.sum(axis=0).argmax()] = truth
    return guessed


def by_frequency(counts: Counts) -> Float[np.ndarray, "unit classes classes"]:
    """Every class drawn as often as it occurs, in the mean over replicates."""
    truth = counts.sum(axis=2)
    frequency = truth.sum(axis=0) / truth.sum()
    return truth[:, :, None] * frequency


def chance_replicates(benchmark: Benchmark, counts: Counts) -> ModelReplicates:
    """Both guesses on the replicates of the comparison. counts: of any backbone, since all share their labels."""
    guesses = {"commonest class": commonest(counts), "classes drawn by frequency": by_frequency(counts)}
    return replicates_of(benchmark, guesses)


def beside_chance(
    replicates: ModelReplicates, guesses: ModelReplicates, spread: Mapping[str, float], reference: str = "random"
) -> pd.DataFrame:
    """Guesses, then backbones: each one's score, and what it is ahead of `reference`, in percent and points."""
    names = [*guesses, *in_order(replicates)]
    every = {**guesses, **replicates}
    ahead = {name: "" if name == reference else _ahead(every[name] - replicates[reference]) for name in names}
    return pd.DataFrame({
        "backbone": [label(name) for name in names],
        "score": [number(every[name][0], spread.get(name, np.nan), *interval(every[name])) for name in names],
        f"less {label(reference)}": list(ahead.values()),
    })  # fmt: skip


def _ahead(difference: Float[np.ndarray, " replicate"]) -> str:
    return told_apart(difference[0], *interval(difference))
