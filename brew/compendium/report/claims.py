"""What has been claimed: statements and numbers from elsewhere, with their sources and status (`data/claims.csv`).

A claim is of one of three kinds: a statement of the paper in words, a number about the paper's own tables, or a number
of another project by its own protocol (context). Conflicting claims stay side by side. Left out: whether a claim's
source is right, and what a run of brew can say to a number (`ledger`) or to a statement (`paper_statements`).
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from brew.compendium.report.paper import ABLATED, AVERAGES, DATASETS, MODELS, PAPER, Group, Model
from brew.errors import BrewError
from brew.evaluation.benchmarks import BENCHMARKS
from brew.evaluation.protocols import OVER, STATES
from brew.evaluation.scores import read_table
from brew.files import DATA

CLAIMS = DATA / "claims.csv"
#: "reported" by the paper or its author, "derived" from reported numbers, "doubtful" if only notes state it,
#: "superseded" if its own source has corrected what it was computed with.
STATUSES = ("reported", "derived", "doubtful", "superseded")
#: How claims call a kind of score -> how the names of our metrics of that kind begin. Which of them (macro or micro) is
#: the one that the benchmark's entry declares.
_KINDS = {"mIoU": "iou", "F1": "f1", "top-1": "accuracy", "accuracy": "accuracy", "mean": "mean"}
#: A statement of the paper, a number about its tables, and a number from elsewhere by a protocol of its own.
STATEMENT, NUMBER, CONTEXT = KINDS = ("statement", "number", "context")
#: Of a number of the authors', if it is not told at which state of their code it was measured.
ANY_STATE = "authors (any state)"
#: The paper's table 5, whose rows are arms.
ABLATION = "ablation"
_COLUMNS = (
    "id",
    "kind",
    "table",
    "model",
    "dataset",
    "metric",
    "value",
    "status",
    "source",
    "words",
    "protocol",
    "reading",
)


@dataclass(frozen=True)
class Claim:
    """One statement or number from elsewhere, as its source gives it.

    value: percent, or points if it is a gain; NaN of a statement that names no number. words: of a statement.
    protocol: of PROTOCOLS, by which it was measured, or `ANY_STATE`; reading: of OVER. Both of numbers alone.
    """

    id: str
    kind: str
    table: str
    model: str
    dataset: str
    metric: str
    value: float
    status: str
    source: str
    words: str = ""
    protocol: str = ""
    reading: str = ""

    @property
    def of_paper(self) -> bool:
        """Whether it is about a number of the paper's own tables."""
        return self.kind == NUMBER

    @property
    def ours(self) -> Model:
        return MODELS.get(self.model, Model())

    @property
    def protocols(self) -> tuple[str, ...]:
        """The protocols that it may have been measured by."""
        return tuple(STATES) if self.protocol == ANY_STATE else (self.protocol,)

    @property
    def scale(self) -> str:
        """The one scale whose arms answer it."""
        return ABLATED if self.table == ABLATION else PAPER

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
    def metric_kind(self) -> str | None:
        """How the names of our metrics of its kind begin; None if brew has none."""
        return _KINDS.get(self.metric.split(" ")[0])

    @property
    def our_metric(self) -> str | None:
        """Which of our metrics it is, by the benchmark's own definition."""
        declared = BENCHMARKS[self.benchmark].metric if self.benchmark else ""
        return declared if self.metric_kind and declared.startswith(self.metric_kind) else None

    @property
    def subject(self) -> tuple[object, ...]:
        """What it is about: claims of one subject and different values contradict each other."""
        if not self.of_paper:
            return self.table, self.model, self.dataset, self.metric
        model = self.ours.arm or self.ours.backbone or self.model
        return model, self.group or self.benchmark or self.dataset, self.metric_kind or self.metric, self.label_fraction


def read_claims(path: Path = CLAIMS) -> list[Claim]:
    """All claims; BrewError if columns, an id, a kind, a value or a status is not as expected."""
    columns, rows = read_table(path)
    if columns != _COLUMNS:
        raise BrewError(f"{path} has the columns {list(columns)}; expected {list(_COLUMNS)}. Restore it from git")
    for name, count in Counter(row["id"] for row in rows).items():
        if count > 1:
            raise BrewError(f"{path}: the id {name!r} stands {count} times; expected once. Give each claim its own")
    return [_claim(row, path) for row in rows]


def _claim(row: dict[str, str], path: Path) -> Claim:
    if row["status"] not in STATUSES:
        raise BrewError(f"{path}, {row['id']}: status {row['status']!r}; expected one of {', '.join(STATUSES)}")
    if row["kind"] not in KINDS:
        raise BrewError(f"{path}, {row['id']}: kind {row['kind']!r}; expected one of {', '.join(KINDS)}")
    if row["kind"] == NUMBER and (row["protocol"] not in (ANY_STATE, *STATES) or row["reading"] not in OVER):
        raise BrewError(
            f"{path}, {row['id']}: protocol {row['protocol']!r}, reading {row['reading']!r}; expected "
            f"{', '.join((ANY_STATE, *STATES))}, and one of {', '.join(OVER)}"
        )
    if row["kind"] == STATEMENT and not row["value"]:
        return Claim(**{**row, "value": math.nan})  # type: ignore[arg-type]
    try:
        value = float(row["value"])
        if not (math.isfinite(value) and row["id"]):
            raise ValueError
    except ValueError:
        raise BrewError(f"{path}, {row['id']}: value {row['value']!r}; expected a number, such as 60.5") from None
    return Claim(**{**row, "value": value})  # type: ignore[arg-type]


def conflicts(claims: Sequence[Claim]) -> dict[str, list[str]]:
    """Per claim that others contradict: their ids."""
    numbers = [claim for claim in claims if claim.kind != STATEMENT]
    subjects = defaultdict(list)
    for claim in numbers:
        subjects[claim.subject].append(claim)
    found = {claim.id: [o.id for o in subjects[claim.subject] if o.value != claim.value] for claim in numbers}
    return {name: others for name, others in found.items() if others}


def stated(claims: Sequence[Claim], model: str, part: str | Group, label_fraction: float = 1.0) -> str:
    """What the paper's own tables say of a model, reported numbers first and doubtful ones with a question mark.

    model: of BACKBONES, or as claims name it if brew has no counterpart.
    """
    return _values(
        claim for claim in claims
        if claim.of_paper and model in (claim.ours.backbone, claim.model) and claim.metric_kind
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
