"""A small report, made as the stages make it: three backbones on four benchmarks, scores from counts that are drawn."""

import json
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pandas as pd
import torch
from nbformat import v4

from brew.compendium.notebooks.pages import write_pages
from brew.compendium.report.cases import CLASS_ERRORS, palette, write_map, write_photograph
from brew.compendium.report.patch_likeness import GRID, likeness, packed
from brew.compendium.report.style import save
from brew.compendium.report.tables import (
    ablation_tables,
    claim_tables,
    difference_tables,
    few_label_tables,
    gain_tables,
    need_tables,
    rank_tables,
    task_tables,
)
from brew.compendium.settings import load
from brew.compendium.stages import Stage, write_tables
from brew.evaluation.benchmarks import BENCHMARKS
from brew.evaluation.scores import Run, scores_of, write_counts, write_scores
from brew.files import Layout

#: Backbone -> the share that it gets right; and its seeds.
SHARES, SEEDS = {"ms-only": 0.6, "deo": 0.8, "random": 0.3}, {"ms-only": 2, "deo": 2, "random": 1}
#: Of a table of differences of similarity; the small report has none.
SIMILARITY_COLUMNS = ["teacher", "arm", "less", "measure", "token", "stride"]
NAMES = ("roofs", "crops", "scenes")


def leave_stages(scale: str) -> Layout:
    """Write what the stages of a scale leave, below `files.REPORTS`."""
    stage = Stage(load(scale), Layout(scale))
    for name in NAMES:
        for backbone, share in SHARES.items():
            for seed in range(SEEDS[backbone]):
                for fraction in (1.0, 0.1):
                    _keep(stage, name, backbone, share * (1 if fraction == 1 else 0.7), seed, fraction)
    stage.layout.write("change")
    pd.DataFrame({"source": ["miniature"], "samples": [3], "store": ["abc"], "made from": ["seed 1"],
                  "licence": ["MIT"]}).to_csv(stage.layout.write("data") / "sources.csv", index=False)  # fmt: skip
    similarity = stage.layout.write("similarity")
    pd.DataFrame({"backbone": list(SHARES), "parameters": 5_000_000}).to_csv(similarity / "parameters.csv", index=False)
    for file in (similarity / "similarity.csv", similarity / "differences.csv"):
        pd.DataFrame(columns=["teacher"]).to_csv(file, index=False)
    pd.DataFrame(columns=["benchmark"]).to_csv(stage.layout.write("progress") / "gains.csv", index=False)
    for run in stage.settings.arms:
        history = pd.DataFrame({"step": range(6), "ms/compression": np.linspace(0, 0.9, 6)})
        history.to_csv(stage.layout.write(f"pretrain/{run}") / "history.csv", index=False)
    for name in ("features", "optical-teacher"):
        figure, axis = plt.subplots(figsize=(2, 1))
        axis.plot([0, 1])
        save(figure, stage.layout.write(name) / "features.png", "The figure shows a line.")
        plt.close(figure)
    _leave_cases(stage)
    _leave_tables(stage)
    _leave_notebooks(stage.layout)
    return stage.layout


def _keep(stage: Stage, name: str, backbone: str, share: float, seed: int, fraction: float) -> None:
    entry, draws = BENCHMARKS[name], np.random.default_rng(len(name) + seed)
    folder = stage.layout.write(entry.task)
    run = Run(name, entry.task, backbone, seed, "abc", fraction, f"{backbone}-{seed}", "data", "environment")
    classes = len(entry.classes)
    right = draws.binomial(100, share, 8)
    eye = np.eye(classes, dtype=int)
    cells = np.stack([eye * hits + np.roll(eye, 1, axis=1) * (100 - hits) for hits in right])
    write_scores(folder / "scores.csv", scores_of(run, cells, (entry.metric,)))
    write_counts(folder / "counts" / f"{run.name}.npz", cells, range(8))


