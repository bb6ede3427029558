"""Part of stage `change`: every backbone's F1 less the reference's, on the same test scenes."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from brew.compendium.compared_models import compared_models, distinct
from brew.compendium.stages import Stage
from brew.evaluation.benchmarks import Benchmark
from brew.evaluation.metrics import f1_binary
from brew.evaluation.scores import read_counts
from brew.evaluation.statistics import exact_swap_test, paired_difference

#: Compared beside the models of the scale.
_REFERENCES = ("cva", "fc-siam-diff")
#: So many test scenes are few: all exchanges of them can be tried.
_FEW = 20
_COLUMNS = ["benchmark", "backbone", "less", "difference in F1", "95 % over test", "p (exact)"]


def differences(stage: Stage, reference: str = "ms-only") -> pd.DataFrame:
    """F1 of every backbone less the reference's, with an interval from resampling scenes jointly.

    If few scenes are tested, p is exact over all exchanges of the two backbones in any subset of them; an interval from
    ten scenes is approximate. The interval averages the seeds that both have, and all of the reference's seeds against
    what has no decoder. The exact test takes the first seed.
    """
    rows = [row for benchmark in stage.benchmarks("change") for row in _differences(stage, benchmark, reference)]
    table = pd.DataFrame(rows, columns=_COLUMNS)
    table.to_csv(stage.layout.write("change") / "differences.csv", index=False)
    return table


def _differences(stage: Stage, benchmark: Benchmark, reference: str) -> Iterator[dict[str, object]]:
    folder = stage.layout.write("change") / "counts"
    found = compared_models(stage, benchmark.sensor)
    own: defaultdict[str, list[int]] = defaultdict(list)
    for model in found:
        own[model.name] += model.seeds(stage.settings.evaluation.seeds)
    names = [model.name for model in distinct(found)] + list(_REFERENCES)
    for name in (name for name in names if name != reference and reference in names):
        seeds = [seed for seed in own[reference] if seed in own.get(name, own[reference])]
        one, other = (_counts(folder, benchmark, each, seeds) for each in (name, reference))
        interval = paired_difference(one, other, f1_binary, seeds=True)
        yield {
            "benchmark": benchmark.name, "backbone": name, "less": reference,
            "difference in F1": round(100 * interval.value, 1),
            "95 % over test": f"{100 * interval.low:.1f} to {100 * interval.high:.1f}",
            "p (exact)": f"{exact_swap_test(one[0], other[0], f1_binary):.3f}" if one.shape[1] <= _FEW else "",
        }  # fmt: skip


def _counts(folder: Path, benchmark: Benchmark, name: str, seeds: Sequence[int]) -> np.ndarray:
    """Counts (seed, scene, 2, 2); of what was run with fewer seeds, the first one's again."""
    files = [folder / f"{benchmark.name}-{name}-{seed}.npz" for seed in seeds]
    return np.stack([read_counts(file if file.exists() else files[0])[0] for file in files])
