"""One optical teacher, declared: its network, what it reads and gives, and whose weights they are."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from torch import nn

from brew.errors import BrewError
from brew.models.miniature_teacher import Colour, load_miniature_teacher
from brew.models.optical_teacher import OpticalTeacher
from brew.models.teacher_networks import Absent


class TeacherUnavailable(BrewError):
    """A teacher whose weights are not on this machine, with how to obtain them."""


@dataclass(frozen=True)
class TeacherEntry:
    """One teacher, declared.

    sensor: the sensor whose display images it reads. width, late_width, middle_width: channels of the class token and
    of the late and middle maps. multiple: its patch, in pixels. mean, std: of display images; None if the network
    normalises by itself, with numbers from its own file. centred: see `OpticalTeacher`.
    source, licence: of the weights. needs: what to do to have them, one sentence.
    network: (random, download) -> network; `random` is the contract test's.
    learned_here: the weights are the scale's own, which stage `optical-teacher` trains on the scale's images.
    """

    name: str
    network: Callable[..., nn.Module] = field(repr=False)
    width: int
    late_width: int
    middle_width: int
    multiple: int
    source: str
    licence: str
    needs: str
    mean: Colour | None = None
    std: Colour | None = None
    centred: bool = False
    smallest: int = 1
    sensor: str = "rgb"
    learned_here: bool = False

    def lacks(self) -> str:
        """What to do before its weights are here, in one sentence; "" if they load."""
        try:
            self.network(False, False)
        except Absent:
            return self.needs
        return ""

    def build(self, *, random: bool = False, download: bool = False, weights: Path | None = None) -> OpticalTeacher:
        """The frozen teacher, on the CPU; TeacherUnavailable if its weights are absent.

        random: untrained weights, for tests of this table alone. download: fetch absent weights if that is possible.
        weights: the file of one that was `learned_here`.
        """
        try:
            network = load_miniature_teacher(weights)[0] if weights else self.network(random, download)
        except Absent as absent:
            raise TeacherUnavailable(
                f"teacher {self.name!r}: {absent}; expected the weights of {self.source} ({self.licence}); {self.needs}"
            ) from absent
        return OpticalTeacher(
            self.name, network, self.mean or (0.0, 0.0, 0.0), self.std or (1.0, 1.0, 1.0), self.width, self.late_width,
            self.middle_width, self.multiple, self.centred, self.smallest,
        )  # fmt: skip
