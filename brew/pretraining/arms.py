"""ARMS: every row of the ablation is one entry, and an entry is data.

An arm names the student's teachers and how each meets the student: through which stem (`path`), with which tokens,
at which weight. The objective reads these entries; no code asks for an arm by its name.

Adding an arm is one entry here; the contract test (`tests/pretraining/test_arms.py`) picks it up.
"""

from dataclasses import dataclass, replace

from brew.errors import BrewError, unknown
from brew.sensors import PATHS

#: What a frozen teacher can give, with the weights alpha1..alpha3 of the paper's equation for L_O.
TOKENS: dict[str, float] = {"class": 1.0, "late": 0.5, "middle": 0.5}
#: The released code instead takes (class + (late + middle) / 2) / 2.
TOKENS_RELEASED: dict[str, float] = {"class": 0.5, "late": 0.25, "middle": 0.25}
#: The coding rate is half of the printed log-determinant (record 0012), so twice its weight is the printed gamma of 1.
GAMMA_PRINTED = 2.0


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
    """

    path: str
    tokens: tuple[tuple[str, float], ...] = tuple(TOKENS.items())
    teacher: str = "default"


@dataclass(frozen=True)
class Masking:
    """Masked image modelling: the student restores hidden pixels of the global views of `path`.

    Which share is hidden, in squares of which size, belongs to the views. Source: SimMIM (Xie et al. 2022, arXiv
    2111.09886).
    """

    path: str
    weight: float = 1.0


@dataclass(frozen=True)
class Arm:
    """One way to pretrain a student.

    summary: the row's name in the paper's ablation, or what it is beside the paper.
    self_distillation, distillation: its teachers. masking: what it restores.
    optical_augmentation: photometric augmentation of the optical bands.
    high_resolution: where a sample's high-resolution optical image goes: "none", the "optical" stem only, or "both"
        stems as in the released code.
    """

    name: str
    summary: str
    self_distillation: tuple[SelfDistillation, ...] = ()
    distillation: tuple[Distillation, ...] = ()
    masking: tuple[Masking, ...] = ()
    optical_augmentation: bool = True
    high_resolution: str = "both"

    def __post_init__(self) -> None:
        met = {
            "self-distilled stem": [entry.path for entry in self.self_distillation],
            "frozen teacher": [entry.teacher for entry in self.distillation],
            "masked stem": [entry.path for entry in self.masking],
        }
        for what, names in met.items():
            for name in names:
                if names.count(name) > 1:  # heads and losses go by these names
                    raise BrewError(f"arm {self.name!r} names {what} {name!r} twice; expected one entry for it")

    @property
    def paths(self) -> tuple[str, ...]:
        """The stems that this arm trains, in the order of `PATHS`."""
        used = {*self.whole_paths, *(entry.path for entry in self.masking)}
        return tuple(path for path in PATHS if path in used)

    @property
    def whole_paths(self) -> tuple[str, ...]:
        """Those through which the student sees every view whole: to meet a teacher."""
        used = {entry.path for entry in self.self_distillation} | {entry.path for entry in self.distillation}
        return tuple(path for path in PATHS if path in used)

    @property
    def teachers(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(entry.teacher for entry in self.distillation))

    def with_teacher(self, default: str) -> "Arm":
        """The arm with "default" replaced by the scale's teacher."""
        named = tuple(
            replace(entry, teacher=default) if entry.teacher == "default" else entry for entry in self.distillation
        )
        return replace(self, distillation=named)


def _tokens(*names: str) -> tuple[tuple[str, float], ...]:
    return tuple((name, TOKENS[name]) for name in names)


_MS = (SelfDistillation("multispectral"),)


def _without_augmentation(name: str, summary: str, *distillation: Distillation) -> Arm:
    """A row of the paper before optical augmentation and high-resolution images come in."""
    return Arm(name, summary, _MS, distillation, optical_augmentation=False, high_resolution="none")


_ENTRIES = (
    # The paper's six cumulative rows.
    _without_augmentation("ms-only", "Base (MS self-distillation only)"),
    _without_augmentation("class-token", "+ optical class token", Distillation("multispectral", _tokens("class"))),
    _without_augmentation("optical-path", "+ separate optical path", Distillation("optical", _tokens("class"))),
    _without_augmentation("patch-tokens", "+ optical patch tokens", Distillation("optical")),
    Arm("augmented", "+ optical augmentation", _MS, (Distillation("optical"),), high_resolution="none"),
    Arm("deo", "+ high-resolution optical (DEO)", _MS, (Distillation("optical"),)),
    # Beside the paper.
    _without_augmentation("ms-only-matched", "MS self-distillation with as much computing as DEO"),
    Arm(
        "masked",
        "masked image modelling alone",
        masking=(Masking("multispectral"),),
        optical_augmentation=False,
        high_resolution="none",
    ),
    Arm(
        "masked+distillation",
        "masked image modelling with DEO's optical distillation",
        distillation=(Distillation("optical"),),
        masking=(Masking("multispectral"),),
    ),
    Arm(
        "deo-self-distilled",
        "DEO with an optical teacher that learned by self-distillation, as the student does",
        _MS,
        (Distillation("optical", teacher="self-distilled"),),
    ),
    Arm(
        "masked-self-distilled",
        "masked image modelling with distillation from that teacher",
        distillation=(Distillation("optical", teacher="self-distilled"),),
        masking=(Masking("multispectral"),),
    ),
    Arm("deo+sar", "DEO with a third teacher: radar", (*_MS, SelfDistillation("sar")), (Distillation("optical"),)),
    Arm("optical-only", "optical distillation alone", (), (Distillation("optical"),)),
    Arm("ms+optical-path", "two self-distilled stems, no foundation teacher", (*_MS, SelfDistillation("optical"))),
    Arm("optical-self", "optical self-distillation alone: the miniature's teacher", (SelfDistillation("optical"),)),
    Arm(
        "deo-released",
        "DEO with the released code's weights for L_O",
        _MS,
        (Distillation("optical", tuple(TOKENS_RELEASED.items())),),
    ),
    Arm(
        "deo-printed",
        "DEO with the expansion as printed, twice what the released code takes for it",
        (SelfDistillation("multispectral", GAMMA_PRINTED),),
        (Distillation("optical"),),
    ),
    Arm(
        "deo-own-images",
        "DEO whose multispectral stem sees no high-resolution images",
        _MS,
        (Distillation("optical"),),
        high_resolution="optical",
    ),
)

ARMS: dict[str, Arm] = {entry.name: entry for entry in _ENTRIES}


def arm(name: str) -> Arm:
    """The arm of that name; BrewError with the nearest known one if there is none."""
    if name not in ARMS:
        raise unknown("arm", name, ARMS)
    return ARMS[name]
