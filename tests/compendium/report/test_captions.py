"""Every caption of a run is made of sentences, and no mark of a table reaches a page or a figure."""

import re
from collections.abc import Iterator
from itertools import product

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from brew.compendium.report.arm_gains import arm_gains
from brew.compendium.report.captioned import CaptionedFigure, CaptionedTable
from brew.compendium.report.claims import read_claims
from brew.compendium.report.figures.gain_panels import gain_panels
from brew.compendium.report.figures.label_fractions import label_fractions
from brew.compendium.report.figures.learning_curves import learning_curves
from brew.compendium.report.figures.model_sizes import model_sizes
from brew.compendium.report.figures.score_panels import score_panels
from brew.compendium.report.figures.similarity_panels import similarity_panels
from brew.compendium.report.figures.teacher_panels import teacher_panels
from brew.compendium.report.figures.training_losses import training_losses
from brew.compendium.report.joint import replicates_of
from brew.compendium.report.scored import Scored, means
from brew.compendium.report.similarity import similarities, similarity_differences
from brew.compendium.report.site.table_markup import plain_table
from brew.compendium.report.summary import summarise
from brew.compendium.report.tables import (
    ablation_tables,
    city_tables,
    claim_tables,
    difference_tables,
    doubt_tables,
    few_label_tables,
    gain_tables,
    need_tables,
    progress_tables,
    radar_tables,
    rank_tables,
    similarity_tables,
    task_tables,
    teacher_tables,
)
from brew.compendium.report.training_progress import curves, learned, summary
from brew.evaluation.benchmarks import BENCHMARKS, Task
from brew.evaluation.layer_similarity import MEASURES, TOKENS, LayerSimilarity
from brew.evaluation.scores import Score

#: Words that make a sentence of a caption's words.
VERBS = {
    "is", "are", "was", "were", "has", "have", "had", "shows", "show", "holds", "hold", "gives", "give", "stands",
    "stand", "grows", "says", "say", "asks", "follows", "needs", "counts", "contradict", "contradicts", "decides",
    "resamples", "guesses", "read", "brought", "can", "could",
}  # fmt: skip
LONGEST = 40


def faults(caption: str) -> Iterator[str]:
    """What is wrong with a caption: each sentence has a verb and at most 40 words, and ends with a full stop."""
    if not caption.endswith("."):
        yield "it does not end with a full stop"
    if re.search(r"\s\s|^\s|\s$|\s[.,;:)]", caption):
        yield "a space too many"
    if "**" in caption:
        yield "a mark of a table's cell"
    if found := re.search(r"\b(one|1) (seeds|points|benchmarks|images|claims)\b|\b1 (were|are)\b", caption, re.I):
        yield f"number: {found[0]}"
    for opened, closed in ("()", "[]"):
        if caption.count(opened) != caption.count(closed):
            yield f"brackets {opened}{closed}"
    for sentence in re.split(r"(?<=[.?!])\s+(?=[A-Z0-9])", caption):
        words = sentence.split()
        if len(words) > LONGEST:
            yield f"{len(words)} words: {sentence}"
        if not VERBS & {word.strip("(),.;:").lower() for word in words}:
            yield f"no verb: {sentence}"


SEEDS = {"random": 1, "ms-only": 3, "deo": 3, "masked": 1, "masked+distillation": 2, "band-statistics": 2}
RADAR = {"random": 1, "deo+sar": 1}
NAMES = ("roofs", "crops", "oscd", "new-sites", "scenes", "materials-sar")
UNITS = 8


def counts_of(benchmark: str, share: int) -> np.ndarray:
    """Counts of a few units of 100 places, a share of them given their class."""
    classes = len(BENCHMARKS[benchmark].classes)
    right = np.clip(share + 3 * np.arange(UNITS), 0, 100)[:, None, None]
    return np.eye(classes, dtype=int) * right + np.roll(np.eye(classes, dtype=int), 1) * (100 - right)


def score(benchmark: str, arm: str, seed: int, fraction: float, value: float, subset: str = "all") -> Score:
    entry = BENCHMARKS[benchmark]
    return Score(
        benchmark, entry.task, arm, seed, fraction, entry.metric, subset, value, 0.0, 1.0, "sample", UNITS, "s",
        f"{arm}-{seed}", "d", "e",
    )  # fmt: skip


@pytest.fixture(scope="module")
def counts() -> dict[tuple[str, float], dict[str, dict[int, np.ndarray]]]:
    """By benchmark and share of the labels, backbone and seed."""
    found: dict[tuple[str, float], dict[str, dict[int, np.ndarray]]] = {}
    for (name, fraction), (place, (arm, seeds)) in product(
        product(NAMES, (1.0, 0.1)), enumerate([*SEEDS.items(), ("cva", 1)])
    ):
        if arm == "cva" and BENCHMARKS[name].task != "change":
            continue
        if BENCHMARKS[name].modality != "radar":
            runs = {seed: counts_of(name, 20 + 9 * place + 2 * seed) for seed in range(seeds)}
            found.setdefault((name, fraction), {})[arm] = runs
    found["materials-sar", 1.0] = {arm: {0: counts_of("materials-sar", 20 + 9 * len(arm))} for arm in RADAR}
    return found


