"""The ledger: what a run of brew can say to each number that is claimed.

Numbers about the paper and numbers of other projects stand in tables of their own; statements have tests
(`paper_statements`). A verdict is one of four, each with its reason. "reproduced" and "not reproduced" need a score of
the same model on the same data by the same metric and protocol. They say whether the claimed value lies inside our
interval over test samples. Beside the verdict stand all readings of our predictions that the value fits. A number from
elsewhere on another ground is "not comparable". What no run has answered is "not run" with what it needs.
"""

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

import pandas as pd

from brew.compendium.report.claims import Claim, conflicts
from brew.compendium.report.formatting import agreeing
from brew.compendium.report.joint import interval
from brew.compendium.report.paper import ABLATED, PAPER, SYNTHETIC, Group, paper_benchmarks
from brew.compendium.report.scored import Scored
from brew.compendium.report.seeds import standing
from brew.compendium.report.style import label
from brew.data.sources.catalogue import SOURCES
from brew.evaluation.benchmarks import BENCHMARKS
from brew.evaluation.protocols import COMMON
from brew.evaluation.scores import Score

VERDICTS = ("reproduced", "not reproduced", "not comparable", "not run")
#: Why an arm of another scale does not answer a claim, by the scale that does.
_ANOTHER = {
    PAPER: "ours is a small student pretrained at scale {}, the claim's a Swin-B pretrained on 500,000 images",
    ABLATED: "ours is a student pretrained at scale {}, the claim's a Swin-T pretrained on 50,000 images",
}


@dataclass(frozen=True)
class Ours:
    """A score of ours that meets a claim, in percent. setting: in words."""

    backbone: str
    score: float
    spread: float
    low: float
    high: float
    setting: str
    metric: str
    protocol: str = COMMON


#: (benchmark or group, backbone, share of the labels, protocol) -> our score.
Found = Mapping[tuple[str | Group, str, float, str], Ours]


def found_scores(
    summary: pd.DataFrame, averages: Iterable[tuple[Group, Ours]], protocol: str = COMMON
) -> dict[tuple[str | Group, str, float, str], Ours]:
    """Our scores of one protocol by what they answer. summary: of `summarise`, from any share of the labels."""
    found: dict[tuple[str | Group, str, float, str], Ours] = {
        (row["benchmark"], row["backbone"], row["label_fraction"], protocol): _ours(row, protocol)
        for row in summary.to_dict("records")
    }
    averaged = {(group, ours.backbone, 1.0, protocol): replace(ours, protocol=protocol) for group, ours in averages}
    return found | averaged


def _ours(row: Mapping[Hashable, Any], protocol: str) -> Ours:
    setting = f"seeds: {row['seeds']}, test {row['unit']}s: {row['n']}, settings: {row['settings']}"
    return Ours(row["backbone"], row["score"], row["spread"], row["low"], row["high"], setting, row["metric"], protocol)


def average_scores(scored: Scored, names: Sequence[str], groups: Iterable[Group]) -> list[tuple[Group, Ours]]:
    """Averages that were run whole, in the form that claims about averages are held against."""
    found = []
    for group in dict.fromkeys(groups):
        members = group.members(names)
        for backbone, replicates in standing(scored, members).replicates.items():
            low, high = interval(replicates)
            setting = f"mean of {len(members)} benchmarks"
            found.append((group, Ours(backbone, float(replicates[0]), math.nan, low, high, setting, "mean")))
    return found


