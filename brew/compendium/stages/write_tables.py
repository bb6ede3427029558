"""Stage `tables`: scores on file as the tables of the report, and the ledger of claims.

`brew.compendium.report.tables` makes every table. The functions here read what a table needs beside the scores.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from brew.compendium.report import tidy_tables
from brew.compendium.report.arm_gains import arm_gains, in_words
from brew.compendium.report.captioned import CaptionedTable
from brew.compendium.report.claims import read_claims
from brew.compendium.report.scored import Scored
from brew.compendium.report.site import ANSWER
from brew.compendium.report.style import write_caption
from brew.compendium.report.summary import benchmarks_in
from brew.compendium.report.tables import (
    city_tables,
    claim_tables,
    difference_tables,
    gain_tables,
    progress_tables,
    radar_tables,
    similarity_tables,
)
from brew.compendium.stages import Stage
from brew.compendium.stages.read_scores import all_scores, counts_of, scored
from brew.evaluation.scores import write_scores
from brew.evaluation.zoo import BACKBONES

#: The backbone that others are held against: the first row of the paper's ablation.
REFERENCE = "ms-only"


def begin(stage: Stage) -> Scored:
    """What was scored, with what is claimed and what could have been compared."""
    return replace(scored(stage), claims=read_claims(), compared=tuple(BACKBONES))


def write(stage: Stage, table: CaptionedTable | None) -> CaptionedTable | None:
    """Write a table of the report, of those that the scale has; returns it for the notebook to show."""
    return table.write(_folder(stage)) if table else None


def scores(stage: Stage) -> CaptionedTable:
    """Every score of the scale in one tidy file, with what it was made from."""
    path = _folder(stage) / "scores.csv"
    path.unlink(missing_ok=True)
    write_scores(path, all_scores(stage))
    caption = (
        "The table holds every score: settings, seed, share of the labels, and hashes of model, data, environment."
    )
    write_caption(path, caption)
    return CaptionedTable(path.stem, pd.read_csv(path), caption)


def exact_tests(stage: Stage, here: Scored) -> CaptionedTable | None:
    """The exact p of the differences that are over few scenes; None if there is none."""
    return write(stage, difference_tables.exact_tests(here, REFERENCE, lambda name: counts_of(stage, name)))


def gains(stage: Stage, here: Scored) -> CaptionedTable | None:
    """What every arm gains over the references; what DEO gains also in words."""
    found = arm_gains(here, benchmarks_in(here.summary))
    (_folder(stage) / ANSWER).write_text(in_words(found), encoding="utf-8")
    return write(stage, gain_tables.gains(found))


def similarity(stage: Stage) -> CaptionedTable | None:
    """Representation similarity of students and optical teachers; None if no teacher was at hand."""
    return write(stage, similarity_tables.similarity(pd.read_csv(stage.layout.read("similarity") / "similarity.csv")))


def similarity_differences(stage: Stage) -> CaptionedTable | None:
    """How much closer a student comes by contrast than by masked image modelling; None without pairs."""
    found = pd.read_csv(stage.layout.read("similarity") / "differences.csv")
    return write(stage, similarity_tables.similarity_differences(found))


def progress(stage: Stage) -> CaptionedTable | None:
    """What the arms gained along their training; None if no student was kept."""
    found = pd.read_csv(stage.layout.read("progress") / "summary.csv", dtype=str)
    return write(stage, progress_tables.progress(found, stage.settings.progress.converged))


def progress_by_benchmark(stage: Stage) -> CaptionedTable | None:
    """The same benchmark by benchmark; None if no student was kept."""
    return write(stage, progress_tables.progress_by_benchmark(pd.read_csv(stage.layout.read("progress") / "gains.csv")))


def change_by_city(stage: Stage) -> CaptionedTable | None:
    """OSCD city by city; None without OSCD."""
    return write(stage, city_tables.cities(all_scores(stage)))


def radar(stage: Stage, here: Scored) -> CaptionedTable | None:
    """What is learned of radar, beside chance; None if no radar was scored."""

    def counts(name: str) -> np.ndarray:
        return next(iter(next(iter(counts_of(stage, name).values())).values()))

    return write(stage, radar_tables.radar(here, counts))


def claims(stage: Stage, here: Scored) -> CaptionedTable | None:
    """The ledgers: every claimed number with what this scale can say to it; returned are the counts of its verdicts."""
    ledger, context, counted = claim_tables.claim_tables(here, stage.settings.scale.name)
    write(stage, ledger)
    write(stage, context)
    return write(stage, counted)


def tidy(stage: Stage, here: Scored) -> pd.DataFrame:
    """The tables from which the site is made, a number per column; returned are the scores with their doubts."""
    folder = _folder(stage) / "tidy"
    folder.mkdir(exist_ok=True)
    made = {
        "results": tidy_tables.results(here), "means": tidy_tables.means(here), "pairs": tidy_tables.pairs(here),
        "orders": tidy_tables.orders(here),
    }  # fmt: skip
    for name, table in made.items():
        table.to_csv(folder / f"{name}.csv", index=False)
    return made["results"]


def statements(stage: Stage, here: Scored) -> CaptionedTable | None:
    """What the paper states in words, with tests and verdicts."""
    differences = pd.read_csv(stage.layout.read("similarity") / "differences.csv")
    return write(stage, claim_tables.statement_table(here, differences))


def _folder(stage: Stage) -> Path:
    return stage.layout.write("tables")
