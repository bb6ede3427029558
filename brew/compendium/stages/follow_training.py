"""Stage `progress`: what each arm has learned along its training, and whether more steps would have helped.

Where a scale keeps its students on the way (`pretraining.snapshots`), each of them is read linearly, beside the
untrained trunk and the student of the last step. Fitted on training images and read on validation images: the test sets
are left to the tables.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import Tensor

from brew.compendium.compared_models import compared_models, reads
from brew.compendium.report.crowding import left_out_note, left_to_tables
from brew.compendium.report.formatting import signed
from brew.compendium.report.joint import over_seeds
from brew.compendium.report.style import colour, label, save
from brew.compendium.scales import arm_and_seed
from brew.compendium.scoring import PlannedRun, finish
from brew.compendium.stages import Stage
from brew.compendium.stages.prepare_teachers import spread
from brew.evaluation import ridge_probe
from brew.evaluation.backbones import Backbone, StudentBackbone
from brew.evaluation.benchmark_stores import OpenedBenchmark, open_benchmark
from brew.evaluation.benchmarks import BENCHMARKS, Benchmark
from brew.evaluation.metrics import metric
from brew.evaluation.result_cache import CachedResult
from brew.evaluation.statistics import MetricFunction, bootstrap, paired_difference
from brew.files import sha256
from brew.models.student import load_student

#: Images and pixels of each split that are read at most, and cells of all of them on a dense task.
_IMAGES, _PIXELS, _CELLS = 192, 2**21, 9216
_BATCH = 16
#: A curve has come to rest where its last third brought no more than so many points.
REST = 1.0
_COLUMNS = ["benchmark", "modality", "arm", "seed", "step", "score", "low", "high", "images"]


@dataclass(frozen=True)
class Kept:
    """A student on its way. step: after how many updates; 0 is the untrained trunk, the same for every arm."""

    arm: str
    seed: int
    step: int
    identity: str
    load: Callable[[], Backbone]

    @property
    def name(self) -> str:
        return f"{self.arm}@{self.step}"


def compute(stage: Stage) -> pd.DataFrame:
    """Read every kept student on every benchmark; leaves the curves, and the gains by which they are judged."""
    folder = stage.layout.write("progress")
    counts = _counts(stage) if stage.settings.pretraining.snapshots else {}
    curves = pd.DataFrame([_scored(*each) for each in counts.items()], columns=_COLUMNS).round(6)
    curves.to_csv(folder / "curves.csv", index=False)
    gains = pd.DataFrame(_gains(counts), columns=["benchmark", "arm", "seed", "since", "gain", "low", "high"])
    gains.round(6).to_csv(folder / "gains.csv", index=False)
    table = summary(gains)
    table.to_csv(folder / "summary.csv", index=False)
    return table


_Counts = dict[tuple[str, str, int, int], np.ndarray]  # by benchmark, arm, seed and step


def _counts(stage: Stage) -> _Counts:
    planned, places, numbers = [], [], (_IMAGES, _PIXELS, _CELLS)
    benchmarks = list(filter(stage.settings.data.offers, BENCHMARKS.values()))
    able = {sensor: list(_kept(stage, sensor)) for sensor in dict.fromkeys(each.sensor for each in benchmarks)}
    for benchmark in benchmarks:
        opened = open_benchmark(benchmark, stage.layout.store(benchmark.source))
        for kept in able[benchmark.sensor]:
            compute = partial(_read, opened, kept.load)
            planned.append(PlannedRun(benchmark, kept.name, kept.identity, kept.seed, numbers, compute))
            places.append((benchmark.name, kept.arm, kept.seed, kept.step))
    found = finish(stage, ridge_probe.__name__, planned)
    return {place: each.result.arrays["counts"] for place, each in zip(places, found, strict=True)}


def _kept(stage: Stage, sensor: str) -> Iterator[Kept]:
    """The untrained trunk and every arm's students, of those that read images of `sensor`."""
    untrained = next(each for each in compared_models(stage, sensor) if each.name == "random")
    yield Kept("random", 0, 0, untrained.identity, untrained.load)
    for name in stage.settings.arms:
        folder, (arm, seed) = stage.layout.read(f"pretrain/{name}"), arm_and_seed(name)
        kept = sorted(folder.glob("snapshots/*.pt"), key=lambda file: int(file.stem))
        for file in (*kept, *folder.glob("student.pt")):
            student = load_student(file)
            if reads(student, sensor):
                step = int(student.provenance["steps"])
                yield Kept(arm, seed, step, sha256(file), partial(_student, arm, file))


