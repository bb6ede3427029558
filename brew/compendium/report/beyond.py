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
    """One comparison. about: the page's question that it belongs to, of QUESTIONS_ABOUT. title: what it asks.

    arm, reference: of equal seeds. benchmarks: on whose mean it is decided.
    """

    about: str
    title: str
    arm: str
    reference: str
    benchmarks: tuple[str, ...]


_YEAR, _CHANGE = ("crops-year",), ("new-sites", "new-sites-rgb")
_OFF, _FINE = ("roofs", "new-sites"), ("roofs", "new-sites-rgb")
_LABELLED = ("roofs", "crops-year", "new-sites", "new-sites-rgb")

#: The page's questions, in its order.
QUESTIONS_ABOUT = ("dates", "change", "labels", "strength", "alignment")
QUESTIONS: tuple[Question, ...] = (
    Question("dates", "another date", "deo+time", "deo+time-unpaired", _YEAR),
    Question("dates", "another date, pooled vectors alone", "deo+time-pooled", "deo+time-unpaired", _YEAR),
    Question("dates", "another date without an optical teacher", "ms+time", "ms+time-unpaired", _YEAR),
    Question("change", "change, patches if alike", "deo+time", "deo+time-unpaired", _CHANGE),
    Question("change", "change, pooled vectors alone", "deo+time-pooled", "deo+time-unpaired", _CHANGE),
    Question("labels", "all labels", "deo+labels", "deo", _LABELLED),
    Question("labels", "a tenth of the labels", "deo+labels-tenth", "deo", _LABELLED),
    Question("labels", "a hundredth of the labels", "deo+labels-hundredth", "deo", _LABELLED),
    Question("labels", "labels without an optical teacher", "ms+labels", "ms-only", _LABELLED),
    Question("labels", "labels alone", "labels-only", "ms-only", _LABELLED),
    Question("strength", "a teacher that learned nothing", "deo-random", "ms-only", _FINE),
    Question("strength", "the miniature's teacher", "deo-miniature", "ms-only", _FINE),
    Question("strength", "a self-distilled teacher", "deo-self-distilled", "ms-only", _FINE),
    Question("strength", "the scale's teacher", "deo", "ms-only", _FINE),
    # Of scale `misaligned`, at the shift that it has.
    Question("alignment", "class token alone", "deo-class", "ms-only", _OFF),
    Question("alignment", "class token and patches", "deo", "ms-only", _OFF),
    Question("alignment", "patches within a window", "deo-window", "ms-only", _OFF),
)


def verdict(gain: Gain) -> str:
    """Yes: the interval over seeds lies above 0 and the mean is at least `LEAST`. No: the interval lies below it."""
    if gain.over_seeds.low > 0 and gain.points >= LEAST:
        return YES
    return NO if gain.over_seeds.high < LEAST else UNTOLD
