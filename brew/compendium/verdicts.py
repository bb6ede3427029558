"""Four questions to a scale that was run again, each with its verdict: what is rounding, and what is not.

1. *Bytes*: stores, splits, views' parameters and teachers that came with their weights are the same.
2. *First steps*: similarities agree within 1e-5; nothing has grown yet.
3. *Scores*: differences lie within what rounding does (`brew noise`). Each score has its own limit, which one in a
   hundred may pass by chance. More may pass together, since one student carries many scores: as many as a rerun's did.
   Whatever is beyond any chance fails alone.
4. *Conclusions*: a difference whose interval leaves out zero keeps its sign, and sentences keep their words.

Left out: reading the scale's files (`brew.compendium.verification`).
"""

import html
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, zip_longest
from typing import Any

import numpy as np
from scipy import stats

from brew.compendium.noise import Identity, Reruns
from brew.compendium.report.formatting import leaves_out_zero, plural

#: Largest difference of a similarity in the first steps.
FIRST_STEPS = 1e-5
#: How often a score passes its own limit by chance, and how often one of all passes the limit of all.
_ALONE, _OF_ALL = 0.01, 0.001
#: A map's score may move by so much without any training: ties of single pixels.
_TIES = 1e-4
_NUMBER = r"[+-]?\d+(?:\.\d+)?"
_DIFFERENCE = re.compile(rf"([+-]\d+(?:\.\d+)?) \[({_NUMBER}), ({_NUMBER})\]")

#: What is compared, by a name that says where it stands.
Named = Mapping[str, Any]
#: Rows of a table: column -> cell.
Table = Sequence[Mapping[str, str]]


@dataclass(frozen=True)
class Finding:
    """One thing that differs, with both values as text, and what was allowed if that is a number."""

    name: str
    committed: str
    regenerated: str
    allowed: str = ""

    def __str__(self) -> str:
        allowed = f", allowed {self.allowed}" if self.allowed else ""
        return f"{self.name}: committed {self.committed}, regenerated {self.regenerated}{allowed}"


@dataclass(frozen=True)
class Verdict:
    """Of one tier: whether it holds, how many things were compared, what was found, and the rule in a sentence.

    findings: may be some although the tier holds, if chance explains them. largest: difference in words.
    """

    tier: str
    holds: bool
    compared: int
    findings: tuple[Finding, ...]
    rule: str
    largest: str = ""

    def __str__(self) -> str:
        word = "holds" if self.holds else "FAILS"
        return (
            f"{self.tier}: {word} ({self.compared} compared, {plural(len(self.findings), 'difference')}). {self.rule}"
        )


@dataclass(frozen=True)
class Results:
    """What a run of a scale left: hashes by name, similarities of first steps, scores, tables, and sentences.

    units: of a score, how many test samples it is over if one sample may tip it, else 0.
    """

    hashes: Mapping[str, str]
    similarities: Mapping[str, float]
    scores: Mapping[Identity, float]
    units: Mapping[Identity, int] = field(default_factory=dict)
    tables: Mapping[str, Table] = field(default_factory=dict)
    sentences: Sequence[str] = ()


def judge(committed: Results, regenerated: Results, reruns: Reruns) -> list[Verdict]:
    """The four verdicts, in their order."""
    return [
        same_bytes(committed.hashes, regenerated.hashes),
        same_beginnings(committed.similarities, regenerated.similarities),
        same_scores(committed, regenerated, reruns),
        same_conclusions(committed, regenerated),
    ]


def same_bytes(committed: Mapping[str, str], regenerated: Mapping[str, str]) -> Verdict:
    """Tier 1. Nothing to compare is no agreement."""
    names = sorted(committed.keys() | regenerated.keys())
    findings = [
        Finding(name, committed.get(name, "absent")[:16], regenerated.get(name, "absent")[:16])
        for name in names
        if committed.get(name) != regenerated.get(name)
    ]
    rule = "Stores, splits, views' parameters and teachers have the same bytes."
    return Verdict("bytes", bool(names) and not findings, len(names), tuple(findings), rule)


