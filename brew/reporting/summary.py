"""Scores over seeds: one row per benchmark, backbone, share of the labels and metric, in percent."""

from collections.abc import Iterable, Sequence

import pandas as pd

from brew.downstream.benchmarks import BENCHMARKS
from brew.downstream.scores import Score
from brew.reporting.style import BACKBONES

_KEY = ["benchmark", "backbone", "labels", "metric"]
_COLUMNS = [*_KEY, "score", "values", "spread", "seeds", "low", "high", "unit", "n", "settings"]


def summarise(scores: Iterable[Score]) -> pd.DataFrame:
    """Mean over seeds of every score of a whole test, in the order of BENCHMARKS and of BACKBONES.

    score: mean over seeds; values: of the seeds; spread: their standard deviation, NaN for one seed. low, high: the
    ends of the seeds' 95 % intervals over n test samples (`unit`), averaged over seeds: they say nothing about other
    seeds. settings: of the evaluations, as hashes.
    """
    rows = [
        {"benchmark": s.benchmark, "backbone": s.arm, "labels": s.labels, "metric": s.metric, "seed": s.seed,
         "value": 100 * s.value, "low": 100 * s.low, "high": 100 * s.high, "unit": s.unit, "n": s.n,
         "settings": s.settings}
        for s in scores
        if s.subset == "all"
    ]  # fmt: skip
    if not rows:
        return pd.DataFrame(columns=_COLUMNS)
    table = pd.DataFrame(rows).sort_values("seed").groupby(_KEY, sort=False).agg(
        score=("value", "mean"), values=("value", tuple), spread=("value", "std"), seeds=("seed", "nunique"),
        low=("low", "mean"), high=("high", "mean"), unit=("unit", "first"), n=("n", "first"),
        settings=("settings", lambda column: " ".join(sorted(set(column)))),
    ).reset_index()  # fmt: skip
    places = {"benchmark": list(BENCHMARKS), "backbone": in_order(set(table["backbone"]))}
    table = table.sort_values(
        ["benchmark", "backbone", "labels"],
        key=lambda column: column.map(places[column.name].index) if column.name in places else -column,
        kind="stable",
    )
    return table[_COLUMNS].reset_index(drop=True)


def primary(summary: pd.DataFrame, labels: float | None = 1.0) -> pd.DataFrame:
    """The rows of each benchmark's primary metric, from that share of the labels (None: from any)."""
    chosen = summary["metric"] == summary["benchmark"].map(lambda name: BENCHMARKS[name].metric)
    if labels is not None:
        chosen &= summary["labels"] == labels
    return summary[chosen].reset_index(drop=True)


def in_order(backbones: Iterable[str]) -> list[str]:
    """As tables and figures show them; those without a label of their own last."""
    present = set(backbones)
    return [name for name in BACKBONES if name in present] + sorted(present - set(BACKBONES))


def benchmarks_in(summary: pd.DataFrame) -> Sequence[str]:
    """The benchmarks that it holds, in its order."""
    return list(dict.fromkeys(summary["benchmark"]))
