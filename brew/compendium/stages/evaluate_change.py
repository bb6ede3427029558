"""Stage `change`: change between two dates on every backbone's features, frozen or fine-tuned, beside three references.

References: change vector analysis (no training), FC-Siam-diff (supervised, in the same harness), a random trunk.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from textwrap import fill

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from brew.compendium.report.crowding import left_out_note
from brew.compendium.report.pictures import true_colour
from brew.compendium.report.style import label, save
from brew.compendium.settings import EvaluationSettings
from brew.compendium.stages import Stage
from brew.compendium.stages.task_stage import (
    ComparedModel,
    Evaluated,
    Evaluation,
    Latest,
    Opened,
    benchmarks_of,
    compared_models,
    distinct,
    keep,
    metrics_of,
    open_benchmark,
    primary,
    run,
    shown_models,
    students,
    with_labels,
)
from brew.data.tiles import lay
from brew.evaluation import change_detection as task
from brew.evaluation.benchmarks import Benchmark
from brew.evaluation.change_detection import ChangeResult, ChangeTask
from brew.evaluation.dense_harness import DenseInputs, freeze
from brew.evaluation.fit import passes_over
from brew.evaluation.metrics import f1_binary
from brew.evaluation.result_cache import CachedResult
from brew.evaluation.scores import Score, read_counts, scene_scores, scores_of, write_arrays
from brew.evaluation.splits import split_by_name
from brew.evaluation.statistics import exact_swap_test, paired_difference

_SHOWN = 2


def open_task(opened: Opened, most: Sequence[int] | None = None) -> ChangeTask:
    """The benchmark as the evaluation takes it; tiles of scenes are standardised by their scene and date.

    most: samples of train, validation and test at most; scenes of tiles are whole.
    """
    b, data = opened.benchmark, opened.dataset
    changed = (opened.labels > 0).astype(np.uint8)  # the miniature's labels name the kind of change
    if not b.tiles:
        split = opened.split(most)
        return ChangeTask.of_images(opened.images, b.sensor, changed, split)
    scenes = opened.text("city")
    row, column, height, width = (data[name].values for name in ("row", "column", "height", "width"))
    return ChangeTask(
        opened.images, b.sensor, changed, split_by_name(opened.splits, scenes), scenes,
        row, column, height, width, mean=data["scene_mean"].values, std=data["scene_std"].values,
    )  # fmt: skip


def evaluate(stage: Stage) -> pd.DataFrame:
    """Score every backbone and reference on every benchmark of the scale; leaves scores, counts and predictions."""
    evaluated = run(stage, "brew.evaluation.change_detection", _planned(stage))
    scores: list[Score] = []
    counts: dict[str, tuple[np.ndarray, Sequence[str]]] = {}
    for each in evaluated:
        units, values = [str(scene) for scene in each.result.arrays["scenes"]], each.result.arrays["counts"]
        scores += (
            scene_scores(each.run, units, values, metrics_of(each.benchmark), left_out=each.benchmark.left_out)
            if each.benchmark.tiles
            else scores_of(each.run, values, metrics_of(each.benchmark))
        )
        counts[each.run.name] = (values, units)
    keep(stage, "change", evaluated, scores, counts)
    _keep_pictures(stage, evaluated)
    return primary(stage, "change")


def _planned(stage: Stage) -> Iterator[Evaluation]:
    settings, maps = stage.settings.evaluation, Latest()
    tuned = settings.change.fit.finetune > 0
    for benchmark in benchmarks_of(stage, "change"):
        opened = open_benchmark(stage, benchmark)
        most = settings.samples.get(benchmark.sensor)
        ready = open_task(opened, most)
        yield Evaluation(benchmark, "cva", "no training", 0, (), partial(_change_vectors, ready))
        # What takes longest comes first, so that processes that share the cells end together.
        for seed in settings.siamese_seeds:
            numbers = (settings.orientations, most, settings.siamese)
            yield Evaluation(
                benchmark, "fc-siam-diff", "supervised", seed, numbers, partial(_siamese, ready, settings, seed)
            )
        models = compared_models(stage, benchmark.sensor)
        for compared in students(models) if tuned else models:
            compute_maps = partial(_freeze, ready, compared, settings.orientations)
            frozen = partial(maps.get, (benchmark.name, compared.identity), compute_maps)
            numbers = (settings.orientations, most, settings.change)
            for seed, share in product(compared.seeds(settings.seeds), settings.label_fractions):
                part = replace(ready, split=with_labels(opened, ready.split, share, seed))
                if tuned:
                    passes = passes_over(len(part.split.train), len(ready.split.train))
                    compute = partial(_finetune, compared, part, settings, seed, passes)
                else:
                    compute = partial(_cell, frozen, part, settings, seed)
                labelled = len(part.split.train)
                yield Evaluation(benchmark, compared.name, compared.identity, seed, numbers, compute, share, labelled)


def _change_vectors(ready: ChangeTask) -> CachedResult:
    return _kept(task.change_vectors(ready))


def _siamese(ready: ChangeTask, settings: EvaluationSettings, seed: int) -> CachedResult:
    return _kept(task.evaluate_siamese(ready, settings.siamese, seed, orientations=settings.orientations))


def _freeze(ready: ChangeTask, compared: ComparedModel, orientations: int) -> DenseInputs:
    return freeze(compared.load(), ready, orientations=orientations)


def _cell(
    frozen: Callable[[], DenseInputs], ready: ChangeTask, settings: EvaluationSettings, seed: int
) -> CachedResult:
    return _kept(task.evaluate_decoder(frozen(), ready, settings.change, seed))


def _finetune(
    compared: ComparedModel, ready: ChangeTask, settings: EvaluationSettings, seed: int, passes: int
) -> CachedResult:
    backbone, numbers = compared.load(), settings.change
    return _kept(task.finetune(backbone, ready, numbers, seed, orientations=settings.orientations, passes=passes))


def _kept(result: ChangeResult) -> CachedResult:
    values = {
        "learning rate": result.learning_rate, "epoch": result.epoch, "threshold": result.threshold,
        "validation F1": round(result.validation_f1, 4),
    }  # fmt: skip
    shown = {f"shown-{name}": result.probabilities[name].astype(np.float16) for name in result.scenes[: 2 * _SHOWN]}
    return CachedResult(values, {"counts": result.counts, "scenes": np.array(result.scenes), **shown})


def _keep_pictures(stage: Stage, evaluated: Sequence[Evaluated]) -> None:
    folder = stage.layout.write("change")
    (folder / "predictions").mkdir(exist_ok=True)
    rows = []
    for each in evaluated:
        shared = each.run
        named = {
            "benchmark": shared.benchmark,
            "backbone": shared.arm,
            "seed": shared.seed,
            "label_fraction": shared.label_fraction,
        }
        rows.append(named | each.result.values)
        if shared.seed == stage.settings.evaluation.seeds[0] and shared.label_fraction == 1:
            write_arrays(folder / "predictions" / f"{each.benchmark.name}--{each.run.arm}.npz", each.result.arrays)
    pd.DataFrame(rows).to_csv(folder / "choices.csv", index=False)


def choices(stage: Stage) -> pd.DataFrame:
    """What validation chose for each backbone: learning rate, epoch, threshold, and the F1 there."""
    return pd.read_csv(stage.layout.write("change") / "choices.csv")


def differences(stage: Stage, reference: str = "ms-only") -> pd.DataFrame:
    """F1 of every backbone less the reference's on the same test scenes: interval by resampling scenes jointly.

    Where few scenes are tested, p is exact over all exchanges of the two backbones in any subset of them; an interval
    from ten scenes is approximate. Seeds are averaged in the interval: those that both have, and all of the reference's
    against what has no decoder; the exact test takes the first.
    """
    folder = stage.layout.write("change") / "counts"
    rows = []
    for benchmark in benchmarks_of(stage, "change"):
        found = compared_models(stage, benchmark.sensor)
        own: defaultdict[str, list[int]] = defaultdict(list)
        for compared in found:
            own[compared.name] += compared.seeds(stage.settings.evaluation.seeds)

        def counts(arm: str, seeds: Sequence[int], name: str = benchmark.name) -> np.ndarray:
            files = [folder / f"{name}-{arm}-{seed}.npz" for seed in seeds]
            return np.stack([read_counts(file if file.exists() else files[0])[0] for file in files])

        arms = [compared.name for compared in distinct(found)] + ["cva", "fc-siam-diff"]
        for arm in (arm for arm in arms if arm != reference and reference in arms):
            seeds = [seed for seed in own[reference] if seed in own.get(arm, own[reference])]
            one, other = counts(arm, seeds), counts(reference, seeds)
            interval = paired_difference(one, other, f1_binary, seeds=True)
            few = one.shape[1] <= 20
            rows.append({
                "benchmark": benchmark.name, "backbone": arm, "less": reference,
                "difference in F1": round(100 * interval.value, 1),
                "95 % over test": f"{100 * interval.low:.1f} to {100 * interval.high:.1f}",
                "p (exact)": f"{exact_swap_test(one[0], other[0], f1_binary):.3f}" if few else "",
            })  # fmt: skip
    columns = ["benchmark", "backbone", "less", "difference in F1", "95 % over test", "p (exact)"]
    table = pd.DataFrame(rows, columns=columns)
    table.to_csv(stage.layout.write("change") / "differences.csv", index=False)
    return table


def maps(stage: Stage, benchmark: Benchmark) -> Figure:
    """Two test scenes: both dates, the label, and every backbone's probability of change."""
    opened = open_benchmark(stage, benchmark)
    ready = open_task(opened, stage.settings.evaluation.samples.get(benchmark.sensor))
    folder = stage.layout.write("change") / "predictions"
    arms = ["cva", *(compared.name for compared in shown_models(stage, benchmark.sensor)), "fc-siam-diff"]
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
        pictured = scene.enlarged(pairs.shape[-1] // ready.labels.shape[-1])
        for axis, date in zip(row, (0, 1), strict=False):
            mosaic = np.stack([lay(band, pictured) for band in pairs[:, date, :3].transpose(1, 0, 2, 3)])
            axis.imshow(true_colour(mosaic, benchmark.sensor))
            axis.set_title(f"date {date + 1}", fontsize=8)
        row[0].set_ylabel(name, fontsize=8)
        row[2].imshow(lay(ready.labels[scene.samples], scene), cmap="gray")
        row[2].set_title("label", fontsize=8)
        for axis, arm in zip(row[3:], arms, strict=True):
            top = 2 if arm == "cva" else 1
            axis.imshow(stored[arm][f"shown-{name}"].astype(float), cmap="cividis", vmin=0, vmax=top)
            axis.set_title(fill(label(arm), 24), fontsize=7)
        for axis in row:
            axis.set(xticks=[], yticks=[])
    credit = " Imagery: Copernicus Sentinel data; labels: OSCD, CC BY-NC-SA 4.0." if benchmark.source == "oscd" else ""
    caption = (
        f"Change of {benchmark.name} ({benchmark.summary}): two test scenes, the label, and the probability of change "
        f"from dark (0) to bright (1); for change vector analysis the length over its threshold.{credit}"
        + left_out_note(stage.settings)
    )
    save(figure, stage.layout.write("change") / f"maps-{benchmark.name}.png", caption)
    return figure


def all_maps(stage: Stage) -> list[Figure]:
    """`maps` of every benchmark of the scale."""
    return [maps(stage, benchmark) for benchmark in benchmarks_of(stage, "change")]
