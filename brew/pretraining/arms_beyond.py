"""BEYOND: arms that ask what the paper leaves open: time, labels, and its two limits (docs/study-beyond.md).

Each is DEO, or its base, with one thing added or changed.
"""

from dataclasses import replace

from brew.pretraining.arm_parts import (
    TOKENS,
    Arm,
    Distillation,
    SelfDistillation,
    Supervision,
    TemporalAlignment,
)

_MS = (SelfDistillation("multispectral"),)
_DEO = Arm("deo", "DEO", _MS, (Distillation("optical"),))
_BASE = Arm("ms-only", "MS self-distillation", _MS, optical_augmentation=False, high_resolution="none")
_DATES = TemporalAlignment("multispectral")
#: Materials of places and kinds of scenes; no benchmark of the study reads them.
_LABELS = (Supervision("multispectral", "materials"), Supervision("multispectral", "scenes"))


def _with(base: Arm, name: str, what: str, **changes: object) -> Arm:
    return replace(base, name=name, summary=f"{base.summary} {what}", **changes)  # type: ignore[arg-type]


def _of(share: float) -> tuple[Supervision, ...]:
    return tuple(replace(entry, share=share) for entry in _LABELS)


def _distilled(**changes: object) -> tuple[Distillation, ...]:
    return (replace(Distillation("optical"), **changes),)  # type: ignore[arg-type]


_TIME = (
    _with(_DEO, "deo+time", "and another date of the place, patches if alike", time=(_DATES,)),
    _with(_DEO, "deo+time-pooled", "and another date, pooled vectors alone", time=(replace(_DATES, matched="none"),)),
    _with(_DEO, "deo+time-all", "and another date, all patches", time=(replace(_DATES, matched="all"),)),
    _with(_DEO, "deo+time-unpaired", "with both dates, each meeting itself", time=(replace(_DATES, paired=False),)),
    _with(_BASE, "ms+time", "and another date of the place", time=(_DATES,)),
    _with(_BASE, "ms+time-unpaired", "with both dates, each meeting itself", time=(replace(_DATES, paired=False),)),
)
_LABELLED = (
    _with(_DEO, "deo+labels", "and labels of materials and scenes", supervision=_LABELS),
    _with(_DEO, "deo+labels-tenth", "and a tenth of those labels", supervision=_of(0.1)),
    _with(_DEO, "deo+labels-hundredth", "and a hundredth of those labels", supervision=_of(0.01)),
    _with(_BASE, "ms+labels", "and labels of materials and scenes", supervision=_LABELS),
    Arm("labels-only", "labels of materials and scenes alone", supervision=_LABELS),
    _with(_DEO, "deo+change-labels", "and labels of change", supervision=(Supervision("multispectral", "changes"),)),
)
_AERIAL_SCENES, _BUILDINGS = (Supervision("optical", task) for task in ("aerial-scenes", "aerial-buildings"))
#: Each student is scored on the benchmarks that read other labels than its own.
_AERIAL = (
    _with(_DEO, "deo+aerial-scenes", "and labels of aerial scenes", supervision=(_AERIAL_SCENES,)),
    _with(_DEO, "deo+aerial-buildings", "and labels of aerial buildings", supervision=(_BUILDINGS,)),
)
_CLASS = (("class", TOKENS["class"]),)
_LIMITS = (
    _with(_DEO, "deo-class", "with the class token alone", distillation=_distilled(tokens=_CLASS)),
    _with(_DEO, "deo-window", "with patches matched within one patch", distillation=_distilled(window=1)),
    _with(_DEO, "deo-miniature", "with the miniature's own teacher", distillation=_distilled(teacher="miniature")),
    _with(_DEO, "deo-random", "with a teacher that learned nothing", distillation=_distilled(teacher="random")),
    _with(_DEO, "deo-spread", "weighted by the teachers' spread", balance="spread"),
    _with(_DEO, "deo+time-spread", "and another date, by the teachers' spread", time=(_DATES,), balance="spread"),
)

BEYOND: dict[str, Arm] = {entry.name: entry for entry in (*_TIME, *_LABELLED, *_AERIAL, *_LIMITS)}