def ledger(
    claims: Sequence[Claim], found: Found, scale: str, weights: Mapping[str, str], readings: Sequence[Score] = ()
) -> pd.DataFrame:
    """One row per claim, with what this scale can say to it.

    claims: numbers. weights: backbone -> what they need, "" if they are at hand. readings: scores by all protocols and
    readings, of a scale that asks for more than brew's own; the ledger then has columns that say which fit.
    """
    contradicted = conflicts(claims)
    rows = []
    for claim in claims:
        ours = answer(claim, found)
        rows.append({
            "id": claim.id, "model": claim.model, "data set": claim.dataset, "metric": claim.metric,
            "claimed": f"{claim.value:g}", "status": claim.status,
            "verdict": verdict(claim, ours, scale, needs(claim, found, weights)),
            "ours": f"{ours.score:.2f}" if ours else "",
            "95 % over test": f"{ours.low:.2f} to {ours.high:.2f}" if ours else "",
            "deviation over seeds": "" if ours is None or math.isnan(ours.spread) else f"{ours.spread:.2f}",
            "difference": f"{ours.score - claim.value:+.2f}" if ours else "",
            "our backbone": label(ours.backbone) if ours else "", "our metric": ours.metric if ours else "",
            "setting": f"scale {scale}, {ours.setting}" if ours else "",
            **(_fitting(claim, ours, readings) if readings else {}),
            "conflicts with": " ".join(contradicted.get(claim.id, [])), "table": claim.table, "source": claim.source,
        })  # fmt: skip
    return pd.DataFrame(rows)


def answer(claim: Claim, found: Found) -> Ours | None:
    """Our score that meets the claim: of the claim's own model, else of the arm that stands beside it."""
    part = claim.group or claim.benchmark
    if part is None or claim.metric_kind is None:
        return None
    candidates = (
        found.get((part, name, claim.label_fraction, protocol))
        for protocol in dict.fromkeys((*claim.protocols, COMMON))
        for name in (claim.ours.backbone, claim.ours.arm)
        if name
    )
    same_metric = claim.group is not None or claim.our_metric is not None
    return next((ours for ours in candidates if ours is not None and same_metric), None)


def verdict(claim: Claim, ours: Ours | None, scale: str, needed: str) -> str:
    """One of `VERDICTS`, a colon, and why. needed: what a run would need."""
    against = _incomparable(claim, ours, scale)
    if against:
        return f"not comparable: {against}"
    if ours is None:
        return f"not run: {needed}"
    inside = ours.low <= claim.value <= ours.high
    place = "inside" if inside else "outside"
    words = "reproduced" if inside else "not reproduced"
    return (
        f"{words}: {place} our 95 % interval over test samples, {ours.low:.2f} to {ours.high:.2f} (bootstrap, seeds "
        f"averaged); difference {ours.score - claim.value:+.2f}, protocol {ours.protocol}"
    )


def _fitting(claim: Claim, ours: Ours | None, readings: Sequence[Score]) -> dict[str, str]:
    """By which protocol our score is, and which protocols, metrics and readings the claimed value fits."""
    return {"our protocol": ours.protocol if ours else "", "readings that hold it": ", ".join(held_by(claim, readings))}


def held_by(claim: Claim, readings: Iterable[Score]) -> list[str]:
    """The protocols, metrics and readings of our predictions whose interval holds the claimed value.

    Of the claim's own model, else of the arm that stands beside it. The ends of an interval are the means over runs.
    """
    names, kind = (claim.ours.backbone, claim.ours.arm), claim.metric_kind
    chosen = [
        score for score in readings
        if kind and (score.benchmark, score.label_fraction) == (claim.benchmark, claim.label_fraction)
        and score.arm in names and score.metric.startswith(kind) and not score.metric.endswith("_knn")
    ]  # fmt: skip
    own = next((name for name in names if any(score.arm == name for score in chosen)), None)
    ends: dict[tuple[str, str, str], list[tuple[float, float]]] = {}
    for score in chosen:
        if score.arm == own:
            key = score.protocol, score.metric, score.reading
            ends.setdefault(key, []).append((100 * score.low, 100 * score.high))
    bounds = {key: [fmean(part) for part in zip(*pairs, strict=True)] for key, pairs in ends.items()}
    return [" ".join(key) for key, (low, high) in bounds.items() if low <= claim.value <= high]


