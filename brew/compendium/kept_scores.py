"""The files that an evaluation leaves: scores, the counts that they come from, predictions and validation's choices."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from brew.compendium.scoring import FinishedRun
from brew.compendium.stage import Stage
from brew.evaluation.benchmarks import BENCHMARKS, Benchmark, Task
from brew.evaluation.protocols import COMMON
from brew.evaluation.scores import Score, read_scores, write_arrays, write_counts, write_scores

#: Counts per test unit, (unit, class, class) or (unit, label, 2, 2), and the units' names.
Counts = tuple[np.ndarray, Sequence[str]]


def has_readings(stage: Stage) -> bool:
    """Whether predictions are scored by all readings of a metric: if the scale asks for more than brew's protocol."""
    return stage.settings.evaluation.protocols != (COMMON,)


def keep_scores(
    stage: Stage, task: Task, finished: Sequence[FinishedRun], scores: Sequence[Score], counts: Mapping[str, Counts]
) -> None:
    """Write the task's scores, the counts by name, and how many samples each fraction of the training labels is."""
    folder = stage.layout.write(task)
    sizes = {
        (each.benchmark.name, each.run.label_fraction): each.training_samples
        for each in finished
        if each.training_samples is not None
    }
    rows = [(benchmark, fraction, samples) for (benchmark, fraction), samples in sizes.items()]
    pd.DataFrame(rows, columns=["benchmark", "label_fraction", "samples"]).to_csv(folder / "labelled.csv", index=False)
    (folder / "scores.csv").unlink(missing_ok=True)
    write_scores(folder / "scores.csv", scores)
    for name, (values, units) in counts.items():
        write_counts(folder / "counts" / f"{name}.npz", values, units)


def keep_predictions(stage: Stage, task: Task, finished: Sequence[FinishedRun]) -> None:
    """Write the arrays of the first decoder on each model's first seed from all labels, which pictures show."""
    folder = stage.layout.write(task)
    for each in finished:
        if (each.run.seed, each.run.decoder, each.run.label_fraction, each.run.protocol) == (0, 0, 1, COMMON):
            write_arrays(prediction_file(folder, each.benchmark, each.run.arm), each.result.arrays)


def prediction_file(folder: Path, benchmark: Benchmark, model: str) -> Path:
    """Where the predictions of a model lie in a task's folder."""
    return folder / "predictions" / f"{benchmark.name}--{model}.npz"


def keep_choices(stage: Stage, task: Task, finished: Sequence[FinishedRun]) -> None:
    """Write what validation chose in each run: the values of the run's result, a column each."""
    names = {"benchmark": "benchmark", "arm": "backbone"} | {
        name: name for name in ("seed", "decoder", "label_fraction", *["protocol"] * has_readings(stage))
    }
    rows = [{title: getattr(each.run, name) for name, title in names.items()} | each.result.values for each in finished]
    pd.DataFrame(rows).to_csv(stage.layout.write(task) / "choices.csv", index=False)


def read_choices(stage: Stage, task: Task) -> pd.DataFrame:
    """What `keep_choices` wrote; "undecided" is empty if validation could choose everything."""
    return pd.read_csv(stage.layout.write(task) / "choices.csv", keep_default_na=False)


def primary_scores(stage: Stage, task: Task) -> pd.DataFrame:
    """The primary metric of every benchmark of a task by brew's protocol, model by model, with its interval."""
    rows = []
    for score in read_scores(stage.layout.write(task) / "scores.csv"):
        if score.plain and score.subset == "all" and score.metric == BENCHMARKS[score.benchmark].metric:
            interval = f"{100 * score.low:.1f} to {100 * score.high:.1f}"
            rows.append({
                "benchmark": score.benchmark, "metric": score.metric, "backbone": score.arm, "seed": score.seed,
                "decoder": score.decoder,
                "label fraction": f"{100 * score.label_fraction:g} %",
                "score": f"{100 * score.value:.1f}", "95 % over test": interval, "n": f"{score.n} {score.unit}s",
            })  # fmt: skip
    return pd.DataFrame(rows)
