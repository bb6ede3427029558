"""Stage `tables`: scores on file as the tables of the report."""

import math

import pandas as pd

from brew.downstream.benchmarks import BENCHMARKS
from brew.downstream.scores import Score, read_scores
from brew.reporting.claims import ledger
from brew.reporting.style import BACKBONES, label, write_caption
from brew.stages import Stage

#: Methods of change detection alone.
_CHANGE_REFERENCES = ("cva", "fc-siam-diff")
TASKS = ("segmentation", "change", "classification")


def all_scores(stage: Stage) -> list[Score]:
    return [score for task in TASKS for score in _of(stage, task)]


def _of(stage: Stage, task: str) -> list[Score]:
    file = stage.layout.read(task) / "scores.csv"
    return read_scores(file) if file.exists() else []


def primary_scores(stage: Stage) -> pd.DataFrame:
    """Mean over seeds of each primary metric, in percent, with its interval over test samples and spread over seeds.

    From all training labels: fewer are a table of their own.

    The interval is that of the first seed: it says how sure the score is over test samples, not over seeds.
    """
    rows = [
        {"benchmark": s.benchmark, "backbone": s.arm, "seed": s.seed, "value": 100 * s.value, "low": 100 * s.low,
         "high": 100 * s.high, "unit": s.unit, "n": s.n, "metric": s.metric}
        for s in all_scores(stage)
        if s.labels == 1 and s.subset == "all" and s.metric == BENCHMARKS[s.benchmark].metric
    ]  # fmt: skip
    frame = pd.DataFrame(rows)
    grouped = frame.sort_values("seed").groupby(["benchmark", "backbone"], sort=False)
    table = grouped.agg(
        score=("value", "mean"), values=("value", tuple), spread=("value", "std"), seeds=("seed", "nunique"),
        low=("low", "first"), high=("high", "first"), unit=("unit", "first"), n=("n", "first"),
        metric=("metric", "first"),
    ).reset_index()  # fmt: skip
    order = {name: place for place, name in enumerate(BACKBONES)}
    return table.sort_values(
        ["benchmark", "backbone"], key=lambda column: column.map(lambda name: order.get(name, name)), kind="stable"
    ) if not table.empty else table  # fmt: skip


def comparison(stage: Stage) -> pd.DataFrame:
    """Backbones by benchmarks: score, spread over seeds, and interval over test samples in brackets."""
    scores = primary_scores(stage)
    scores["cell"] = [_cell(row) for row in scores.itertuples()]
    wide = scores.pivot(index="backbone", columns="benchmark", values="cell")
    wide = wide.reindex([name for name in BACKBONES if name in wide.index])
    for name in wide.columns:
        absent = wide[name].isna()
        wide.loc[absent, name] = [missing(arm, name) for arm in wide.index[absent]]
    names = {name: f"{name} ({BENCHMARKS[name].metric.replace('_', ' ')})" for name in wide.columns}
    wide = wide.rename(index=label, columns=names).reset_index()
    caption = (
        "Every backbone under one protocol, in percent: mean over seeds, plus or minus the deviation over seeds where "
        "there "
        "are several; in brackets the 95 % interval over test samples (whole cities for oscd, where it is "
        "approximate). " + "; ".join(f"{name}: {BENCHMARKS[name].summary}" for name in sorted(names)) + "."
    )
    return _write(stage, "comparison", wide, caption)


def missing(backbone: str, benchmark: str) -> str:
    """What stands where a score is absent: references of change detection have no meaning elsewhere."""
    elsewhere = backbone in _CHANGE_REFERENCES and BENCHMARKS[benchmark].task != "change"
    return "-" if elsewhere else "not run"


def _cell(row) -> str:  # type: ignore[no-untyped-def]
    spread = "" if math.isnan(row.spread) else f" +/- {row.spread:.1f}"
    return f"{row.score:.1f}{spread} [{row.low:.1f}, {row.high:.1f}]"


def change_by_city(stage: Stage) -> pd.DataFrame | None:
    """F1 of OSCD for every test city, pooled with and without saclay_w, and the mean over cities; None without OSCD."""
    scores = [score for score in _of(stage, "change") if score.benchmark == "oscd" and score.labels == 1]
    if not scores:
        return None
    frame = pd.DataFrame(
        [{"backbone": s.arm, "metric": s.metric, "subset": s.subset, "value": 100 * s.value} for s in scores]
    )
    pooled = {"f1": "F1", "precision": "precision", "recall": "recall", "f1_scene_mean": "mean city F1"}
    parts = {}
    for metric, title in pooled.items():
        for subset in ("all", "without saclay_w"):
            chosen = frame[(frame["metric"] == metric) & (frame["subset"] == subset)]
            parts[title if subset == "all" else f"{title} without saclay_w"] = chosen.groupby("backbone")[
                "value"
            ].mean()
    cities = frame[(frame["metric"] == "f1") & ~frame["subset"].isin(["all", "without saclay_w"])]
    for city, values in cities.groupby("subset"):
        parts[str(city)] = values.groupby("backbone")["value"].mean()
    table = pd.DataFrame(parts).reindex([name for name in BACKBONES if name in set(frame["backbone"])])
    table = table.rename(index=label).T.map(lambda value: f"{value:.1f}").rename_axis("OSCD").reset_index()
    caption = (
        "OSCD, official test cities, in percent, mean over seeds. First from counts pooled over the cities (primary), "
        "with and without saclay_w, which shares an edge with a training city; then each city's F1."
    )
    return _write(stage, "oscd-cities", table, caption)


def paired(stage: Stage) -> pd.DataFrame:
    """The paired differences that the change stage left."""
    table = pd.read_csv(stage.layout.read("change") / "differences.csv", keep_default_na=False)
    caption = (
        "Change detection: F1 of every backbone less that of `ms-only` on the same test scenes. The interval resamples "
        "whole "
        "scenes jointly for both (approximate for ten cities); p is exact over all exchanges of the two in any subset "
        "of the scenes, first seed, where they are few."
    )
    return _write(stage, "change-differences", table, caption)


def claims(stage: Stage) -> pd.DataFrame:
    """The ledger: every claim with what this scale can say to it."""
    scores = primary_scores(stage)
    scores["interval"] = [f"{row.low:.1f} to {row.high:.1f}" for row in scores.itertuples()]
    scores["score"] = scores["score"].map(lambda value: f"{value:.1f}")
    table = ledger(scores, stage.settings.scale.name)
    answered = int((table["ours"] != "").sum())
    caption = (
        f"Claims about the method and what this scale can say to them: {answered} of {len(table)} meet a number of "
        "ours, none on the same model and data, so none can be called reproduced here."
    )
    return _write(stage, "ledger", table, caption)


def _write(stage: Stage, name: str, table: pd.DataFrame, caption: str) -> pd.DataFrame:
    path = stage.layout.write("tables") / f"{name}.csv"
    table.to_csv(path, index=False)
    write_caption(path, caption)
    return table