def _student(arm: str, file: Path) -> Backbone:
    return StudentBackbone(arm, load_student(file))


def _read(opened: OpenedBenchmark, load: Callable[[], Backbone]) -> CachedResult:
    """Counts per validation image of a linear reading that was fitted on training images."""
    b, backbone, split = opened.benchmark, load(), opened.split()
    images = min(_IMAGES, max(1, _PIXELS // (opened.images.shape[-1] * opened.images.shape[-2])))
    parts = spread(split.train, images), spread(split.validation, images)
    if b.task == "classification":
        x, y = (np.concatenate([backbone.pooled(each, b.sensor) for each in _images(opened, part)]) for part in parts)
        fitted, truth = (opened.labels[part] for part in parts)
        if b.multilabel:
            counts = ridge_probe.ridge_probe_multilabel(x, fitted, y, truth)
        else:
            columns = x[:, None], fitted[:, None], y[:, None], truth[:, None]
            counts = ridge_probe.ridge_probe(*columns, len(b.classes))
    else:
        (x, fitted), (y, truth) = (_cells(opened, backbone, part, _CELLS // images) for part in parts)
        counts = ridge_probe.ridge_probe(x, fitted, y, truth, len(b.classes), b.ignore)
    return CachedResult({}, {"counts": counts, "samples": parts[1]})


def _images(opened: OpenedBenchmark, samples: np.ndarray) -> Iterator[Tensor]:
    """The first date's images, a batch at a time."""
    for start in range(0, len(samples), _BATCH):
        yield torch.from_numpy(opened.images.read(samples[start : start + _BATCH])[:, 0].astype(np.float32))


def _cells(
    opened: OpenedBenchmark, backbone: Backbone, samples: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Features and labels of `count` cells per image at stride 4; of a change task, how far the dates' lie apart."""
    b = opened.benchmark
    labels = opened.labels[samples]
    labels = (labels > 0).astype(labels.dtype) if b.task == "change" else labels
    features, told = [], []
    for start in range(0, len(samples), _BATCH):
        read = torch.from_numpy(opened.images.read(samples[start : start + _BATCH]).astype(np.float32))
        dates = [backbone.pyramid(read[:, time], b.sensor) for time in range(2 if b.task == "change" else 1)]
        maps = dates[0] if len(dates) == 1 else [(one - other).abs() for one, other in zip(*dates, strict=True)]
        grid = (maps[0].shape[2], maps[0].shape[3])
        most = min(count, grid[0] * grid[1])
        cells, own = ridge_probe.choose_cells(labels[start : start + _BATCH], grid, most, b.ignore, seed=start)
        features.append(ridge_probe.cell_features(maps, grid, cells))
        told.append(own)
    return np.concatenate(features), np.concatenate(told)


def _metric(benchmark: Benchmark) -> MetricFunction:
    chosen = metric(benchmark.metric)
    return partial(chosen, ignore=benchmark.ignore if chosen.ignores else None)


def _scored(place: tuple[str, str, int, int], counts: np.ndarray) -> tuple[object, ...]:
    name, arm, seed, step = place
    found = bootstrap({arm: counts}, _metric(BENCHMARKS[name]))[arm]
    return name, BENCHMARKS[name].modality, arm, seed, step, found.value, found.low, found.high, found.n


def _gains(counts: _Counts) -> Iterator[tuple[object, ...]]:
    """Of every run and benchmark: the last step less the untrained trunk, and less the step after two thirds."""
    for name, arm, seed in dict.fromkeys(place[:3] for place in counts if place[1] != "random"):
        steps = sorted(step for *own, step in counts if own == [name, arm, seed])
        last = counts[name, arm, seed, steps[-1]]
        earlier = {"untrained": counts[name, "random", 0, 0]}
        if two_thirds := [step for step in steps if abs(step - 2 / 3 * steps[-1]) <= 1]:
            earlier["two thirds"] = counts[name, arm, seed, two_thirds[0]]
        for since, before in earlier.items():
            found = paired_difference(last, before, _metric(BENCHMARKS[name]))
            yield name, arm, seed, since, found.value, found.low, found.high


def summary(gains: pd.DataFrame) -> pd.DataFrame:
    """Arm by arm and modality by modality, in points, means over benchmarks and seeds; the deviation is over seeds.

    The interval is Student's over seeds. An arm has converged if its last third brought no more than `REST` points:
    surely so, or surely not, where the whole interval says it; by one seed alone where there is no other.
    """
    modality = gains["benchmark"].map(lambda name: BENCHMARKS[name].modality)
    means = (
        gains.assign(modality=modality, gain=100 * gains["gain"])
        .groupby(["arm", "modality", "since", "seed"], sort=False)["gain"]
        .mean()
    )
    rows = []
    for (arm, modality), part in means.groupby(["arm", "modality"], sort=False):
        row: dict[str, object] = {"arm": arm, "benchmarks": modality}
        for since, title in (("untrained", "over the untrained trunk"), ("two thirds", "in the last third")):
            values = part[part.index.get_level_values("since") == since]
            row[title] = _points(values) if len(values) else "not kept"
        row["converged"] = _converged(values)
        row["seeds"] = part.index.get_level_values("seed").nunique()
        rows.append(row)
    columns = ["arm", "benchmarks", "over the untrained trunk", "in the last third", "converged", "seeds"]
    return pd.DataFrame(rows, columns=columns)


def _points(values: pd.Series) -> str:
    if len(values) < 2:
        return f"{values.mean():+.1f}"
    return signed(values.mean(), *over_seeds(values.to_numpy()))


def _converged(gained: pd.Series) -> str:
    """What the gains of the last third, one per seed, say."""
    if gained.empty:
        return "not kept"
    if len(gained) < 2:
        return f"{'yes' if gained.mean() <= REST else 'no'}, by one seed"
    low, high = over_seeds(gained.to_numpy())
    return "yes" if high <= REST else "no" if low > REST else "cannot tell"


def show(stage: Stage) -> Figure:
    """Mean score over the benchmarks of each modality, step by step: a line per arm, and a thin one per seed."""
    folder = stage.layout.write("progress")
    curves = pd.read_csv(folder / "curves.csv")
    if curves.empty:
        figure, axis = plt.subplots(figsize=(6, 1))
        axis.text(0, 0.5, "this scale keeps no student on its way: pretraining.snapshots is 0")
        axis.axis("off")
        return figure
    curves = curves[~curves["arm"].isin(left_to_tables(stage.settings))]
    learned = curves[curves["arm"] != "random"]
    modalities = list(learned["modality"].unique())
    figure, axes = plt.subplots(
        1, len(modalities), figsize=(4.4 * len(modalities), 3.6), layout="constrained", squeeze=False
    )
    means = curves.groupby(["modality", "arm", "seed", "step"], sort=False)["score"].mean().mul(100)
    for axis, modality in zip(axes[0], modalities, strict=True):
        here = means[modality]
        start = here["random"].iloc[0]
        for arm in here.index.get_level_values("arm").unique().drop("random"):
            runs = here[arm].unstack("seed")
            share, mean = np.append(0, runs.index) / runs.index[-1], np.append(start, runs.mean(axis=1))
            for values in (runs[seed] for seed in runs if len(runs.columns) > 1):
                axis.plot(share, np.append(start, values), lw=0.6, alpha=0.6, color=colour(arm))
            axis.plot(share, mean, "o-", ms=3.5, lw=1.6, color=colour(arm), label=label(arm))
        axis.axhline(start, color=colour("random"), ls="--", lw=1, label=label("random"))
        names = curves.loc[curves["modality"] == modality, "benchmark"].nunique()
        axis.set(title=f"{modality}: {names} benchmark{'s' * (names > 1)}", xlabel="share of the arm's steps")
        axis.grid(axis="y", color="0.92")
    axes[0, 0].set_ylabel("linear reading, mean score (%)")
    handles = dict(zip(*axes[0, 0].get_legend_handles_labels()[::-1], strict=True))
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=3, fontsize=8)
    caption = (
        "What each arm has learned along its training: the mean over benchmarks of the score of a linear reading of "
        f"frozen features, fitted on at most {_IMAGES} training images and read on as many validation images (fewer "
        "where they are large). Thin lines are single seeds of pretraining, where there are several. Test images are "
        f"not looked at.{left_out_note(stage.settings)}"
    )
    save(figure, folder / "progress.png", caption)
    return figure
