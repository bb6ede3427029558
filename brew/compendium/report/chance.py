"""What a map scores that has not looked at its image, from the labels of the test alone.

Both rows know the classes' frequencies in the test, so they are the most that guessing can reach. Confusion counts have
the true class in rows (`brew.evaluation.metrics`).
"""

import numpy as np
from jaxtyping import Float, Real

from brew.compendium.report.joint import ModelReplicates, replicates_of
from brew.evaluation.benchmarks import Benchmark

Counts = Real[np.ndarray, "unit classes classes"]


def commonest(counts: Counts) -> Counts:
    """Counts of a map that shows the commonest class everywhere."""
    truth = counts.sum(axis=2)
    guessed = np.zeros_like(counts)
    guessed[:, :, truth.sum(axis=0).argmax()] = truth
    return guessed


def by_frequency(counts: Counts) -> Float[np.ndarray, "unit classes classes"]:
    """Counts of a map that draws every class as often as it occurs, in the mean over draws."""
    truth = counts.sum(axis=2)
    frequency = truth.sum(axis=0) / truth.sum()
    return truth[:, :, None] * frequency


def chance_replicates(benchmark: Benchmark, counts: Counts) -> ModelReplicates:
    """Both guesses on the replicates of the comparison. counts: of any backbone, since all share their labels."""
    guesses = {"commonest class": commonest(counts), "classes drawn by frequency": by_frequency(counts)}
    return replicates_of(benchmark, guesses)
