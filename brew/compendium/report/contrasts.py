"""Pairs of arms whose teachers differ: what each teacher brings, by what tells a benchmark's classes apart."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from brew.compendium.report.scored import Scored
from brew.compendium.report.style import label
from brew.evaluation.benchmarks import BENCHMARKS, LivesOn


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
    Contrast("deo", "ms+optical-path", "the optical teacher, if the optical path would else teach itself"),
    Contrast("deo", "optical-only", "the multispectral teacher"),
    Contrast("masked+distillation", "masked", f"the optical teacher, {_WITH_ITS_IMAGES}, beside masking"),
    Contrast("deo", "masked+distillation", "the multispectral teacher, in place of masking"),
    Contrast("deo+sar", "deo", "the radar teacher, with a path of its own"),
)


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
