"""Stage `change`: change between two dates on every backbone's frozen features, beside three references.

References: change vector analysis (no training), FC-Siam-diff (supervised, in the same harness), a random trunk.
"""

from collections.abc import Sequence
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from brew.downstream import change as task
from brew.downstream.benchmarks import Benchmark
from brew.downstream.cells import CellResult
from brew.downstream.change import ChangeResult, ChangeSettings, ChangeTask
from brew.downstream.metrics import f1_binary
from brew.downstream.scores import Run, Score, read_counts, scene_scores, scores_of, write_arrays
from brew.downstream.splits import NAMES, Split, split_by_name
from brew.downstream.stitching import lay
from brew.downstream.uncertainty import exact_swap_test, paired_difference
from brew.reporting.pictures import true_colour
from brew.reporting.style import label, save
from brew.stages import Stage
from brew.stages.evaluation import (
    Entrant,
    Evaluation,
    Opened,
    benchmarks_of,
    entrants,
    keep,
    open_benchmark,
    per_seed,
    primary,
    run,
)
from brew.stages.settings import Downstream

_METRICS = ("f1", "precision", "recall", "iou")
_SHOWN = 2


def open_task(opened: Opened) -> ChangeTask:
    """The benchmark as the evaluation takes it; tiles of scenes are standardised by their scene and date."""
    b, data = opened.benchmark, opened.dataset
    changed = (opened.labels > 0).astype(np.uint8)  # the miniature's labels name the kind of change
    if not b.tiles:
        split = Split(*(np.flatnonzero(opened.splits == name) for name in NAMES))
        return ChangeTask.of_images(opened.images, b.sensor, changed, split)
    scenes = opened.text("city")
    row, column, height, width = (data[name].values for name in ("row", "column", "height", "width"))
    return ChangeTask(
        opened.images, b.sensor, changed, split_by_name(opened.splits, scenes), scenes,
        row, column, height, width, mean=data["scene_mean"].values, std=data["scene_std"].values,
    )  # fmt: skip


def evaluate(stage: Stage) -> pd.DataFrame:
    """Score every backbone and reference on every benchmark of the scale; leaves scores, counts and predictions."""
    settings = stage.settings.downstream
    planned = []
    for benchmark in benchmarks_of(stage, "change"):
        ready = open_task(open_benchmark(stage, benchmark))
        planned.append(Evaluation(benchmark, "cva", "no training", 0, partial(_change_vectors, ready)))
        for entrant in entrants(stage):
            freeze = partial(task.freeze, task=ready, orientations=settings.orientations)
            score = partial(_score, ready=ready, settings=settings.change, entrant=entrant)
            planned += per_seed(benchmark, entrant, settings.seeds, freeze, score)
        planned += [
            Evaluation(benchmark, "fc-siam-diff", "supervised", seed, partial(_siamese, ready, settings, seed))
            for seed in settings.siamese_seeds
        ]
    results = run(
        stage, "change", "brew.downstream.change", (settings.orientations, settings.change, settings.siamese), planned
    )
    scores: list[Score] = []
    counts: dict[str, tuple[np.ndarray, Sequence[str]]] = {}
    for (name, arm, seed), result in results.items():
        benchmark = next(entry for entry in benchmarks_of(stage, "change") if entry.name == name)
        units, values = [str(each) for each in result.arrays["scenes"]], result.arrays["counts"]
        run_of = Run(name, "change", arm, seed, result.values["settings"])
        scores += (
            scene_scores(run_of, units, values, _METRICS, left_out=benchmark.left_out)
            if benchmark.tiles
            else scores_of(run_of, values, _METRICS)
        )
        counts[f"{name}-{arm}-{seed}"] = (values, units)
    keep(stage, "change", scores, counts)
    _keep_pictures(stage, results)
    return primary(stage, "change")


def _change_vectors(ready: ChangeTask) -> CellResult:
    return _kept(task.change_vectors(ready), "none")


def _siamese(ready: ChangeTask, settings: Downstream, seed: int) -> CellResult:
    result = task.evaluate_siamese(ready, settings.siamese, seed, orientations=settings.orientations)
    return _kept(result, "supervised")


def _score(
    maps: task.ChangeInputs, seed: int, *, ready: ChangeTask, settings: ChangeSettings, entrant: Entrant
) -> CellResult:
    return _kept(task.evaluate_decoder(maps, ready, settings, seed), entrant.identity[:12])


def _kept(result: ChangeResult, settings: str) -> CellResult:
    values = {
        "learning rate": result.learning_rate, "epoch": result.epoch, "threshold": result.threshold,
        "validation F1": round(result.validation_f1, 4), "settings": settings,
    }  # fmt: skip
    shown = {f"shown-{name}": result.probabilities[name].astype(np.float16) for name in result.scenes[: 2 * _SHOWN]}
    return CellResult(values, {"counts": result.counts, "scenes": np.array(result.scenes), **shown})


def choices(stage: Stage) -> pd.DataFrame:
    """What validation chose for each backbone: learning rate, epoch, threshold, and the F1 there."""
    return pd.read_csv(stage.layout.write("change") / "choices.csv")


