"""The paper's ablation from scores on file: every arm's scores, its gains, and what each teacher brings.

Rows and their order are those of ARMS, whether an arm was run or not. Gains are stated against three references: the
student without an optical teacher (the paper's first row); the same with as much computing as DEO, so that more work is
not mistaken for a teacher; and the one that learns its optical path by itself, so that having such a path is not
either. Left out: reading and writing of files.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import get_args

import numpy as np
import pandas as pd

from brew.compendium.report.claims import stated_of_arm
from brew.compendium.report.comparison import NOT_RUN, Column, Scored, average_column, benchmark_column, share, wide
from brew.compendium.report.formatting import signed, told_apart
from brew.compendium.report.gains import EXPLORATORY, Gain, by_seed, gain
from brew.compendium.report.joint import Replicates
from brew.compendium.report.paper import Group
from brew.compendium.report.style import label
from brew.evaluation.benchmarks import BENCHMARKS, LivesOn
from brew.pretraining.arms import ARMS

#: What gains are stated against.
REFERENCES = ("ms-only", "ms-only-matched", "ms+optical-path")
#: The two groups of benchmarks, whatever their task.
GROUPS = {"optical": Group(modality="optical"), "multispectral": Group(modality="multispectral")}
#: The averages of the paper's table 5: over its segmentation benchmarks.
_PAPER_GROUPS = (Group("segmentation", "optical"), Group("segmentation", "multispectral"), Group("segmentation"))


@dataclass(frozen=True)
class Contrast:
    """Two arms whose teachers differ. brings: what the arm has and the reference lacks, beside the teacher too."""

    arm: str
    reference: str
    brings: str

    @property
    def title(self) -> str:
        return f"{label(self.arm)} less {label(self.reference)}"


_WITH_ITS_IMAGES = "with a path, augmentation and finer images of its own"
CONTRASTS = (
    Contrast("patch-tokens", "ms-only", "the optical teacher, with a path of its own"),
    Contrast("deo", "ms-only", f"the optical teacher, {_WITH_ITS_IMAGES}"),
    Contrast("deo", "ms-only-matched", "the same, at equal computing"),
    Contrast("deo", "ms+optical-path", "the optical teacher, where the optical path would else teach itself"),
    Contrast("deo", "optical-only", "the multispectral teacher"),
    Contrast("masked+distillation", "masked", f"the optical teacher, {_WITH_ITS_IMAGES}, beside masking"),
    Contrast("deo", "masked+distillation", "the multispectral teacher, in place of masking"),
    Contrast("deo+sar", "deo", "the radar teacher, with a path of its own"),
)


def ablation_table(scored: Scored, names: Sequence[str]) -> pd.DataFrame:
    """Every arm by the benchmarks `names`, optical ones first, with the mean of either group."""
    columns: list[Column] = []
    for group in GROUPS.values():
        members = group.members(names)
        if members:
            columns += [benchmark_column(scored, name) for name in members]
            spread = {arm: _deviation(by_seed(scored, members, arm)) for arm in ARMS}
            columns.append(replace(average_column(scored, group, members), spread=spread))
    table = _of_arms([_arms_alone(column) for column in columns])
    table.insert(2, "pretrained", [_times(scored, names, arm) for arm in ARMS])
    return table


def _deviation(runs: Mapping[int, Replicates]) -> float:
    return float(np.std([replicates[0] for replicates in runs.values()], ddof=1)) if len(runs) > 1 else math.nan


def _arms_alone(column: Column) -> Column:
    return replace(
        column, replicates={name: replicates for name, replicates in column.replicates.items() if name in ARMS}
    )


def _of_arms(columns: Sequence[Column], arms: Sequence[str] = tuple(ARMS)) -> pd.DataFrame:
    table = wide(columns, arms).drop(columns="backbone")
    table.insert(0, "arm", list(arms))
    table.insert(1, "what it is", [ARMS[arm].summary for arm in arms])
    return table


def _times(scored: Scored, names: Sequence[str], arm: str) -> str:
    """How often the arm was pretrained."""
    count = max((len(by_seed(scored, [name], arm)) for name in names), default=0)
    return f"{count} times" if count > 1 else f"once: {EXPLORATORY}" if count else NOT_RUN


def paper_ablation_table(scored: Scored, names: Sequence[str]) -> pd.DataFrame:
    """Table 5 in the paper's form: its rows, and the means over its segmentation benchmarks, with what it states."""
    columns = [
        replace(
            _arms_alone(average_column(scored, group, names)),
            stated=partial(stated_of_arm, scored.claims, group),
        )
        for group in _PAPER_GROUPS
    ]
    rows = [arm for arm in ARMS if any(column.stated(arm) for column in columns)]
    return _of_arms(columns, rows)


