"""The card of every score: its three doubts, its seeds one by one, and what it was made from."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from brew.compendium.report.site.addresses import cell_id, notebook_cell, number_id
from brew.compendium.report.site.scale_findings import Findings
from brew.compendium.report.style import label, metric_words
from brew.evaluation.benchmarks import BENCHMARKS

#: Columns of the runs that a card shows, as far as the scores have them.
_OF_RUNS = ("seed", "decoder", "value", "low", "high", "model")


@dataclass(frozen=True)
class Card:
    """A score on the page of its benchmark.

    shown: what it is called and where its cell stands. doubts: name -> words. runs: rows by column.
    made_from: name -> words. cell: of the notebook that scored, from the root of the scale; empty if none is kept.
    """

    id: str
    backbone: str
    name: str
    share: str
    value: str
    metric: str
    doubts: Mapping[str, str]
    runs: Sequence[Mapping[str, Any]]
    made_from: Mapping[str, str]
    cell: str
    back: str


def cards(findings: Findings, benchmark: str, shown_at: Callable[[float], str]) -> list[Card]:
    """Every score of a benchmark. shown_at: share of the labels -> page of its cell, from the root of the scale."""
    tables = findings.tables
    results, runs = (table[table["benchmark"] == benchmark] for table in (tables.results, tables.runs))
    of_score = dict(list(runs.groupby(["backbone", "label fraction"])))
    return [
        _card(findings, row, of_score[row["backbone"], row["label fraction"]], shown_at)
        for row in results.to_dict("records")
    ]


def _card(findings: Findings, row: dict[Any, Any], runs: pd.DataFrame, shown_at: Callable[[float], str]) -> Card:
    benchmark, backbone, share = row["benchmark"], row["backbone"], row["label fraction"]
    task = BENCHMARKS[benchmark].task
    cell = findings.cells.get((task, "scores"), "")
    shown = [name for name in _OF_RUNS if name in runs]
    command = f"python -m brew repro {findings.scale} {task}"
    return Card(
        number_id(backbone, share), backbone, label(backbone), f"{100 * share:g} % of the training labels",
        f"{row['value']:.2f}", metric_words(row["metric"]), doubts(row),
        runs[shown].to_dict("records"),
        {
            "command": command, "settings": _digests(runs, "settings"),
            "data": _digests(runs, "data"), "environment": _digests(runs, "environment"),
        },
        notebook_cell(task, cell) if cell else f"pages/{task}.html",
        f"{shown_at(share)}#{cell_id(benchmark, backbone, share)}",
    )  # fmt: skip


def doubts(row: Mapping[str, Any]) -> dict[str, str]:
    """The three doubts about a score, never mixed, each in words; then that of its decoders, if it has several."""
    samples = f"95 % interval {row['low']:.2f} to {row['high']:.2f}, over {row['n']} {row['unit']}s of the test"
    if row["seeds"] > 1:
        seeds = f"standard deviation {row['deviation over seeds']:.2f}, over {row['seeds']} seeds of pretraining"
    else:
        seeds = "not known: one seed of pretraining, so the score is exploratory"
    numerical = row.get("numerical deviation")
    known = numerical is not None and not math.isnan(numerical)
    rounding = f"standard deviation {numerical:.2f}, over reruns that differ by rounding" if known else (
        "not measured at this scale; make verify allows 3 points if something was trained"
    )  # fmt: skip
    found = {"test samples": samples, "seeds": seeds, "numerical": rounding}
    if row["decoders"] > 1:
        found["decoders"] = (
            f"standard deviation {row['deviation over decoders']:.2f}, over {row['decoders']} decoders on one student"
        )
    return found


def _digests(runs: pd.DataFrame, column: str) -> str:
    return ", ".join(dict.fromkeys(runs[column].astype(str)))
