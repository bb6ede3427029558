"""Stage `cases`: what backbones scored on single test images, and pictures of an arm beside a reference.

Of most benchmarks the best, the median and the worst image are shown. Of scenes of tiles, of which there are few, all.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from brew.compendium.kept_scores import prediction_file
from brew.compendium.report.cases import (
    CHANGE_ERRORS,
    CLASS_ERRORS,
    change_errors,
    class_errors,
    class_palette,
    palette,
    picked,
    write_map,
    write_photograph,
)
from brew.compendium.report.figures.change_maps import scene_in_true_colour
from brew.compendium.report.joint import primary_metric
from brew.compendium.report.paper import TASKS
from brew.compendium.report.pictures import picture
from brew.compendium.report.style import label
from brew.compendium.report.summary import in_order
from brew.compendium.stages import Stage
from brew.compendium.stages.evaluate_change import task_data
from brew.compendium.stages.read_scores import counts_of, units_of
from brew.data.tiles import lay
from brew.evaluation.benchmark_stores import open_benchmark
from brew.evaluation.benchmarks import Benchmark
from brew.evaluation.frozen_features import AtTime
from brew.pretraining.arms import ARMS

#: The arm that is shown and what it is shown beside, each the first of these that has maps.
_ARMS, _REFERENCES = ("deo", *ARMS), ("ms-only", "random")
#: The run whose map is kept: its seed of pretraining, and its decoder.
_KEPT = (0, 0)
#: Title of a panel, name of its file.
Panel = tuple[str, str]
#: Number of an image among those kept -> its panels; what has to be drawn of it.
Drawn = Callable[[int], list[Panel]]


def image_scores(stage: Stage) -> pd.DataFrame:
    """The primary score of every test image in percent, a column per backbone: the mean over its runs."""
    parts = []
    for benchmark in (each for task in TASKS for each in stage.benchmarks(task)):
        found = counts_of(stage, benchmark.name)
        if not found:
            continue
        score = primary_metric(benchmark)
        of_images = {
            name: np.mean([100 * score(counts) for counts in found[name].values()], axis=0).round(1)
            for name in in_order(found)
        }
        head = {"benchmark": benchmark.name, "image": units_of(stage, benchmark.name), "metric": benchmark.metric}
        parts.append(pd.DataFrame({**head, "unit": "%", **of_images}))
    table = pd.concat(parts, ignore_index=True)
    table.to_csv(stage.layout.write("cases") / "images.csv", index=False)
    return table


@dataclass(frozen=True)
class _Shown:
    """A benchmark whose cases are shown. images: names of the test images whose maps are kept.

    arm, reference: names; scores: of each, on these images, of the very map that is shown.
    """

    benchmark: Benchmark
    images: list[str]
    arm: str
    reference: str
    scores: Mapping[str, np.ndarray]
    stored: Mapping[str, Mapping[str, np.ndarray]]


def cases(stage: Stage) -> pd.DataFrame:
    """Write the cases of every benchmark of maps with their pictures; returned is which images these are."""
    folder = stage.layout.write("cases")
    pictures = folder / "pictures"
    found = [
        _described(shown, draw(stage, shown, pictures))
        for task, draw in (("segmentation", _segmentation), ("change", _change))
        for benchmark in stage.benchmarks(task)  # type: ignore[arg-type]
        for shown in _shown(stage, benchmark)
    ]
    (folder / "cases.json").write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    rows = [
        {"benchmark": each["benchmark"], "case": case["place"], "image": case["image"], "arm": each["arm"],
         "arm's score": case["scores"][0], "reference": each["reference"], "reference's score": case["scores"][1]}
        for each in found for case in each["cases"]
    ]  # fmt: skip
    return pd.DataFrame(rows)


def _shown(stage: Stage, benchmark: Benchmark) -> Iterator[_Shown]:
    """The benchmark, unless nothing can be shown of it."""
    folder, counts = stage.layout.read(benchmark.task), counts_of(stage, benchmark.name)
    files = {name: prediction_file(folder, benchmark, name) for name in counts if _KEPT in counts[name]}
    kept = [name for name, file in files.items() if file.exists()]
    arm = next((name for name in _ARMS if name in kept), None)
    reference = next((name for name in _REFERENCES if name in kept and name != arm), None)
    if arm is None or reference is None:
        return
    stored = {name: dict(np.load(files[name])) for name in (arm, reference)}
    units, score = units_of(stage, benchmark.name), primary_metric(benchmark)
    count = len(stored[arm]["predictions"]) if benchmark.task == "segmentation" else len(units)
    images = [
        name for name in units[:count] if benchmark.task == "segmentation" or f"decided-{name}" in stored[arm]
    ]  # fmt: skip
    scores = {name: 100 * score(counts[name][_KEPT][: len(images)]) for name in (arm, reference)}
    yield _Shown(benchmark, images, arm, reference, scores, stored)


def _described(shown: _Shown, draw: Drawn) -> dict[str, Any]:
    """The benchmark's cases as the page takes them."""
    b, ours, theirs = shown.benchmark, shown.scores[shown.arm], shown.scores[shown.reference]
    return {
        "benchmark": b.name, "metric": b.metric, "arm": shown.arm, "reference": shown.reference,
        "images": len(shown.images), "credit": _CREDITS.get(b.source, ""),
        "legend": CHANGE_ERRORS if b.task == "change" else CLASS_ERRORS,
        "classes": [] if b.task == "change" else _legend(b),
        "cases": [
            {"place": pick.place, "image": shown.images[pick.index], "panels": draw(pick.index),
             "scores": [round(float(ours[pick.index]), 1), round(float(theirs[pick.index]), 1)]}
            for pick in picked(ours, every=b.tiles)
        ],
    }  # fmt: skip