def same_beginnings(committed: Mapping[str, float], regenerated: Mapping[str, float]) -> Verdict:
    """Tier 2."""
    names = sorted(committed.keys() | regenerated.keys())
    apart = {name: abs(committed.get(name, math.nan) - regenerated.get(name, math.nan)) for name in names}
    findings = [
        Finding(name, _text(committed.get(name)), _text(regenerated.get(name)), f"{FIRST_STEPS:g}")
        for name in names
        if not apart[name] <= FIRST_STEPS * max(1.0, abs(committed.get(name, 0.0)))
    ]
    rule = f"Numbers of the first steps agree within {FIRST_STEPS:g}, of their size if that is above 1."
    return Verdict("first steps", bool(names) and not findings, len(names), tuple(findings), rule, _largest(apart))


def same_scores(committed: Results, regenerated: Results, reruns: Reruns) -> Verdict:
    """Tier 3. A score that one side lacks, or of which no noise is known, fails alone."""
    old, new = committed.scores, regenerated.scores
    names = sorted(old.keys() | new.keys())
    limits = Limits(reruns, committed.units)
    outside, gross = [], 0
    for name in names:
        if name not in old or name not in new or name not in reruns:
            gross += 1
            missing = "" if name in reruns else "no noise is known of it"
            outside.append(Finding(_name(name), _text(old.get(name)), _text(new.get(name)), missing))
        elif abs(old[name] - new[name]) > limits.alone(name):
            gross += abs(old[name] - new[name]) > limits.of_all(name)
            outside.append(Finding(_name(name), _text(old[name]), _text(new[name]), f"{limits.alone(name):.4f}"))
    allowed = chance(reruns, committed.units, len(names))
    rule = (
        f"At most {allowed} of {len(names)} may lie outside their own limit, as in reruns that differ by rounding; "
        f"{len(outside)} do, and {gross} of them beyond any chance."
    )
    apart = {_name(name): abs(old[name] - new[name]) for name in names if name in old and name in new}
    holds = bool(names) and not gross and len(outside) <= allowed
    return Verdict("scores", holds, len(names), tuple(outside), rule, _largest(apart))


class Limits:
    """How far two runs of one score may lie apart by rounding, from its reruns.

    A deviation of five reruns is itself doubtful. So its variance is averaged with that of the same benchmark, metric
    and label fraction over all arms, which doubles what it rests on; Student's t does the rest. An arm that no rerun
    moved in any score of a task, since nothing is trained there, has no noise.
    """

    def __init__(self, reruns: Reruns, units: Mapping[Identity, int]) -> None:
        self._own = {name: float(np.var(values, ddof=1)) for name, values in reruns.items()}
        kinds: dict[tuple[Any, ...], list[float]] = {}
        for name, variance in self._own.items():
            kinds.setdefault(_kind(name), []).append(variance)
        self._of_kind = {kind: float(np.mean(variances)) for kind, variances in kinds.items()}
        self._moved = {name[1:3] for name, variance in self._own.items() if variance > 0}
        self._freedom = 2 * (len(next(iter(reruns.values()))) - 1) if reruns else 1
        self._units, self._count = units, len(reruns)

    def alone(self, name: Identity) -> float:
        """Passed by chance by one score in a hundred."""
        return self._limit(name, _ALONE)

    def of_all(self, name: Identity) -> float:
        """Passed by chance by any score in one run of a thousand."""
        return self._limit(name, _OF_ALL / max(self._count, 1))

    def _limit(self, name: Identity, level: float) -> float:
        variance = (self._own[name] + self._of_kind[_kind(name)]) / 2 if name[1:3] in self._moved else 0.0
        noise = float(stats.t.ppf(1 - level / 2, self._freedom)) * math.sqrt(2 * variance)
        units = self._units.get(name, 0)
        return noise + (1 / units if units else _TIES) + 1e-9


