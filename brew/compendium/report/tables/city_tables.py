"""OSCD city by city."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from brew.compendium.report.captioned import CaptionedTable
from brew.compendium.report.seeds import standing_of
from brew.compendium.report.style import label
from brew.compendium.report.summary import in_order
from brew.evaluation.scores import Score

_POOLED = {"f1": "F1", "precision": "precision", "recall": "recall", "f1_scene_mean": "mean city F1"}
#: The whole test, and the test without the city that shares an edge with a training city.
_WHOLE, _WITHOUT = "all", "without saclay_w"


def cities(scores: Iterable[Score]) -> CaptionedTable | None:
    """F1 of every test city, pooled with and without saclay_w, and the mean over cities; None without OSCD."""
    rows = [
        {
            "backbone": score.arm,
            "seed": score.seed,
            "metric": score.metric,
            "subset": score.subset,
            "value": 100 * score.value,
        }
        for score in scores
        if score.benchmark == "oscd" and score.label_fraction == 1 and score.plain
    ]
    if not rows:
        return None
    caption = (
        "The table shows OSCD's official test cities, in percent, as the mean over seeds, plus or minus their "
        "deviation; the decoders of a seed are averaged. A backbone with fewer seeds than others says so in its "
        "column's head, and is not compared with them here. First stand scores of counts that are pooled over the "
        "cities (primary), with and without saclay_w, which shares an edge with a training city. Then follows each "
        "city's F1."
    )
    return CaptionedTable("oscd-cities", _table(pd.DataFrame(rows)), caption)


def _table(frame: pd.DataFrame) -> pd.DataFrame:
    parts = {}
    for metric, title in _POOLED.items():
        for subset in (_WHOLE, _WITHOUT):
            chosen = frame[(frame["metric"] == metric) & (frame["subset"] == subset)]
            parts[title if subset == _WHOLE else f"{title} {subset}"] = _over_runs(chosen)
    single = frame[(frame["metric"] == "f1") & ~frame["subset"].isin([_WHOLE, _WITHOUT])]
    parts |= {str(city): _over_runs(values) for city, values in single.groupby("subset")}
    table = pd.DataFrame(parts).reindex(in_order(frame["backbone"]))
    return table.rename(index=_heads(frame)).T.rename_axis("OSCD").reset_index()


def _heads(frame: pd.DataFrame) -> dict[str, str]:
    """Backbone -> its column's head, with its number of seeds if others have more."""
    runs = {name: dict.fromkeys(part["seed"], np.zeros(1)) for name, part in frame.groupby("backbone")}
    found = standing_of(runs)
    return {name: label(name) + (f" ({found.share(name)})" if found.share(name) else "") for name in runs}


def _over_runs(scores: pd.DataFrame) -> pd.Series:
    return (
        scores.groupby(["backbone", "seed"])["value"]
        .mean()
        .groupby("backbone")
        .agg(lambda runs: f"{runs.mean():.1f}" + (f" +/- {runs.std():.1f}" if len(runs) > 1 else ""))
    )
