"""The paper's statements, each with its test: comparisons that have to be established, and a verdict from scores.

A test was written down before the scores that it judges. An arm's comparison is over seeds of pretraining; one seed
decides nothing. Released weights have no seeds, so that test samples alone decide.
Left out: whether a verdict holds beyond the scale, whose students are small.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np
import pandas as pd

from brew.compendium.report.claims import STATEMENT
from brew.compendium.report.formatting import established
from brew.compendium.report.gains import gain
from brew.compendium.report.paper import TASKS, Group
from brew.compendium.report.scored import Scored
from brew.compendium.report.similarity import PAIRS, PRIMARY
from brew.compendium.report.style import label
from brew.compendium.report.summary import benchmarks_in
from brew.evaluation.statistics import holm
from brew.evaluation.zoo import BACKBONES
from brew.models.teachers import TEACHERS

SUPPORTED, NOT_SUPPORTED, CONTRADICTED, NOT_TESTED = VERDICTS = (
    "supported", "not supported", "contradicted", "not tested",
)  # fmt: skip


@dataclass(frozen=True)
class Evidence:
    """One comparison of a statement's test, as a scale answers it; value is NaN if it was not run.

    on: what is compared, in words. low, high, p: over seeds, or over test samples if `released`. above_noise: whether
    rounding alone cannot give the difference. cancels: whether the benchmarks of a mean have different signs.
    """

    arm: str
    less: str
    on: str
    unit: str
    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    p: float = math.nan
    seeds: int = 0
    released: bool = False
    above_noise: bool = True
    cancels: bool = False
    digits: int = 1

    @property
    def lacks(self) -> str:
        """Why it decides nothing; empty if it does."""
        if math.isnan(self.value):
            return "was not run"
        return "" if self.released or self.seeds > 1 else "has one seed of pretraining"

    def shown(self, p: float) -> int:
        """The sign of an established difference, else 0. p: corrected."""
        certain = established(self.low, self.high, p, self.digits) and self.above_noise and not self.cancels
        return int(np.sign(self.value)) if certain and not self.lacks else 0


#: What answers a test: the scale's scores, and the differences of representation similarity.
Answers = Callable[[Scored, pd.DataFrame], list[Evidence]]


def _scores(arm: str, less: str, group: Group, on: str, label_fraction: float = 1.0) -> Answers:
    """A difference in the mean over those benchmarks of the group that both were scored on."""

    def answer(scored: Scored, _: pd.DataFrame) -> list[Evidence]:
        names = [
            name for name in group.members(benchmarks_in(scored.summary))
            if {arm, less} <= scored.of(name, label_fraction).keys()
        ]  # fmt: skip
        found = gain(scored, names, arm, less, label_fraction) if names else None
        open_ = Evidence(arm, less, on, "points")
        if found is None:
            return [open_]
        released = {arm, less} <= set(BACKBONES)
        of_seeds = found.over_seeds
        ends = (found.low, found.high, found.p) if released else (of_seeds.low, of_seeds.high, of_seeds.p)
        return [
            Evidence(
                arm, less, f"{on}: {', '.join(names)}", "points", found.points, *ends, of_seeds.seeds, released,
                found.above_noise, found.cancels,
            )
        ]  # fmt: skip

    return answer


def _similarities(_: Scored, found: pd.DataFrame) -> list[Evidence]:
    """Contrastive arms less masked ones, with each contrastively trained teacher, by the primary measure alone."""
    measure, token, stride = PRIMARY
    kept = found[(found["measure"] == measure) & (found["token"] == token) & (found["stride"] == stride)]
    kept = kept[kept["teacher"].isin(CONTRASTIVE) & kept["arm"].isin(PAIRS)]
    rows = [
        Evidence(
            row["arm"], row["less"], f"{measure} with the {token} patches of {row['teacher']}", "similarity",
            row["difference"], row["low over seeds"], row["high over seeds"], row["p over seeds"], row["seeds"],
            digits=2,
        )
        for row in kept.to_dict("records")
    ]  # fmt: skip
    return rows or [Evidence("deo", PAIRS["deo"], f"{measure} with a contrastively trained teacher", "similarity")]


#: Teachers that learned without labels, by comparing views.
CONTRASTIVE = tuple(name for name in TEACHERS if name not in ("imagenet", "random"))
_PRIOR = ("copernicus-fm", "dofa", "panopticon", "dinov3-b", "dinov3-l-sat")
_ROWS = ("ms-only", "class-token", "optical-path", "patch-tokens", "augmented", "deo")
_OPTICAL, _MULTISPECTRAL = Group(modality="optical"), Group(modality="multispectral")
#: Statement -> the comparisons that test it; all of them have to be established.
TESTS: Mapping[str, tuple[Answers, ...]] = {
    "statement-001": (
        _scores("deo", "ms-only", _OPTICAL, "optical"), _scores("deo", "ms-only", _MULTISPECTRAL, "multispectral"),
    ),
    "statement-002": tuple(
        _scores(arm, less, Group(), "optical and multispectral") for less, arm in pairwise(_ROWS)
    ),
    "statement-003": (_similarities,),
    "statement-004": (_scores("class-token", "ms-only", _MULTISPECTRAL, "multispectral"),),
    "statement-005": (
        _scores("deo-swin-b", "deo-vit-b", Group("segmentation"), "segmentation"),
        _scores("deo-swin-b", "deo-vit-b", Group("change"), "change"),
    ),
    "statement-006": (
        _scores("deo", "ms-only", _OPTICAL, "optical, 10 % of the labels", 0.1),
        _scores("deo", "ms-only", _MULTISPECTRAL, "multispectral, 10 % of the labels", 0.1),
    ),
    "statement-007": (_scores("deo", "augmented", _OPTICAL, "optical"),),
    "statement-008": tuple(
        _scores("deo-swin-b", prior, Group(task), task)
        for task, prior in product(TASKS, _PRIOR)
    ),
}  # fmt: skip


def verdict(evidence: Sequence[Evidence], p: Iterable[float]) -> str:
    """One of `VERDICTS`, and why if it is not tested. p: of each, corrected."""
    signs = [each.shown(corrected) for each, corrected in zip(evidence, p, strict=True)]
    if -1 in signs:
        return CONTRADICTED
    if lacking := next((each for each in evidence if each.lacks), None):
        return f"{NOT_TESTED}: {label(lacking.arm)} less {label(lacking.less)} {lacking.lacks}"
    return SUPPORTED if all(sign == 1 for sign in signs) else NOT_SUPPORTED


def statement_rows(scored: Scored, similarities: pd.DataFrame) -> pd.DataFrame:
    """Every statement among the claims, a row per comparison: numbers in columns, then the statement's verdict."""
    rows = []
    for claim in (claim for claim in scored.claims if claim.kind == STATEMENT):
        evidence = [each for answer in TESTS[claim.id] for each in answer(scored, similarities)]
        corrected = holm(np.array([math.nan if each.lacks else each.p for each in evidence])).tolist()
        told = verdict(evidence, corrected)
        rows += [
            {
                "id": claim.id, "statement": claim.words, "verdict": told, "arm": label(each.arm),
                "less": label(each.less), "on": each.on, "value": _written(each.value, each),
                "low": _written(each.low, each), "high": _written(each.high, each), "unit": each.unit,
                "seeds": each.seeds or "", "p": _p(each.p), "p (Holm)": _p(p),
                "paper": "" if math.isnan(claim.value) else f"{claim.value:g}", "source": claim.source,
            }
            for each, p in zip(evidence, corrected, strict=True)
        ]  # fmt: skip
    return pd.DataFrame(rows)


def _written(value: float, each: Evidence) -> str:
    return "" if math.isnan(value) else f"{value:+.{each.digits}f}"


def _p(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.3f}"