def chance(reruns: Reruns, units: Mapping[Identity, int], count: int) -> int:
    """How many of `count` scores may lie outside by chance.

    Every rerun is held against every other one with the limits of the rest; the largest share outside counts. It is at
    least what independent scores would do in 99 runs of 100.
    """
    least = int(stats.binom.ppf(0.99, count, _ALONE))
    total = len(next(iter(reruns.values()))) if reruns else 0
    shares = [0.0]
    for one, other in combinations(range(total), 2):
        rest = [place for place in range(total) if place not in (one, other)]
        if len(rest) < 2:
            continue
        limits = Limits({name: [values[place] for place in rest] for name, values in reruns.items()}, units)
        outside = sum(abs(values[one] - values[other]) > limits.alone(name) for name, values in reruns.items())
        shares.append(outside / len(reruns))
    return max(least, math.ceil(max(shares) * count))


def _kind(name: Identity) -> tuple[Any, ...]:
    benchmark, task, _, _, _, label_fraction, metric, subset = name
    return benchmark, task, label_fraction, metric, subset


def same_conclusions(committed: Results, regenerated: Results) -> Verdict:
    """Tier 4: differences in tables and sentences, by place, and the sentences' words."""
    old, new = conclusions(committed), conclusions(regenerated)
    findings = [
        Finding(place, _told(old.get(place)), _told(new.get(place)))
        for place in sorted(old.keys() | new.keys())
        if _contradict(old.get(place), new.get(place))
    ]
    both = committed.sentences, regenerated.sentences
    for number, (one, other) in enumerate(zip_longest(*both, fillvalue="absent"), 1):
        if _words(one) != _words(other):
            findings.append(Finding(f"sentence {number}", one, other))
    count = len(old.keys() | new.keys()) + max(map(len, both))
    rule = "A difference whose interval leaves out zero keeps its sign, and sentences keep their words."
    return Verdict("conclusions", count > 0 and not findings, count, tuple(findings), rule)


@dataclass(frozen=True)
class _Told:
    """A difference as a table or a sentence tells it, with its interval. text: of its digits."""

    points: float
    low: float
    high: float
    text: str

    @property
    def stands(self) -> bool:
        return leaves_out_zero(self.low, self.high, digits=6)


def conclusions(found: Results) -> dict[str, _Told]:
    """Every difference with its interval, by the place at which it stands."""
    told: dict[str, _Told] = {}
    for table, rows in found.tables.items():
        seen: dict[str, int] = {}
        for row in rows:
            first = next(iter(row.values()), "")
            seen[first] = seen.get(first, 0) + 1
            for column, cell in list(row.items())[1:]:
                told |= _told_in(cell, f"{table}: {first} ({seen[first]}), {column}")
    for number, sentence in enumerate(found.sentences, 1):
        told |= _told_in(sentence, f"sentence {number}")
    return told


def _told_in(text: str, place: str) -> dict[str, _Told]:
    told = {}
    for number, match in enumerate(_DIFFERENCE.finditer(text), 1):
        points, low, high = map(float, match.groups())
        told[f"{place}, {number}"] = _Told(points, low, high, match[0])
    return told


def _contradict(one: _Told | None, other: _Told | None) -> bool:
    """Whether what one side tells apart has another sign, or no place, on the other side."""
    if one is None or other is None:
        return (one or other).stands  # type: ignore[union-attr]
    return (one.stands or other.stands) and one.points * other.points < 0


def _told(found: _Told | None) -> str:
    return "absent" if found is None else found.text


def _words(sentence: str) -> str:
    return re.sub(_NUMBER, "#", sentence)


def sentences_of(page: str) -> list[str]:
    """The paragraphs of a first screen that say what the scale is, what DEO gains, and what became of claims."""
    found = re.findall(r'<p class="(?:limits|answer|claims)">(.*?)</p>', page, re.DOTALL)
    return [html.unescape(text) for text in found]


def _name(identity: Identity) -> str:
    return " ".join(map(str, identity))


def _text(value: float | None) -> str:
    return "absent" if value is None else f"{value:.6g}"


def _largest(apart: Mapping[str, float]) -> str:
    known = {name: value for name, value in apart.items() if not math.isnan(value)}
    if not known:
        return ""
    name = max(known, key=lambda each: known[each])
    return f"{known[name]:.6g}, {name}"
