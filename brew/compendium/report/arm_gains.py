"""What every arm of the ablation gains over the references, on optical and on multispectral benchmarks.

Gains are stated against three references. The first is the student without an optical teacher (the paper's first row).
The second is the same with as much computing as DEO, so that more work is not mistaken for a teacher. The third learns
its optical path by itself, so that having such a path is not either.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from brew.compendium.report.formatting import signed
from brew.compendium.report.gains import Gain, gain
from brew.compendium.report.paper import Group
from brew.compendium.report.scored import Scored
from brew.compendium.report.style import label
from brew.pretraining.arms import ARMS

#: What gains are stated against.
REFERENCES = ("ms-only", "ms-only-matched", "ms+optical-path")
#: The two groups of benchmarks, whatever their task.
GROUPS = {"optical": Group(modality="optical"), "multispectral": Group(modality="multispectral")}


@dataclass(frozen=True)
class ArmGains:
    """What an arm is ahead of a reference, by group of benchmarks; None if one of both was not scored on them.

    names: of the benchmarks that it is the mean over.
    """

    arm: str
    reference: str
    names: Sequence[str]
    by_group: Mapping[str, Gain | None]


def arm_gains(scored: Scored, names: Sequence[str], label_fraction: float = 1.0) -> list[ArmGains]:
    """Every arm less each reference, in the means over those of `names` that were scored from that share of the labels.

    Pairs of which nothing was scored are left out.
    """
    names = [name for name in names if scored.of(name, label_fraction)]
    groups = {title: group.members(names) for title, group in GROUPS.items()}
    pairs = [
        ArmGains(arm, reference, names, {
            title: gain(scored, members, arm, reference, label_fraction) for title, members in groups.items()
        })
        for reference, arm in product(REFERENCES, ARMS)
        if arm != reference
    ]  # fmt: skip
    return [each for each in pairs if any(each.by_group.values())]


def in_words(gains: Sequence[ArmGains], arm: str = "deo") -> str:
    """What `arm` gains over each reference, in sentences; empty if it was not run."""
    return " ".join(_sentence(each) for each in gains if each.arm == arm)


def _sentence(each: ArmGains) -> str:
    found = {title: gain for title, gain in each.by_group.items() if gain is not None}
    points = " and ".join(f"{signed(*_surest(gain))} points on {title}" for title, gain in found.items())
    doubt = "over test samples, of one seed" if any(gain.exploratory for gain in found.values()) else "over seeds"
    words = f"{label(each.arm)} less {label(each.reference)}: {points} benchmarks (95 %, {doubt})."
    return " ".join([words, *(_parts(title, gain) for title, gain in found.items() if gain.cancels)])


def _parts(title: str, found: Gain) -> str:
    """A mean whose parts have different signs, taken apart."""
    return f"The {title} benchmarks disagree: {', '.join(f'{name} {points:+.1f}' for name, points in found.parts)}."


def _surest(found: Gain) -> tuple[float, float, float]:
    """Over seeds of pretraining if there are several, else over test samples."""
    if found.exploratory:
        return found.points, found.low, found.high
    return found.points, found.over_seeds.low, found.over_seeds.high