def _incomparable(claim: Claim, ours: Ours | None, scale: str) -> str | None:
    """Why no score of ours can be held against the claim, or not this one."""
    if claim.status == "superseded":
        return "its source has corrected it"
    if not claim.of_paper:
        return "its protocol differs from the paper's"
    if ours is None:
        return None
    if scale in SYNTHETIC:
        return f"scale {scale} holds no real imagery"
    if ours.backbone != claim.ours.backbone and scale != claim.scale:
        return _ANOTHER[claim.scale].format(scale)
    if ours.protocol not in claim.protocols:
        return f"ours is by the protocol {ours.protocol}, the claim's by {claim.protocol}"
    if not ours.low <= ours.high:
        return "our score has no interval"
    return None


def needs(claim: Claim, found: Found, weights: Mapping[str, str]) -> str:
    """What somebody has to do before the claim can be answered: the model, then the data."""
    return "; ".join(part for part in (_model(claim, weights), _data(claim, found)) if part)


def _model(claim: Claim, weights: Mapping[str, str]) -> str:
    model = claim.ours
    if model.backbone:
        return weights.get(model.backbone, f"add {label(model.backbone)} to BACKBONES")
    if model.arm:
        return f"pretrain the arm {model.arm} at scale {claim.scale}"
    if claim.metric_kind is None:
        return "run DEO and every model that the paper calls prior"
    return f"add {claim.model} to BACKBONES"


def _data(claim: Claim, found: Found) -> str:
    names = claim.group.members(paper_benchmarks()) if claim.group else [claim.benchmark] if claim.benchmark else []
    backbone = claim.ours.backbone or claim.ours.arm
    protocols = (*claim.protocols, COMMON)
    absent = [
        name for name in names
        if not any((name, backbone, claim.label_fraction, protocol) in found for protocol in protocols)
    ]  # fmt: skip
    if claim.group:
        return f"score the parts of the average: {', '.join(absent)}" if absent else ""
    return "; ".join(f"obtain {name}: {obtain(name)}" for name in absent)


def obtain(benchmark: str) -> str:
    """One line for whoever does not have the benchmark's data."""
    return SOURCES[BENCHMARKS[benchmark].source].obtain or "nothing: it is generated"


def headline(table: pd.DataFrame) -> str:
    """How many claims there are and what became of them, in sentences, counted from a ledger."""
    count = Counter(verdict.split(":")[0] for verdict in table["verdict"])
    beside = int(((table["ours"] != "") & table["verdict"].str.startswith("not comparable")).sum())
    contradicting = int((table["conflicts with"] != "").sum())
    testable = count["reproduced"] + count["not reproduced"]

    def told(number: int, one: str, many: str) -> str:
        return f"{number} {agreeing(number, one, many)}"

    made = [f"Of {agreeing(len(table), '1 claim', f'{len(table)} claims')} {testable or 'none'} could be tested here."]
    if testable:
        failed = told(count["not reproduced"], "was", "were")
        made.append(f"{told(count['reproduced'], 'was', 'were')} reproduced, and {failed} not.")
    if count["not comparable"]:
        made.append(
            f"{told(count['not comparable'], 'is', 'are')} not comparable, and {beside or 'none'} of these "
            f"{agreeing(beside or 1, 'stands', 'stand')} beside a score of ours."
        )
    if count["not run"]:
        made.append(f"{told(count['not run'], 'was', 'were')} not run.")
    if contradicting:
        made.append(f"{told(contradicting, 'contradicts', 'contradict')} another claim of the same thing; both stand.")
    return " ".join(made)


def counted(table: pd.DataFrame) -> pd.DataFrame:
    """How many claims of each table got which verdict."""
    kinds = table["verdict"].str.split(":").str[0]
    return pd.crosstab(table["table"], kinds).reindex(columns=VERDICTS, fill_value=0).reset_index()