def _leave_tables(stage: Stage) -> None:
    here = write_tables.begin(stage)
    for table in (
        task_tables.of_scale(here, "segmentation"), task_tables.of_scale(here, "classification"),
        task_tables.of_paper(here, "segmentation"), rank_tables.ranks(here), ablation_tables.of_scale(here),
        difference_tables.differences(here, "ms-only"), few_label_tables.few_labels(here),
        gain_tables.few_labels_gains(here), need_tables.needs(here, stage.settings.teacher),
    ):  # fmt: skip
        write_tables.write(stage, table)
    write_tables.gains(stage, here)
    write_tables.claims(stage, here)
    write_tables.write(stage, claim_tables.statement_table(here, pd.DataFrame(columns=SIMILARITY_COLUMNS)))
    write_tables.scores(stage)
    write_tables.tidy(stage, here)


def _leave_cases(stage: Stage) -> None:
    """Cases of one benchmark, of two panels each, and two images of which patches are compared."""
    folder = stage.layout.write("cases")
    draws = np.random.default_rng(0)
    photographs = [write_photograph(folder / "pictures", draws.random((16, 16, 3))) for _ in range(2)]
    error = write_map(folder / "pictures", np.eye(16, dtype=int), palette([*CLASS_ERRORS.values()]))
    cases = [
        {"place": place, "image": str(number), "scores": [90.0 - number, 50.0],
         "panels": [["image", photographs[0]], ["errors of DEO (both teachers)", error]]}
        for number, place in enumerate(("best", "median", "worst"))
    ]  # fmt: skip
    entry = {
        "benchmark": "roofs", "metric": "iou_macro", "arm": "deo", "reference": "ms-only", "images": 8, "credit": "",
        "legend": CLASS_ERRORS, "classes": [["water", "#102030"]], "cases": cases,
    }  # fmt: skip
    (folder / "cases.json").write_text(json.dumps([entry]))
    cosines = likeness(torch.from_numpy(draws.random((2, 3, 8, 8))))
    content = {
        "grid": GRID, "source": "miniature", "images": photographs, "samples": [0, 1],
        "likeness": {name: [packed(each) for each in cosines] for name in ("deo", "teacher")},
    }  # fmt: skip
    (folder / "likeness.json").write_text(json.dumps(content))
    scores = {"benchmark": ["roofs"], "image": ["0"], "metric": ["iou_macro"], "deo": [90]}
    pd.DataFrame(scores).to_csv(folder / "images.csv", index=False)
    figure, axis = plt.subplots(figsize=(2, 1))
    axis.plot([0, 1])
    save(figure, folder / "patches.png", "The figure shows patches.")
    plt.close(figure)


def _leave_notebooks(layout: Layout) -> None:
    folder = layout.site / "notebooks"
    folder.mkdir(parents=True)
    for name, source, shown in (
        ("segmentation", "evaluate_segmentation.evaluate(stage)", "scores"),
        ("classification", "evaluate_classification.evaluate(stage)", "scores"),
        ("tables", "write_tables.gains(stage, here)", "gains.csv: The table shows gains."),
        ("features", "show(stage)", "Figure"),
        ("cases", "compare_patches.patches(stage)", "Figure"),
        ("optical-teacher", "show(stage)", "Figure"),
    ):
        output = v4.new_output("execute_result", {"text/plain": shown}, execution_count=1)
        cell = v4.new_code_cell(source, id=f"{name}-1", outputs=[output])
        book = v4.new_notebook(cells=[v4.new_markdown_cell(f"# What of {name}?", id=f"{name}-0"), cell])
        nbformat.write(book, folder / f"{name}.ipynb")
    write_pages(folder, layout.site / "pages")


def pages_of(reports: Path) -> list[Path]:
    """Every page of the site: the home, the first screen, chapters, benchmarks and notebooks."""
    return sorted(path for path in reports.rglob("*.html") if "stages" not in path.parts)
