"""What has been claimed, and what a run of brew can say to each claim.

Claims are facts with a source and a status (`data/claims.csv`); conflicting ones stay side by side. A verdict is one of
four, each with its reason. "reproduced" and "not reproduced" are given to a score of the same model on the same data by
the same metric alone, by whether the claimed value lies inside our interval over test samples. A number from elsewhere
on another ground is "not comparable", and what no run has answered is "not run" with what it needs.
Left out: whether a claim's source is right.
"""

import csv
import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from brew.compendium.report.paper import AVERAGES, DATASETS, MODELS, PAPER, SYNTHETIC, Group, Model, paper_benchmarks
from brew.compendium.report.style import label
from brew.data.sources.catalogue import SOURCES
from brew.errors import BrewError
from brew.evaluation.benchmarks import BENCHMARKS
from brew.files import DATA

CLAIMS = DATA / "claims.csv"
#: "reported" by the paper or its author, "derived" from reported numbers, "doubtful" where only notes state it,
#: "superseded" where its own source has corrected what it was computed with.
STATUSES = ("reported", "derived", "doubtful", "superseded")
VERDICTS = ("reproduced", "not reproduced", "not comparable", "not run")
#: How claims call a kind of score -> how the names of our metrics of that kind begin. Which of them (macro or micro) is
#: the one that the benchmark's entry declares.
_KINDS = {"mIoU": "iou", "F1": "f1", "top-1": "accuracy", "accuracy": "accuracy", "mean": "mean"}
#: Numbers from elsewhere by protocols of their own.
_CONTEXT = "context"
#: The paper's table 5, whose rows are arms.
ABLATION = "ablation"
_COLUMNS = ("id", "table", "model", "dataset", "metric", "value", "status", "source")


@dataclass(frozen=True)
class Claim:
    """One number from elsewhere, as its source gives it. value: percent, or points where it is a gain."""

    id: str
    table: str
    model: str
    dataset: str
    metric: str
    value: float
    status: str
    source: str

    @property
    def of_paper(self) -> bool:
        """Whether it is about a number of the paper's own tables."""
        return self.table != _CONTEXT

    @property
    def ours(self) -> Model:
        return MODELS.get(self.model, Model())

    @property
    def benchmark(self) -> str | None:
        """Of BENCHMARKS; None for an average, a data set that brew has no entry of, or one that was changed."""
        name = DATASETS.get(self.dataset.split(" ")[0], "")
        return name if name in BENCHMARKS and "rgb" not in self.dataset.lower() else None

    @property
    def group(self) -> Group | None:
        """The average that it is about, if it is."""
        return AVERAGES.get(self.dataset.split(" (")[0])

    @property
    def label_fraction(self) -> float:
        """The share of the training labels."""
        return 0.1 if "10 %" in self.table or "0.10x" in self.dataset else 1.0

    @property
    def kind(self) -> str | None:
        """How the names of our metrics of its kind begin; None where brew has none."""
        return _KINDS.get(self.metric.split(" ")[0])

    @property
    def our_metric(self) -> str | None:
        """Which of our metrics it is, by the benchmark's own definition."""
        declared = BENCHMARKS[self.benchmark].metric if self.benchmark else ""
        return declared if self.kind and declared.startswith(self.kind) else None

    @property
    def subject(self) -> tuple[object, ...]:
        """What it is about: claims of one subject and different values contradict each other."""
        if not self.of_paper:
            return self.table, self.model, self.dataset, self.metric
        model = self.ours.arm or self.ours.backbone or self.model
        return model, self.group or self.benchmark or self.dataset, self.kind or self.metric, self.label_fraction


def read_claims(path: Path = CLAIMS) -> list[Claim]:
    """All claims; BrewError where columns, an id, a value or a status is not as expected."""
    with path.open(newline="") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != _COLUMNS:
            raise BrewError(f"{path} has the columns {reader.fieldnames}; expected {list(_COLUMNS)}")
        rows = list(reader)
    for name, count in Counter(row["id"] for row in rows).items():
        if count > 1:
            raise BrewError(f"{path}: the id {name!r} stands {count} times; expected once. Give each claim its own")
    return [_claim(row, path) for row in rows]


def _claim(row: dict[str, str], path: Path) -> Claim:
    if row["status"] not in STATUSES:
        raise BrewError(f"{path}, {row['id']}: status {row['status']!r}; expected one of {', '.join(STATUSES)}")
    try:
        value = float(row["value"])
    except ValueError:
        raise BrewError(f"{path}, {row['id']}: value {row['value']!r}; expected a number, such as 60.5") from None
    return Claim(**{**row, "value": value})  # type: ignore[arg-type]


def conflicts(claims: Sequence[Claim]) -> dict[str, list[str]]:
    """Per claim that others contradict: their ids."""
    subjects = defaultdict(list)
    for claim in claims:
        subjects[claim.subject].append(claim)
    found = {claim.id: [o.id for o in subjects[claim.subject] if o.value != claim.value] for claim in claims}
    return {name: others for name, others in found.items() if others}


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


#: (benchmark or group, backbone, share of the labels) -> our score.
Found = Mapping[tuple[str | Group, str, float], Ours]


