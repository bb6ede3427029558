"""Operations of pretraining and evaluation, counted by torch on the meta device, where nothing is computed.

A backward pass counts as two forward passes. Left out: heads, losses, views and everything but matrix products and
convolutions, which together are a few percent of a step (`benchmarks/matched.py` counts all of a step's products).
"""

from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from brew.evaluation.decoders import Decoder
from brew.models.stems import Stem
from brew.models.teachers import TEACHERS
from brew.models.trunks import TRUNKS, Trunk
from brew.pretraining.arms import Arm
from brew.sensors import PATHS, SENSORS
from brew.views import ViewSettings

_GLOBAL_VIEWS = 2
#: A training step's passes, in forward passes.
TRAINING = 3


def counted(run: Callable[[], object]) -> int:
    """Operations of what `run` does."""
    # torch counts an attention where it is matrix products.
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops()


def trunk_of(name: str) -> Trunk:
    """A trunk of TRUNKS without stochastic depth, on the meta device."""
    with torch.device("meta"):
        return TRUNKS[name].build(0.0)


def stem_of(trunk: Trunk, path: str) -> Stem:
    """The stem of a path before the trunk, on the meta device."""
    with torch.device("meta"):
        return Stem(PATHS[path], trunk.stem_width, trunk.patch, trunk.stem_norm)


@cache
def forward(trunk: str, path: str, side: int) -> int:
    """Operations of one image of `side` x `side` pixels through a stem and the trunk."""
    network = trunk_of(trunk)
    stem = stem_of(network, path)
    return counted(lambda: network(stem(torch.zeros(1, stem.proj.in_channels, side, side, device="meta"))))


@cache
def teacher(name: str, side: int) -> int:
    """Operations of one display image of `side` x `side` pixels through a frozen teacher."""
    with torch.device("meta"):
        built = TEACHERS[name].build(random=True)
    image = torch.zeros(1, 3, *built.sides((side, side)), device="meta")
    return counted(lambda: built.network(image))


@dataclass(frozen=True)
class StepArithmetic:
    """Operations of a training step for one image. student: forward and backward."""

    student: int
    moving_average: int
    teachers: int

    @property
    def total(self) -> int:
        return self.student + self.moving_average + self.teachers


def of_arm(arm: Arm, trunk: str, views: ViewSettings, paths: Set[str] = frozenset(PATHS)) -> StepArithmetic:
    """Operations of a step of the arm, which names its teachers, for one image that the stems `paths` read."""

    def passes(path: str, global_views: int, local_views: int) -> int:
        if path not in paths:
            return 0
        scale = views.optical_scale if path == "optical" else 1
        sizes = ((views.global_size, global_views), (views.local_size, local_views))
        return sum(count * forward(trunk, path, side * scale) for side, count in sizes if count)

    student = sum(passes(path, _GLOBAL_VIEWS, views.locals) for path in arm.whole_paths)
    student += sum(passes(entry.path, _GLOBAL_VIEWS, 0) for entry in arm.masking)
    student += sum(passes(path, _GLOBAL_VIEWS, 0) for path in arm.dated_paths)  # the other date
    average = sum(passes(entry.path, _GLOBAL_VIEWS, 0) for entry in arm.self_distillation)
    average += sum(passes(dates.path, _GLOBAL_VIEWS, 0) for dates in arm.time)
    display = views.global_size * views.optical_scale
    read = [entry.teacher for entry in arm.distillation if entry.path in paths]
    taught = sum(_GLOBAL_VIEWS * teacher(name, display) for name in read)
    return StepArithmetic(TRAINING * student, average, taught)


@cache
def features(trunk: str, sensor: str, side: int) -> int:
    """Operations of one image of a sensor through a student, as an evaluation reads it."""
    return forward(trunk, SENSORS[sensor].path, side)


@cache
def decoder(trunk: str, side: int, classes: int, width: int) -> int:
    """Operations of a decoder's forward pass on the trunk's maps of one image of `side` x `side` pixels."""
    network = trunk_of(trunk)
    with torch.device("meta"):
        statistics = [torch.ones(channels) for channels in network.channels]
        built = Decoder(statistics, statistics, classes, width)
        maps = list(_maps(network, side))
    return counted(lambda: built.eval()(maps))


def _maps(trunk: Trunk, side: int) -> Iterator[Tensor]:
    for stride, channels in zip(trunk.strides, trunk.channels, strict=True):
        yield torch.zeros(1, channels, max(side // stride, 1), max(side // stride, 1))