#: What the licence of a source asks to be said beside its images.
_CREDITS = {
    "oscd": "The imagery is Copernicus Sentinel data; the labels are OSCD's, under CC BY-NC-SA 4.0.",
}


def _legend(benchmark: Benchmark) -> list[tuple[str, str]]:
    colours = class_palette(len(benchmark.classes))
    return [
        (name, "#" + "".join(f"{part:02x}" for part in colours[3 * place : 3 * place + 3]))
        for place, name in enumerate(benchmark.classes)
    ]


def _segmentation(stage: Stage, shown: _Shown, folder: Path) -> Drawn:
    """Image, label, and of both backbones the map and its errors."""
    b, opened = shown.benchmark, open_benchmark(shown.benchmark, stage.layout.store(shown.benchmark.source))
    colours, samples = class_palette(len(b.classes)), shown.stored[shown.arm]["samples"]

    def draw(index: int) -> list[Panel]:
        image, truth = AtTime(opened.images).read(samples[[index]])[0], opened.labels[samples[index]]
        panels = [
            ("image", write_photograph(folder, picture(image, b.sensor))), ("label", write_map(folder, truth, colours))
        ]  # fmt: skip
        for name, arrays in shown.stored.items():
            found = arrays["predictions"][index]
            errors = class_errors(truth, found, b.ignore)
            panels += [
                (label(name), write_map(folder, found, colours)),
                (f"errors of {label(name)}", write_map(folder, errors, palette([*CLASS_ERRORS.values()]))),
            ]
        return panels

    return draw


def _change(stage: Stage, shown: _Shown, folder: Path) -> Drawn:
    """Both dates, the label, and the errors of both backbones."""
    b, opened = shown.benchmark, open_benchmark(shown.benchmark, stage.layout.store(shown.benchmark.source))
    task = task_data(opened, stage.settings.evaluation.samples.get(b.sensor))
    scenes = {scene.name: scene for scene in task.scenes(task.split.test)}
    times = opened.images.shape[-1] // opened.labels.shape[-1]

    def draw(index: int) -> list[Panel]:
        scene = scenes[shown.images[index]]
        pairs, truth = opened.images.read(scene.samples), lay(task.labels[scene.samples], scene)
        panels = [
            (title, write_photograph(folder, scene_in_true_colour(pairs[:, date], scene.enlarged(times), b.sensor)))
            for title, date in (("first date", 0), ("last date", -1))
        ]
        panels.append(("label", write_map(folder, (truth > 0).astype(np.uint8), palette(["#e6e9ec", "#1c2024"]))))
        for name, arrays in shown.stored.items():
            found = np.unpackbits(arrays[f"decided-{scene.name}"], axis=1, count=truth.shape[1])
            errors = change_errors(truth, found)
            panels.append((f"errors of {label(name)}", write_map(folder, errors, palette([*CHANGE_ERRORS.values()]))))
        return panels

    return draw
