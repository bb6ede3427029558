"""ARMS: every row of the ablation is one entry, and an entry is data.

An arm names the student's teachers and how each meets the student: through which stem (`path`), with which tokens,
at which weight. The objective reads these entries; no code asks for an arm by its name.

Adding an arm is one entry here, or in `brew.pretraining.arms_beyond` if it asks what the paper does not; the contract
test (`tests/pretraining/test_arms.py`) picks it up.
"""

from brew.errors import unknown
from brew.pretraining.arm_parts import (
    TOKENS,
    TOKENS_RELEASED,
    Arm,
    Distillation,
    Masking,
    SelfDistillation,
    Supervision,
    TemporalAlignment,
)
from brew.pretraining.arms_beyond import BEYOND

__all__ = [
    "ARMS", "BEYOND", "TOKENS", "TOKENS_RELEASED", "Arm", "Distillation", "Masking", "SelfDistillation", "Supervision",
    "TemporalAlignment", "arm",
]  # fmt: skip

#: The coding rate is half of the printed log-determinant (record 0012), so twice its weight is the printed gamma of 1.
GAMMA_PRINTED = 2.0


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

ARMS: dict[str, Arm] = {entry.name: entry for entry in _ENTRIES} | BEYOND


def arm(name: str) -> Arm:
    """The arm of that name; BrewError with the nearest known one if there is none."""
    if name not in ARMS:
        raise unknown("arm", name, ARMS)
    return ARMS[name]