@dataclass(frozen=True)
class ArmGains:
    """What an arm is ahead of a reference, by group of benchmarks; None where one of both was not scored on them.

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


def gains_table(gains: Sequence[ArmGains]) -> pd.DataFrame:
    """Every arm that was run, less each reference, in the mean over optical and over multispectral benchmarks."""
    columns = ["arm", "less", *(f"{title}, over {doubt}" for title, doubt in product(GROUPS, _DOUBTS))]
    return pd.DataFrame([_written(each) for each in gains], columns=columns)


def in_words(gains: Sequence[ArmGains], arm: str = "deo") -> str:
    """What `arm` gains over each reference, in a sentence; empty where it was not run."""
    return " ".join(_sentence(each) for each in gains if each.arm == arm)


def _sentence(each: ArmGains) -> str:
    found = {title: gain for title, gain in each.by_group.items() if gain is not None}
    points = " and ".join(f"{signed(*_surest(gain))} points on {title}" for title, gain in found.items())
    doubt = "over test samples, of one seed" if any(gain.exploratory for gain in found.values()) else "over seeds"
    return f"{label(each.arm)} less {label(each.reference)}: {points} benchmarks (95 %, {doubt})."


def _surest(found: Gain) -> tuple[float, float, float]:
    """Over seeds of pretraining where there are several, else over test samples."""
    if found.exploratory:
        return found.points, found.low, found.high
    return found.points, found.over_seeds.low, found.over_seeds.high


def few_labels_gains_table(scored: Scored, names: Sequence[str]) -> pd.DataFrame:
    """The same from every share of the labels, over the benchmarks that were scored from it; empty without any."""
    fractions = sorted({fraction for _, fraction in scored.replicates if fraction < 1}, reverse=True)
    rows = [(fraction, each) for fraction in fractions for each in arm_gains(scored, names, fraction)]
    return pd.DataFrame([
        {"label fraction": share(at), **_written(each), "labelled samples": _labelled(scored, each.names, at)}
        for at, each in rows
    ])  # fmt: skip


def _labelled(scored: Scored, names: Sequence[str], label_fraction: float) -> str:
    sizes = {name: scored.labelled.get((name, label_fraction)) for name in names}
    return ", ".join(name if size is None else f"{name} {size}" for name, size in sizes.items())


def _written(each: ArmGains) -> dict[str, str]:
    cells = {
        f"{title}, over {doubt}": write(found)
        for title, found in each.by_group.items()
        for doubt, write in _DOUBTS.items()
    }
    return {"arm": each.arm, "less": each.reference, **cells}


def over_test(found: Gain | None) -> str:
    """A gain with its interval over test samples, bold where that leaves out 0."""
    return NOT_RUN if found is None else told_apart(found.points, found.low, found.high)


def over_pretraining(found: Gain | None) -> str:
    """The mean of the differences of paired seeds with its interval and what they could detect; one is exploratory."""
    if found is None:
        return NOT_RUN
    if found.exploratory:
        return EXPLORATORY
    seeds = found.over_seeds
    detectable = f", {seeds.seeds} seeds could detect {seeds.detectable:.1f}"
    return told_apart(found.points, seeds.low, seeds.high) + detectable


#: The two doubts about a gain, and how each is written.
_DOUBTS = {"test samples": over_test, "seeds": over_pretraining}


def teachers_table(scored: Scored, names: Sequence[str]) -> pd.DataFrame:
    """Benchmarks by contrasts, of what was run, after what the benchmarks live on."""
    contrasts = contrasts_run(scored, names)
    rows = []
    for kind, members in by_kind(contrasted(scored, names)).items():
        for name in members:
            found = {each.title: gain(scored, [name], each.arm, each.reference) for each in contrasts}
            rows.append({"lives on": kind, "benchmark": name} | {title: _in_one(each) for title, each in found.items()})
    return pd.DataFrame(rows)


def contrasts_run(scored: Scored, names: Sequence[str]) -> list[Contrast]:
    """Those of which both arms were scored on one of the benchmarks."""
    return [each for each in CONTRASTS if any({each.arm, each.reference} <= scored.of(name).keys() for name in names)]


def contrasted(scored: Scored, names: Sequence[str]) -> list[str]:
    """Those of `names` on which both arms of a contrast were scored."""
    return [name for name in names if contrasts_run(scored, [name])]


def by_kind(names: Sequence[str]) -> dict[str, list[str]]:
    """What benchmarks live on -> those of `names` that do."""
    kinds = {kind: [name for name in names if BENCHMARKS[name].lives_on == kind] for kind in get_args(LivesOn)}
    return {kind: members for kind, members in kinds.items() if members}


def _in_one(found: Gain | None) -> str:
    seeds = over_pretraining(found)
    return over_test(found) if seeds in (NOT_RUN, EXPLORATORY) else f"{over_test(found)}; {seeds}"