def found_scores(summary: pd.DataFrame, averages: Iterable[tuple[Group, Ours]]) -> Found:
    """Our scores by what they answer. summary: of `summarise`, from any share of the labels."""
    single = {
        (row["benchmark"], row["backbone"], row["label_fraction"]): _ours(row) for row in summary.to_dict("records")
    }
    return single | {(group, ours.backbone, 1.0): ours for group, ours in averages}


def _ours(row: Mapping[Hashable, Any]) -> Ours:
    setting = f"seeds: {row['seeds']}, test {row['unit']}s: {row['n']}, settings: {row['settings']}"
    return Ours(row["backbone"], row["score"], row["spread"], row["low"], row["high"], setting, row["metric"])


def ledger(claims: Sequence[Claim], found: Found, scale: str, weights: Mapping[str, str]) -> pd.DataFrame:
    """One row per claim, the paper's own tables first, with what this scale can say to it.

    weights: backbone -> what they need, "" where they are at hand.
    """
    contradicted = conflicts(claims)
    rows = []
    for claim in sorted(claims, key=lambda claim: not claim.of_paper):
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
            "conflicts with": " ".join(contradicted.get(claim.id, [])), "table": claim.table, "source": claim.source,
        })  # fmt: skip
    return pd.DataFrame(rows)


def answer(claim: Claim, found: Found) -> Ours | None:
    """Our score that meets the claim: of the claim's own model, else of the arm that stands beside it."""
    part = claim.group or claim.benchmark
    if part is None or claim.kind is None:
        return None
    candidates = (
        found.get((part, name, claim.label_fraction)) for name in (claim.ours.backbone, claim.ours.arm) if name
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
    return f"{words}: {place} our 95 % interval over test samples (bootstrap, seeds averaged)"


def _incomparable(claim: Claim, ours: Ours | None, scale: str) -> str | None:
    """Why no score of ours can be held against the claim, or not this one."""
    if claim.status == "superseded":
        return "its own source has corrected what it was computed with"
    if not claim.of_paper:
        return "its protocol differs from the paper's"
    if ours is None:
        return None
    if scale in SYNTHETIC:
        return f"scale {scale} holds no real imagery"
    if ours.backbone != claim.ours.backbone and scale != PAPER:
        return f"ours is a small student pretrained at scale {scale}, the claim's a Swin-B pretrained on 500,000 images"
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
        return f"pretrain the arm {model.arm} at scale {PAPER}"
    if claim.kind is None:
        return "run DEO and every model that the paper calls prior"
    return f"add {claim.model} to BACKBONES"


def _data(claim: Claim, found: Found) -> str:
    names = claim.group.members(paper_benchmarks()) if claim.group else [claim.benchmark] if claim.benchmark else []
    backbone = claim.ours.backbone or claim.ours.arm
    absent = [name for name in names if (name, backbone, claim.label_fraction) not in found]
    if claim.group:
        return f"score the parts of the average: {', '.join(absent)}" if absent else ""
    return "; ".join(f"obtain {name}: {obtain(name)}" for name in absent)


def obtain(benchmark: str) -> str:
    """One line for whoever does not have the benchmark's data."""
    return SOURCES[BENCHMARKS[benchmark].source].obtain or "nothing: it is generated"


def stated(claims: Sequence[Claim], model: str, part: str | Group, label_fraction: float = 1.0) -> str:
    """What the paper's own tables say of a model, reported numbers first and doubtful ones with a question mark.

    model: of BACKBONES, or as claims name it where brew has no counterpart.
    """
    return _values(
        claim for claim in claims
        if claim.of_paper and model in (claim.ours.backbone, claim.model) and claim.kind
        and claim.label_fraction == label_fraction
        and part == (claim.group or claim.benchmark)
    )  # fmt: skip


def stated_of_arm(claims: Sequence[Claim], group: Group, arm: str) -> str:
    """What the paper's ablation says of the row that `arm` stands for, as `stated` does."""
    return _values(
        claim for claim in claims if claim.table == ABLATION and claim.ours.arm == arm and claim.group == group
    )


def _values(claims: Iterable[Claim]) -> str:
    told = list(claims)
    sure = {f"{claim.value:g}" for claim in told if claim.status != "doubtful"}
    unsure = {f"{claim.value:g}" for claim in told if claim.status == "doubtful"} - sure
    return ", ".join([*sorted(sure), *(f"{value}?" for value in sorted(unsure))])


def headline(table: pd.DataFrame) -> str:
    """How many claims there are and what became of them, counted from a ledger."""
    count = Counter(verdict.split(":")[0] for verdict in table["verdict"])
    beside = int(((table["ours"] != "") & table["verdict"].str.startswith("not comparable")).sum())
    testable = count["reproduced"] + count["not reproduced"]
    return (
        f"{len(table)} claims, of which {testable} could be tested here: {count['reproduced']} reproduced, "
        f"{count['not reproduced']} not. {count['not comparable']} are not comparable ({beside} of them stand beside a "
        f"score of ours), {count['not run']} were not run. {int((table['conflicts with'] != '').sum())} contradict "
        "another claim of the same thing; both stand."
    )


def counted(table: pd.DataFrame) -> pd.DataFrame:
    """How many claims of each table got which verdict."""
    kinds = table["verdict"].str.split(":").str[0]
    return pd.crosstab(table["table"], kinds).reindex(columns=VERDICTS, fill_value=0).reset_index()
