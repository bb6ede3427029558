"""QUESTIONS: what the study beyond the paper asks, and the rule by which its answers are told (docs/study-beyond.md).

The page was written before anything of it was run. Questions and rule stand here so that no hand tells the answers.
"""

from dataclasses import dataclass

from brew.compendium.report.gains import Gain

#: Points that a gain has to reach.
LEAST = 1.0
YES, NO, UNTOLD = "yes", "no", "cannot be told"


@dataclass(frozen=True)
class Question:
    """One comparison. arm, reference: of equal seeds. benchmarks: on whose mean it is decided. title: what it asks."""

    title: str
    arm: str
    reference: str
    benchmarks: tuple[str, ...]


_YEAR, _CHANGE = ("crops-year",), ("new-sites", "new-sites-rgb")
_FINE, _LABELLED = ("roofs", "new-sites-rgb"), ("roofs", "crops-year", "new-sites", "new-sites-rgb")

QUESTIONS: tuple[Question, ...] = (
    Question("another date", "deo+time", "deo+time-unpaired", _YEAR),
    Question("another date, pooled vectors alone", "deo+time-pooled", "deo+time-unpaired", _YEAR),
    Question("another date without an optical teacher", "ms+time", "ms+time-unpaired", _YEAR),
    Question("change, patches if alike", "deo+time", "deo+time-unpaired", _CHANGE),
    Question("change, pooled vectors alone", "deo+time-pooled", "deo+time-unpaired", _CHANGE),
    Question("all labels", "deo+labels", "deo", _LABELLED),
    Question("a tenth of the labels", "deo+labels-tenth", "deo", _LABELLED),
    Question("a hundredth of the labels", "deo+labels-hundredth", "deo", _LABELLED),
    Question("labels without an optical teacher", "ms+labels", "ms-only", _LABELLED),
    Question("labels alone", "labels-only", "ms-only", _LABELLED),
    Question("a teacher that learned nothing", "deo-random", "ms-only", _FINE),
    Question("the miniature's teacher", "deo-miniature", "ms-only", _FINE),
    Question("a self-distilled teacher", "deo-self-distilled", "ms-only", _FINE),
    Question("the scale's teacher", "deo", "ms-only", _FINE),
)


def verdict(gain: Gain) -> str:
    """Yes: the interval over seeds lies above 0 and the mean is at least `LEAST`. No: the interval lies below it."""
    if gain.over_seeds.low > 0 and gain.points >= LEAST:
        return YES
    return NO if gain.over_seeds.high < LEAST else UNTOLD
