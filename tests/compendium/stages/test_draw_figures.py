"""Figures show what was scored and trained: every backbone once, every seed of an arm in the arm's colour."""

from dataclasses import replace
from itertools import product
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from brew import files
from brew.compendium.report.crowding import left_out_note, left_to_tables
from brew.compendium.report.figures.point_labels import label_points
from brew.compendium.report.figures.segmentation_maps import class_colours
from brew.compendium.report.style import caption_of, colour, label
from brew.compendium.settings import Settings, load
from brew.compendium.stages import Stage, draw_figures
from brew.evaluation.benchmarks import BENCHMARKS, Benchmark
from brew.evaluation.scores import Run, scores_of, write_counts, write_scores
from brew.files import Layout
from brew.pretraining import arms
from brew.pretraining.health import CONDITION, RANK

CLASSES = {"roofs": 4, "crops": 6}
ARMS = {"ms-only": 0.6, "deo": 0.9, "random": 0.3}
ARM_NAMES = list(arms.ARMS)


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Three backbones on two benchmarks; ms-only was trained with two seeds."""
    monkeypatch.setattr(files, "REPORTS", tmp_path)
    found = Stage(load("tiny"), Layout("tiny"))
    for task in ("change", "classification"):
        found.layout.write(task)
    for benchmark in CLASSES:
        for arm in ARMS:
            keep(found, benchmark, arm)
    pd.DataFrame({"backbone": list(ARMS), "parameters": 5_000_000}).to_csv(
        found.layout.write("similarity") / "parameters.csv", index=False
    )
    return found


def keep(stage: Stage, benchmark: str, arm: str, seed: int = 0, label_fraction: float = 1.0) -> None:
    classes = CLASSES[benchmark]
    right = np.random.default_rng(seed).binomial(100, ARMS.get(arm, 0.5), 8)
    counts = np.stack(
        [np.eye(classes, dtype=int) * hits + np.roll(np.eye(classes, dtype=int), 1) * (100 - hits) for hits in right]
    )
    folder = stage.layout.write("segmentation")
    run = Run(benchmark, "segmentation", arm, seed, "abc", label_fraction, model=f"m{seed}")
    write_scores(folder / "scores.csv", scores_of(run, counts, ("iou_macro",)))
    write_counts(folder / "counts" / f"{run.name}.npz", counts, range(8))


def texts(axis: plt.Axes) -> list[str]:
    return [text.get_text() for text in axis.texts]


def marks(figure: Figure) -> list[Line2D]:
    return [line for axis in figure.axes for line in axis.get_lines() if line.get_marker() == "o"]


def test_every_backbone_is_labelled_once_with_its_size(stage: Stage) -> None:
    figure = draw_figures.models(stage)
    assert figure is not None
    (axis,) = figure.axes
    assert sorted(texts(axis)) == [
        "DEO (both teachers), 5.0 M", "MS self-distillation only, 5.0 M", "random trunk, 5.0 M",
    ]  # fmt: skip
    assert caption_of(stage.layout.read("figures") / "models.png").count("roofs") == 1


def test_a_gain_is_open_until_it_has_seeds(stage: Stage) -> None:
    figure = draw_figures.teachers(stage)
    assert figure is not None
    assert [axis.get_title(loc="left") for axis in figure.axes] == ["fine texture", "red edge and short-wave infrared"]
    assert {mark.get_markerfacecolor() for mark in marks(figure)} == {"white"}
    for benchmark in CLASSES:
        for arm in ("deo", "ms-only"):
            keep(stage, benchmark, arm, seed=1)
    figure = draw_figures.teachers(stage)
    assert figure is not None
    assert {to_hex(mark.get_markerfacecolor()) for mark in marks(figure)} == {colour("ms-only")}
    assert sum(line.get_linewidth() == 4 for axis in figure.axes for line in axis.get_lines()) == 2


def test_gains_stand_beside_their_reference(stage: Stage) -> None:
    for benchmark in CLASSES:
        for arm in ("deo", "ms-only"):
            keep(stage, benchmark, arm, seed=1)
    figure = draw_figures.gains(stage)
    assert figure is not None
    assert [axis.get_title(loc="left") for axis in figure.axes[:2]] == [
        f"{kind} benchmarks, gain over\nMS self-distillation only" for kind in ("optical", "multispectral")
    ]
    arms = [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    for axis in figure.axes[:2]:
        (mark,) = (line for line in axis.get_lines() if line.get_marker() == "o")
        assert arms[int(mark.get_ydata()[0])] == label("deo") and mark.get_xdata()[0] > 0
        assert mark.get_markerfacecolor() == colour("deo"), "two seeds"
        assert arms[int(axis.texts[0].get_position()[1])] == label("ms-only") and "reference" in texts(axis)[0]


def test_of_many_arms_pictures_show_those_that_were_repeated(stage: Stage) -> None:
    def scale(*runs: str) -> Settings:
        return replace(stage.settings, arms=runs)

    assert left_to_tables(scale("ms-only", "deo", "deo-seed1", "masked")) == [], "few arms: all are shown"
    assert left_to_tables(scale(*ARM_NAMES)) == [], "none was repeated, so none stands out"
    crowd = scale(*ARM_NAMES, "ms-only-seed1", "deo-seed1")
    assert left_to_tables(crowd) == [name for name in ARM_NAMES if name not in ("ms-only", "deo")]
    assert "class-token" in left_out_note(crowd) and left_out_note(stage.settings) == ""


def test_from_few_labels_pictures_show_the_repeated_arms_or_all_where_none_was(stage: Stage) -> None:
    crowded = replace(stage, settings=replace(stage.settings, arms=(*ARM_NAMES, "class-token-seed1")))
    for benchmark in CLASSES:
        keep(stage, benchmark, "deo", label_fraction=0.1)
    keep(stage, "crops", "class-token", label_fraction=0.1)
    figure = draw_figures.low_data(crowded)
    assert figure is not None
    drawn = {axis.get_title(): axis.get_legend_handles_labels()[1] for axis in figure.axes}
    assert drawn["crops"] == [label("random"), label("class-token")]
    assert drawn["roofs"] == [label("random"), label("ms-only"), label("deo")]
    assert caption_of(crowded.layout.read("figures") / "low-data.png").endswith(
        "drawn only on benchmarks on which no other arm was scored."
    )


@pytest.mark.parametrize(
    "benchmark", [each for each in BENCHMARKS.values() if each.task == "segmentation"], ids=lambda each: each.name
)
def test_no_two_classes_share_a_colour(benchmark: Benchmark) -> None:
    colours = class_colours(len(benchmark.classes))
    assert colours.N == len(benchmark.classes) == len({colours(place) for place in range(colours.N)})


def test_many_points_are_numbered(stage: Stage) -> None:
    for benchmark, arm in product(CLASSES, ARM_NAMES):
        keep(stage, benchmark, arm)
    pd.DataFrame({"backbone": [*ARM_NAMES, "random"], "parameters": 5_000_000}).to_csv(
        stage.layout.write("similarity") / "parameters.csv", index=False
    )
    figure = draw_figures.models(stage)
    assert figure is not None
    count = len(ARM_NAMES) + 1
    assert sorted(map(int, texts(figure.axes[0]))) == list(range(1, count + 1))
    assert [text.get_text().split()[0] for text in figure.legends[0].get_texts()] == [str(i + 1) for i in range(count)]


def test_seeds_of_an_arm_are_thin_lines_of_one_colour(stage: Stage) -> None:
    runs = ("ms-only", "deo", "deo-seed1")
    several = replace(stage, settings=replace(stage.settings, arms=(*runs, "masked")))
    several.layout.write("pretrain/masked")
    for name in runs:
        frame = pd.DataFrame({"step": range(4), "multispectral/compression": np.linspace(0, 1, 4)})
        frame["collapsed heads"] = [0, int(name == "deo"), int(name == "deo"), 0]
        frame[f"{RANK}optical"] = [1.0, 2.0, 3.0, 7.5 if name == "deo" else 8.25]
        frame[f"{CONDITION}optical"] = [50.0, 2.0, 3.0, 4.125 if name == "deo" else 4.0]
        frame.to_csv(several.layout.write(f"pretrain/{name}") / "history.csv", index=False)
    figure = draw_figures.losses(several)
    caption = caption_of(several.layout.read("figures") / "training.png")
    assert caption.endswith(
        " Self-distillation heads collapsed in deo (in 2 steps). At the last step the smallest effective rank of a "
        "head is 7.5 (optical of deo). The largest condition of a Cholesky factor is 4.12 (optical of deo)."
    )
    lines = [(line.get_color(), line.get_linewidth()) for line in figure.axes[0].get_lines()]
    assert lines == [(colour("ms-only"), 1.5), (colour("deo"), 0.7), (colour("deo"), 0.7)]
    assert len(figure.legends[0].get_texts()) == 2
    crowd = replace(stage, settings=replace(stage.settings, arms=(*runs, *ARM_NAMES[2:])))
    for name in ARM_NAMES[2:]:
        crowd.layout.write(f"pretrain/{name}")
    assert len(draw_figures.losses(crowd).axes[0].get_lines()) == 2, "of many arms the repeated one"


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=6))
def test_labels_cover_no_other(places: list[tuple[float, float]]) -> None:
    figure, axis = plt.subplots()
    label_points(figure, axis, places, [f"label {index}" for index in range(len(places))], ["k"] * len(places))
    boxes = [text.get_window_extent() for text in axis.texts]
    assert len(boxes) == len(places)
    assert not any(box.contains(*axis.transData.transform(place)) for box in boxes for place in places)
    assert not any(box.overlaps(other) for index, box in enumerate(boxes) for other in boxes[:index])
    plt.close(figure)
