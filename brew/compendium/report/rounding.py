"""What rounding alone changes of a score, and so the least difference that can be told.

A training that starts from weights that differ by rounding ends at another score. The deviation over such reruns is a
third doubt, beside test samples and seeds. A difference that lies below it is never told as a finding.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

#: A share of .95 of what rounding alone gives lies within so many deviations.
_WITHIN = 1.96
#: The column of deviations, of scores in [0, 1].
DEVIATION = "numerical_deviation"


@dataclass(frozen=True)
class Noise:
    """Numerical deviations in points: (benchmark, share of the labels, backbone, seed) -> of that seed's score.

    An entry that is absent was not measured and counts as 0.
    """

    deviations: Mapping[tuple[str, float, str, int], float] = field(default_factory=dict)

    def of_mean(self, names: Sequence[str], label_fraction: float, backbone: str, seeds: Sequence[int]) -> float:
        """The deviation of the mean over seeds and over the benchmarks `names`."""
        each = [self.deviations.get((name, label_fraction, backbone, seed), 0.0) for name in names for seed in seeds]
        return math.hypot(*each) / len(each) if each else 0.0

    def least(
        self, names: Sequence[str], label_fraction: float, backbones: Sequence[str], seeds: Sequence[int]
    ) -> float:
        """The least difference of two backbones that rounding alone does not give, in points."""
        return _WITHIN * math.hypot(*(self.of_mean(names, label_fraction, each, seeds) for each in backbones))


def noise_of(table: pd.DataFrame | None) -> Noise:
    """From a table of reruns, whose scores lie in [0, 1]; without one nothing is known.

    table: columns benchmark, label_fraction, arm, seed and `DEVIATION`, of primary metrics. Decoders of a
    seed, a row each, are averaged as their scores are.
    """
    if table is None:
        return Noise()
    keys = ["benchmark", "label_fraction", "arm", "seed"]
    of_means = table.groupby(keys)[DEVIATION].agg(lambda each: math.hypot(*each) / len(each))
    return Noise({key: 100 * float(value) for key, value in of_means.items()})