@pytest.fixture(scope="module")
def scored(counts: dict[tuple[str, float], dict[str, dict[int, np.ndarray]]]) -> Scored:
    runs = {
        key: {
            arm: {seed: {0: replicates_of(BENCHMARKS[key[0]], {"": each})[""]} for seed, each in of_arm.items()}
            for arm, of_arm in arms.items()
        }
        for key, arms in counts.items()
    }
    rows = [
        score(*key[:1], arm, seed, key[1], each[0][0] / 100)
        for key, arms in runs.items()
        for arm, seeds in arms.items()
        for seed, each in seeds.items()
    ]
    summary = summarise(rows, {key: means(arms) for key, arms in runs.items()})
    return Scored(runs, summary, read_claims(), ("imagenet",), {("roofs", 0.1): 7})


@pytest.fixture(scope="module")
def layers() -> list[LayerSimilarity]:
    runs = [("random", 0), *product(("deo", "masked+distillation"), (0, 1)), ("ms-only", 0), ("masked", 0)]
    generator = np.random.default_rng(0)
    return [
        LayerSimilarity("imagenet", arm, seed, token, stride, 12, {name: generator.random(9) for name in MEASURES})
        for arm, seed in runs
        for token, stride in product(TOKENS, (4, 8))
    ]


@pytest.fixture(scope="module")
def probed() -> dict[tuple[str, str, int, int], np.ndarray]:
    found = {("scenes", "random", 0, 0): counts_of("scenes", 10)}
    for seed, step in product((0, 1), (2, 4, 6)):
        found["scenes", "deo", seed, step] = counts_of("scenes", 20 + 10 * step + seed)
    return found


@pytest.fixture(scope="module")
def tables(scored, counts, layers, probed) -> list[CaptionedTable]:
    """Every table of the report."""
    tasks: tuple[Task, ...] = ("segmentation", "change", "classification")
    gains = learned(probed)
    cities = [score("oscd", "deo", seed, 1.0, 0.4, subset) for seed in (0, 1) for subset in ("all", "rio")]
    made = [
        *(form(scored, task) for form, task in product((task_tables.of_scale, task_tables.of_paper), tasks)),
        *(rank_tables.ranks(scored, paper) for paper in (False, True)),
        *(few_label_tables.few_labels(scored, paper) for paper in (False, True)),
        ablation_tables.of_scale(scored), ablation_tables.of_paper(scored),
        gain_tables.gains(arm_gains(scored, NAMES)), gain_tables.few_labels_gains(scored),
        teacher_tables.teachers(scored), need_tables.needs(scored, "imagenet"), city_tables.cities(cities),
        radar_tables.radar(scored, lambda name: counts[name, 1.0]["random"][0]),
        difference_tables.differences(scored, "ms-only"), doubt_tables.doubts(scored),
        difference_tables.exact_tests(scored, "ms-only", lambda name: {
            arm: {(seed, 0): each for seed, each in seeds.items()} for arm, seeds in counts[name, 1.0].items()
        }),
        *claim_tables.claim_tables(scored, "real"),
        claim_tables.statement_table(scored, similarity_differences(layers)),
        similarity_tables.similarity(similarities(layers)),
        similarity_tables.similarity_differences(similarity_differences(layers)),
        progress_tables.progress(summary(gains, 1.0), 1.0), progress_tables.progress(summary(gains, 1.5), 1.5),
        progress_tables.progress_by_benchmark(gains),
    ]  # fmt: skip
    assert None not in made
    return made


@pytest.fixture(scope="module")
def figures(scored, layers, probed) -> Iterator[list[CaptionedFigure]]:
    """Every figure that the report makes from tables, with and without what only some scales have."""
    histories = {run: pd.DataFrame({"step": range(4), "a/b": np.linspace(0, 1, 4)}) for run in ("deo", "deo-seed1")}
    made = [
        score_panels(scored), model_sizes(scored, dict.fromkeys(SEEDS, 5_000_000)),
        gain_panels(arm_gains(scored, NAMES)), teacher_panels(scored),
        *(label_fractions(scored, list(SEEDS), left_out) for left_out in ((), ("masked",))),
        *(training_losses(histories, left_out) for left_out in ((), ("masked",))),
        *(learning_curves(curves(probed), images, ("masked",)) for images in (1, 192)),
        *(similarity_panels(similarities(layers), absent, left) for absent, left in (
            ((), ()), (["teacher 'dinov3': no weights here"], ("class-token", "augmented")),
        )),
    ]  # fmt: skip
    assert None not in made
    yield made
    plt.close("all")


def test_every_caption_of_a_table_is_made_of_sentences(tables: list[CaptionedTable]) -> None:
    assert {each.name: found for each in tables if (found := list(faults(each.caption)))} == {}


def test_every_caption_of_a_figure_is_made_of_sentences(figures: list[CaptionedFigure]) -> None:
    assert {each.name: found for each in figures if (found := list(faults(each.caption)))} == {}


@pytest.mark.parametrize(
    "caption",
    ["no full stop", "A table (shows it.", "A table  shows it.", "One seeds is few.", "Scores of all.", "It is **x**."],
)
def test_the_rule_finds_faults(caption: str) -> None:
    assert list(faults(caption))
    assert list(faults(" ".join(["It is", *["long"] * LONGEST]) + "."))


def test_no_mark_reaches_a_page(tables: list[CaptionedTable]) -> None:
    page = "".join(plain_table(each.frame, each.name) for each in tables)
    assert "**" not in page and page.count("<strong>") > 20
    for each in tables:
        shown = each.html()
        assert "**" not in shown and "**" not in repr(each)
        assert shown.count("<strong>") == shown.count("</strong>")


def test_no_mark_reaches_a_figure(figures: list[CaptionedFigure]) -> None:
    texts = [text.get_text() for each in figures for text in each.figure.findobj(Text)]
    assert texts and not any("**" in text for text in texts)
