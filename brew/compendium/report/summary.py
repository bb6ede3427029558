"""Primary scores over seeds and decoders: one row per benchmark, backbone and share of the labels, in percent."""

import math
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from brew.compendium.report.formatting import plural
from brew.compendium.report.joint import ModelReplicates, interval
from brew.compendium.report.style import BACKBONES
from brew.evaluation.benchmark_metrics import scored_as
from brew.evaluation.benchmarks import BENCHMARKS
from brew.evaluation.protocols import COMMON, SET
from brew.evaluation.scores import Score

_KEY = ["benchmark", "backbone", "label_fraction"]
_COLUMNS = [
    *_KEY, "metric", "score", "values", "seed_numbers", "spread", "seeds", "decoders", "decoder_spread", "low", "high",
    "unit", "n", "settings",
]  # fmt: skip


def is_primary(score: Score, protocol: str = COMMON) -> bool:
    """Whether it is its benchmark's primary metric by that protocol, of the whole test."""
    whole = score.subset == "all" and score.reading == SET and score.protocol == protocol
    return whole and score.metric == scored_as(BENCHMARKS[score.benchmark], protocol).metric


def summarise(scores: Iterable[Score], replicates: Mapping[tuple[str, float], ModelReplicates]) -> pd.DataFrame:
    """Mean over seeds of primary scores, in the order of BENCHMARKS and of BACKBONES, all labels first.

    replicates: by benchmark and share of the labels. score: mean over seeds; values: of the seeds `seed_numbers`, each
    the mean over its decoders; spread: the values' standard deviation, NaN for one seed. decoders: of a seed, at most;
    decoder_spread: the deviation over decoders of one seed (pooled over seeds), NaN for one decoder. low, high: the
    95 % interval over n test samples (`unit`). settings: of the evaluations, as hashes.
    """
    rows = [
        {"benchmark": s.benchmark, "backbone": s.arm, "label_fraction": s.label_fraction, "metric": s.metric,
         "seed": s.seed, "value": 100 * s.value, "unit": s.unit, "n": s.n, "settings": s.settings}
        for s in scores
    ]  # fmt: skip
    if not rows:
        return pd.DataFrame(columns=_COLUMNS)
    decoded = pd.DataFrame(rows).groupby([*_KEY, "seed"]).agg(
        metric=("metric", "first"), value=("value", "mean"), variance=("value", "var"), decoders=("value", "size"),
        unit=("unit", "first"), n=("n", "first"), settings=("settings", lambda column: " ".join(sorted(set(column)))),
    ).reset_index()  # fmt: skip
    table = decoded.groupby(_KEY, sort=False).agg(
        metric=("metric", "first"), score=("value", "mean"), values=("value", tuple), seed_numbers=("seed", tuple),
        spread=("value", "std"), seeds=("seed", "nunique"), decoders=("decoders", "max"),
        decoder_spread=("variance", lambda column: math.sqrt(column.mean())), unit=("unit", "first"), n=("n", "first"),
        settings=("settings", lambda column: " ".join(sorted(set(" ".join(column).split())))),
    ).reset_index()  # fmt: skip
    ends = [interval(replicates[row.benchmark, row.label_fraction][row.backbone]) for row in table.itertuples()]
    table[["low", "high"]] = pd.DataFrame(ends, index=table.index)
    places = {"benchmark": list(BENCHMARKS), "backbone": in_order(set(table["backbone"]))}
    table = table.sort_values(
        _KEY, key=lambda column: column.map(places[column.name].index) if column.name in places else -column
    )
    return table[_COLUMNS].reset_index(drop=True)


def in_order(backbones: Iterable[str]) -> list[str]:
    """Backbones as tables and figures show them; those without a label of their own come last."""
    present = set(backbones)
    return [name for name in BACKBONES if name in present] + sorted(present - set(BACKBONES))


def benchmarks_in(summary: pd.DataFrame) -> Sequence[str]:
    """The benchmarks that a summary holds, in its order."""
    return list(dict.fromkeys(summary["benchmark"]))


def benchmark_note(names: Sequence[str]) -> str:
    """What each benchmark asks for, as a caption says it."""
    return " ".join(f"Benchmark {name} asks for {BENCHMARKS[name].summary}." for name in names)


def seeds_note(summary: pd.DataFrame, names: Sequence[str]) -> str:
    """Of how many seeds the scores on `names` are, as a caption says it, since means stand beside single seeds.

    The most common number of seeds is said last, of every other backbone.
    """
    table = summary[summary["benchmark"].isin(names) & (summary["label_fraction"] == 1)]
    counts = table.groupby("backbone")["seeds"].agg(["min", "max"])
    groups: dict[tuple[int, int], list[str]] = {}
    for backbone in in_order(counts.index):
        groups.setdefault((int(counts.loc[backbone, "min"]), int(counts.loc[backbone, "max"])), []).append(backbone)
    *few, (common, _) = sorted(groups.items(), key=lambda group: len(group[1]))
    told = [f"A score of {', '.join(members)} is over {_seeds(*ends)}." for ends, members in few]
    return " ".join([*told, f"A score of every {'other ' * bool(few)}backbone is over {_seeds(*common)}."])


def _seeds(least: int, most: int) -> str:
    return plural(most, "seed") if least == most else f"{least} to {plural(most, 'seed')}"
