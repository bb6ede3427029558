"""What an arm is made of: teachers, masks, dates and labels, each an entry of data.

The objective reads these entries. Which arms there are, `brew.pretraining.arms` says.
"""

from dataclasses import dataclass, replace
from typing import Literal

from brew.errors import BrewError
from brew.pretraining.supervised_tasks import supervised_task
from brew.sensors import PATHS

#: What a frozen teacher can give, with the weights alpha1..alpha3 of the paper's equation for L_O.
TOKENS: dict[str, float] = {"class": 1.0, "late": 0.5, "middle": 0.5}
#: The released code instead takes (class + (late + middle) / 2) / 2.
TOKENS_RELEASED: dict[str, float] = {"class": 0.5, "late": 0.25, "middle": 0.25}


@dataclass(frozen=True)
class SelfDistillation:
    """A teacher that is the student's moving average and sees the global views through the same `path`.

    gamma: weight of the expansion (coding rate) beside the compression.
    """

    path: str
    gamma: float = 1.0


@dataclass(frozen=True)
class Distillation:
    """A frozen teacher of the optical bands; the student meets it through `path`.

    teacher: a name of TEACHERS. "default" stands for the teacher that the scale declares.
    tokens: which of the teacher's tokens are matched, each with its weight.
    window: patches around its place among which a student's patch meets the teacher's most similar one; 0 trusts that
        both images show the same place.
    """

    path: str
    tokens: tuple[tuple[str, float], ...] = tuple(TOKENS.items())
    teacher: str = "default"
    window: int = 0


@dataclass(frozen=True)
class Masking:
    """Masked image modelling: the student restores hidden pixels of the global views of `path`.

    Which share is hidden, in squares of which size, belongs to the views. Source: SimMIM (Xie et al. 2022, arXiv
    2111.09886).
    """

    path: str
    weight: float = 1.0


@dataclass(frozen=True)
class TemporalAlignment:
    """The student on one date meets its moving average on another date of the same place, and the reverse.

    It goes through the head of the `SelfDistillation` of that `path`; patches have a head of their own.
    pooled, patches: weights of both similarities.
    matched: which patches are compared: "all", "none" (all may differ), or "alike": those that the teacher itself finds
        alike, with a cosine of at least `alike`, so that change is not trained away.
    paired: False is the control: both dates are seen at the same cost, and each meets itself.
    """

    path: str
    pooled: float = 1.0
    patches: float = 0.5
    matched: Literal["all", "alike", "none"] = "alike"
    alike: float = 0.5
    paired: bool = True


@dataclass(frozen=True)
class Supervision:
    """Labels beside the teachers, through a linear head that is thrown away. task: of SUPERVISED_TASKS.

    share: of the pretraining split's samples that have their labels, drawn by the run's seed.
    """

    path: str
    task: str
    weight: float = 1.0
    share: float = 1.0


@dataclass(frozen=True)
class Arm:
    """One way to pretrain a student.

    summary: the row's name in the paper's ablation, or what it is beside the paper.
    self_distillation, distillation: its teachers. masking: what it restores. time: how dates of a place meet.
    supervision: which labels it sees.
    balance: "fixed" takes the entries' weights; "spread" divides each by the spread of its teacher's outputs
        (`brew.losses.spread`) and keeps the weights' sum.
    optical_augmentation: photometric augmentation of the optical bands.
    high_resolution: where a sample's high-resolution optical image goes: "none", the "optical" stem only, or "both"
        stems as in the released code.
    """

    name: str
    summary: str
    self_distillation: tuple[SelfDistillation, ...] = ()
    distillation: tuple[Distillation, ...] = ()
    masking: tuple[Masking, ...] = ()
    time: tuple[TemporalAlignment, ...] = ()
    supervision: tuple[Supervision, ...] = ()
    optical_augmentation: bool = True
    high_resolution: str = "both"
    balance: Literal["fixed", "spread"] = "fixed"

    def __post_init__(self) -> None:
        met = {
            "self-distilled stem": [entry.path for entry in self.self_distillation],
            "frozen teacher": [entry.teacher for entry in self.distillation],
            "masked stem": [entry.path for entry in self.masking],
            "stem over time": [entry.path for entry in self.time],
            "supervised task": [entry.task for entry in self.supervision],
        }
        for what, names in met.items():
            for name in names:
                if names.count(name) > 1:  # heads and losses go by these names
                    raise BrewError(f"arm {self.name!r} names {what} {name!r} twice; expected one entry for it")
        for dates in self.time:
            if dates.path not in met["self-distilled stem"]:
                raise BrewError(
                    f"arm {self.name!r} compares dates through {dates.path!r}, which is not self-distilled; expected a "
                    "SelfDistillation of that stem, whose moving average is the teacher"
                )
        for supervision in self.supervision:
            supervised_task(supervision.task)
            if not 0 < supervision.share <= 1:
                raise BrewError(
                    f"arm {self.name!r} has the share {supervision.share:g} of labels {supervision.task!r}; expected "
                    "more than 0 and at most 1"
                )

    @property
    def paths(self) -> tuple[str, ...]:
        """The stems that this arm trains, in the order of `PATHS`."""
        used = {*self.whole_paths, *(entry.path for entry in self.masking)}
        return tuple(path for path in PATHS if path in used)

    @property
    def whole_paths(self) -> tuple[str, ...]:
        """Those through which the student sees every view whole: to meet a teacher."""
        used = {entry.path for entry in self.self_distillation} | {entry.path for entry in self.distillation}
        used |= {entry.path for entry in self.supervision}
        return tuple(path for path in PATHS if path in used)

    @property
    def teachers(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(entry.teacher for entry in self.distillation))

    @property
    def dated_paths(self) -> tuple[str, ...]:
        """The stems through which the student sees a second date of each place."""
        labelled = {entry.path for entry in self.supervision if supervised_task(entry.task).kind == "change"}
        return tuple(path for path in PATHS if path in labelled | {entry.path for entry in self.time})

    @property
    def pairs(self) -> Literal["none", "any", "ends"]:
        """Which second date the arm needs: labels of change belong to the first date and the last."""
        if any(supervised_task(entry.task).kind == "change" for entry in self.supervision):
            return "ends"
        return "any" if self.time else "none"

    def with_teacher(self, default: str) -> "Arm":
        """The arm with "default" replaced by the scale's teacher."""
        named = tuple(
            replace(entry, teacher=default) if entry.teacher == "default" else entry for entry in self.distillation
        )
        return replace(self, distillation=named)
