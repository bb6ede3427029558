"""What was scored: the rows and counts that the evaluation stages left, as tables and figures take them."""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from brew.compendium.report.joint import Replicates, replicates_of
from brew.compendium.report.paper import TASKS
from brew.compendium.report.scored import Scored
from brew.compendium.report.summary import is_primary, summarise
from brew.compendium.stages import Stage
from brew.errors import BrewError
from brew.evaluation.benchmarks import BENCHMARKS
from brew.evaluation.scores import Score, read_counts, read_scores


def all_scores(stage: Stage) -> list[Score]:
    """The rows of every task that was run."""
    files = [stage.layout.read(task) / "scores.csv" for task in TASKS]
    return [score for file in files if file.exists() for score in read_scores(file)]


def scored(stage: Stage) -> Scored:
    """Primary scores with intervals recomputed from counts, all backbones on the same replicates of test samples.

    Raises BrewError if the counts of a score are absent, or if backbones were tested on different samples.
    """
    rows = [score for score in all_scores(stage) if is_primary(score)]
    files: defaultdict[tuple[str, float], dict[tuple[str, int], Path]] = defaultdict(dict)
    for row in rows:
        files[row.benchmark, row.label_fraction][row.arm, row.seed] = _counts_file(stage, row)
    runs = {key: _runs(key[0], of_runs) for key, of_runs in files.items()}
    replicates = {
        key: {arm: np.mean(list(seeds.values()), axis=0) for arm, seeds in arms.items()} for key, arms in runs.items()
    }
    return Scored(replicates, summarise(rows, replicates), labelled=_labelled(stage), runs=runs)


def counts_of(stage: Stage, benchmark: str) -> dict[str, dict[int, np.ndarray]]:
    """Backbone -> seed -> confusion counts per test sample, of what was scored on the benchmark from all labels."""
    found: defaultdict[str, dict[int, np.ndarray]] = defaultdict(dict)
    for row in all_scores(stage):
        if is_primary(row) and (row.benchmark, row.label_fraction) == (benchmark, 1):
            found[row.arm][row.seed] = read_counts(_counts_file(stage, row))[0]
    return dict(found)


def _labelled(stage: Stage) -> dict[tuple[str, float], int]:
    """Benchmark and label fraction -> how many training samples they are."""
    files = [stage.layout.read(task) / "labelled.csv" for task in TASKS]
    rows = [row for file in files if file.exists() for row in pd.read_csv(file).itertuples(index=False)]
    return {(row.benchmark, row.label_fraction): row.samples for row in rows}


def _counts_file(stage: Stage, row: Score) -> Path:
    """The file of the counts per test sample that the score comes from; of classification, the linear probe's."""
    fraction = "" if row.label_fraction == 1 else f"-{row.label_fraction:g}"
    stem = f"{row.benchmark}-{row.arm}-{row.seed}{fraction}"
    folder = stage.layout.read(row.task) / "counts"
    for file in (folder / f"{stem}.npz", folder / f"{stem}-linear.npz"):
        if file.exists():
            return file
    raise BrewError(f"{folder} holds no counts {stem}; expected those of every score. Run its stage again")


def _runs(benchmark: str, files: Mapping[tuple[str, int], Path]) -> dict[str, dict[int, Replicates]]:
    """Backbone -> seed -> replicates, all of the same test samples."""
    found = {run: read_counts(file) for run, file in files.items()}
    if len({tuple(units) for _, units in found.values()}) > 1:
        raise BrewError(
            f"backbones of {benchmark} were tested on different samples; expected the same. Run its stage again"
        )
    drawn = replicates_of(
        BENCHMARKS[benchmark], {f"{arm} {seed}": counts for (arm, seed), (counts, _) in found.items()}
    )
    runs: defaultdict[str, dict[int, Replicates]] = defaultdict(dict)
    for arm, seed in found:
        runs[arm][seed] = drawn[f"{arm} {seed}"]
    return runs