def _keep_pictures(stage: Stage, results: dict[tuple[str, str, int], CellResult]) -> None:
    folder = stage.layout.write("change")
    (folder / "predictions").mkdir(exist_ok=True)
    rows = []
    for (name, arm, seed), result in results.items():
        rows.append({"benchmark": name, "backbone": arm, "seed": seed, **result.values})
        if seed == stage.settings.downstream.seeds[0]:
            write_arrays(folder / "predictions" / f"{name}--{arm}.npz", result.arrays)
    pd.DataFrame(rows).drop(columns="settings").to_csv(folder / "choices.csv", index=False)


def differences(stage: Stage, reference: str = "ms-only") -> pd.DataFrame:
    """F1 of every backbone less the reference's on the same test scenes: interval by resampling scenes jointly.

    Where few scenes are tested, p is exact over all exchanges of the two backbones in any subset of them; an interval
    from ten scenes is approximate. Seeds are averaged in the interval; the exact test takes the first seed.
    """
    folder = stage.layout.write("change") / "counts"
    rows, seeds = [], stage.settings.downstream.seeds
    for benchmark in benchmarks_of(stage, "change"):

        def counts(arm: str, name: str = benchmark.name) -> np.ndarray:
            files = [folder / f"{name}-{arm}-{seed}.npz" for seed in seeds]
            return np.stack([read_counts(file if file.exists() else files[0])[0] for file in files])

        arms = [entrant.name for entrant in entrants(stage)] + ["cva", "fc-siam-diff"]
        for arm in (arm for arm in arms if arm != reference and reference in arms):
            one, other = counts(arm), counts(reference)
            interval = paired_difference(one, other, f1_binary, seeds=True)
            few = one.shape[1] <= 20
            rows.append({
                "benchmark": benchmark.name, "backbone": arm, "less": reference,
                "difference in F1": round(100 * interval.value, 1),
                "95 % over test": f"{100 * interval.low:.1f} to {100 * interval.high:.1f}",
                "p (exact)": f"{exact_swap_test(one[0], other[0], f1_binary):.3f}" if few else "",
            })  # fmt: skip
    table = pd.DataFrame(rows)
    table.to_csv(stage.layout.write("change") / "differences.csv", index=False)
    return table


def maps(stage: Stage, benchmark: Benchmark) -> Figure:
    """Two test scenes: both dates, the label, and every backbone's probability of change."""
    opened = open_benchmark(stage, benchmark)
    ready = open_task(opened)
    folder = stage.layout.write("change") / "predictions"
    arms = ["cva", *(entrant.name for entrant in entrants(stage)), "fc-siam-diff"]
    stored = {arm: np.load(folder / f"{benchmark.name}--{arm}.npz") for arm in arms}
    names = [key.removeprefix("shown-") for key in stored["cva"].files if key.startswith("shown-")]
    scenes = {scene.name: scene for scene in ready.scenes(ready.split.test)}
    changed = sorted(names, key=lambda name: -lay(ready.labels[scenes[name].samples], scenes[name]).mean())[:_SHOWN]
    figure, axes = plt.subplots(
        len(changed),
        3 + len(arms),
        figsize=(1.75 * (3 + len(arms)), 2.1 * len(changed)),
        layout="constrained",
        squeeze=False,
    )
    for row, name in zip(axes, changed, strict=True):
        scene = scenes[name]
        pairs = opened.images.read(scene.samples)
        for axis, date in zip(row, (0, 1), strict=False):
            mosaic = np.stack([lay(band, scene) for band in pairs[:, date, :3].transpose(1, 0, 2, 3)])
            axis.imshow(true_colour(mosaic, benchmark.sensor))
            axis.set_title(f"date {date + 1}", fontsize=8)
        row[0].set_ylabel(name, fontsize=8)
        row[2].imshow(lay(ready.labels[scene.samples], scene), cmap="gray")
        row[2].set_title("label", fontsize=8)
        for axis, arm in zip(row[3:], arms, strict=True):
            top = 2 if arm == "cva" else 1
            axis.imshow(stored[arm][f"shown-{name}"].astype(float), cmap="cividis", vmin=0, vmax=top)
            axis.set_title(label(arm), fontsize=7)
        for axis in row:
            axis.set(xticks=[], yticks=[])
    credit = " Imagery: Copernicus Sentinel data; labels: OSCD, CC BY-NC-SA 4.0." if benchmark.source == "oscd" else ""
    caption = (
        f"Change of {benchmark.name} ({benchmark.summary}): two test scenes, the label, and the probability of change "
        f"from dark (0) to bright (1); for change vector analysis the length over its threshold.{credit}"
    )
    save(figure, stage.layout.write("change") / f"maps-{benchmark.name}.png", caption)
    return figure


def all_maps(stage: Stage) -> list[Figure]:
    """`maps` of every benchmark of the scale."""
    return [maps(stage, benchmark) for benchmark in benchmarks_of(stage, "change")]
