"""What was scored: the rows and counts that the evaluation stages left, as tables and figures take them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from brew.compendium.report.joint import Replicates, replicates_of
from brew.compendium.report.paper import TASKS
from brew.compendium.report.rounding import Noise, noise_of
from brew.compendium.report.scored import Runs, Scored, means
from brew.compendium.report.summary import is_primary, summarise
from brew.compendium.stages import Stage
from brew.errors import BrewError
from brew.evaluation.benchmark_metrics import scored_as
from brew.evaluation.benchmarks import BENCHMARKS, Benchmark
from brew.evaluation.protocols import COMMON
from brew.evaluation.scores import Score, read_counts, read_scores
from brew.files import Layout

#: The deviation of every score over reruns that differ by rounding alone, in a scale's folder of reports.
NOISE = "noise.csv"


def all_scores(stage: Stage) -> list[Score]:
    """The rows of every task that was run."""
    files = [stage.layout.read(task) / "scores.csv" for task in TASKS]
    return [score for file in files if file.exists() for score in read_scores(file)]


def scored(stage: Stage) -> Scored:
    """Primary scores with intervals recomputed from counts, all backbones on the same replicates of test samples.

    Raises BrewError if the counts of a score are absent, or if backbones were tested on different samples.
    """
    rows = all_scores(stage)
    found = {
        name: _by_protocol(stage, rows, name) for name in {score.protocol: None for score in rows} | {COMMON: None}
    }
    others = {name: each for name, each in found.items() if name != COMMON}
    readings = [score for score in rows if score.subset == "all"] if others else []
    return replace(found[COMMON], protocols=others, readings=readings)


def _by_protocol(stage: Stage, scores: Sequence[Score], protocol: str) -> Scored:
    """What was scored by one protocol."""
    rows = [score for score in scores if is_primary(score, protocol)]
    files: defaultdict[tuple[str, float], dict[tuple[str, int, int], Path]] = defaultdict(dict)
    for row in rows:
        files[row.benchmark, row.label_fraction][row.arm, row.seed, row.decoder] = _counts_file(stage, row)
    runs = {key: _runs(scored_as(BENCHMARKS[key[0]], protocol), of_runs) for key, of_runs in files.items()}
    summary = summarise(rows, {key: means(arms) for key, arms in runs.items()})
    return Scored(runs, summary, labelled=_labelled(stage), noise=_noise(stage))


def _noise(stage: Stage) -> Noise:
    """What rounding alone changes, if it was measured at the scale (`NOISE` beside its report)."""
    file = Layout(stage.settings.scale.name).site / NOISE
    if not file.exists():
        return Noise()
    table = pd.read_csv(file)
    metrics = {name: entry.metric for name, entry in BENCHMARKS.items()}
    return noise_of(table[(table["subset"] == "all") & (table["metric"] == table["benchmark"].map(metrics))])


def counts_of(stage: Stage, benchmark: str) -> dict[str, dict[tuple[int, int], np.ndarray]]:
    """Backbone -> (seed, decoder) -> counts per test sample, of what was scored on the benchmark from all labels."""
    found: defaultdict[str, dict[tuple[int, int], np.ndarray]] = defaultdict(dict)
    for row in all_scores(stage):
        if is_primary(row) and (row.benchmark, row.label_fraction) == (benchmark, 1):
            found[row.arm][row.seed, row.decoder] = read_counts(_counts_file(stage, row))[0]
    return dict(found)


def _labelled(stage: Stage) -> dict[tuple[str, float], int]:
    """Benchmark and label fraction -> how many training samples they are."""
    files = [stage.layout.read(task) / "labelled.csv" for task in TASKS]
    rows = [row for file in files if file.exists() for row in pd.read_csv(file).itertuples(index=False)]
    return {(row.benchmark, row.label_fraction): row.samples for row in rows}


def _counts_file(stage: Stage, row: Score) -> Path:
    """The file of the counts per test sample that the score comes from; of classification, the linear probe's."""
    stem, folder = row.run_name, stage.layout.read(row.task) / "counts"
    for file in (folder / f"{stem}.npz", folder / f"{stem}-linear.npz"):
        if file.exists():
            return file
    raise BrewError(f"{folder} holds no counts {stem}; expected those of every score. Run its stage again")


def _runs(benchmark: Benchmark, files: Mapping[tuple[str, int, int], Path]) -> dict[str, Runs]:
    """Backbone -> its runs, all of the same test samples. files: by backbone, seed and decoder."""
    found = {run: read_counts(file) for run, file in files.items()}
    if len({tuple(units) for _, units in found.values()}) > 1:
        raise BrewError(
            f"backbones of {benchmark.name} were tested on different samples; expected the same. Run its stage again"
        )
    drawn = replicates_of(benchmark, {" ".join(map(str, run)): counts for run, (counts, _) in found.items()})
    runs: dict[str, dict[int, dict[int, Replicates]]] = {}
    for arm, seed, decoder in sorted(found):
        runs.setdefault(arm, {}).setdefault(seed, {})[decoder] = drawn[f"{arm} {seed} {decoder}"]
    return dict(runs)
