"""One training step on one thread of the CPU: brew's, beside the conventional way, with the same mathematics.

A step is the moving average's forward on the global views, the student's on all views through both stems, the losses,
backward, clipping, AdamW, the moving average's update, and logging. The conventional way: torchvision's Swin, one pass
of it per stem and size of view, losses read one by one, `clip_grad_norm_` and its value, AdamW and moving average
parameter by parameter. Weights, heads and losses are the same on both sides, and stochastic depth drops with the same
probabilities. Times are the processor's, so that busy neighbours count less. In 16 bit the forward runs under autocast,
and losses and heads are in float32 on both sides. Left out, being the same: reading, views, and the frozen optical
teacher, whose features are made up.
"""

import copy
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from benchmarks.arithmetic import TRUNKS_COUNTED, PlainSwin
from benchmarks.harness import Comparison, arguments, compare, write
from benchmarks.views import threads
from brew.compendium import settings
from brew.compendium.scales import MINIATURE
from brew.models.features import Features
from brew.models.student import Student, build_student
from brew.models.swin import Swin
from brew.models.teachers import TEACHERS, TeacherFeatures
from brew.models.trunks import TRUNKS
from brew.pretraining.allocation import keep_freed_memory
from brew.pretraining.arms import arm
from brew.pretraining.ema import moving_average_of, update_moving_average
from brew.pretraining.history import Log
from brew.pretraining.learner import Learner, Noise, Projections, SelfProjector
from brew.pretraining.objective import similarities
from brew.pretraining.updates import clip, parameter_groups
from brew.pretraining.view_batches import ViewBatch
from brew.views import View

_CLIP, _MOMENTUM, _WEIGHT_DECAY, _LEARNING_RATE = 3.0, 0.996, 0.04, 1e-4
_LOSSES = {"epsilon": 0.05, "skip_same_view": True, "half_logdet": True}


@dataclass(frozen=True)
class Sizes:
    """Of one comparison. student: makes it. teacher: of TEACHERS, for its widths and grid. hidden: of the heads.

    half: the forward runs under autocast to bf16.
    """

    name: str
    student: Callable[[], Student]
    teacher: str
    global_size: int
    local_size: int
    locals: int
    batch: int
    hidden: int
    half: bool = False


def _window_12() -> Student:
    return Student(TRUNKS_COUNTED["Swin-T, window 12"](TRUNKS["swin-t"].stochastic_depth), "swin-t with window 12")


def miniature() -> Sizes:
    """The sizes of params.yaml."""
    found = settings.load(MINIATURE)
    numbers, views = found.pretraining, found.pretraining.views
    return Sizes(
        "miniature", lambda: build_student(numbers.trunk), found.teacher, views.global_size, views.local_size,
        views.locals, sum(feed.batch for feed in numbers.feeds), numbers.optimisation.hidden,
    )  # fmt: skip


WINDOW_12 = Sizes("Swin-T, window 12", _window_12, "dinov3-vitb16", 224, 96, 10, batch=2, hidden=2048)
SWIN_T = Sizes("Swin-T, window 7", lambda: build_student("swin-t"), "dinov3-vitb16", 224, 96, 4, batch=1, hidden=2048)
SWIN_B = Sizes("Swin-B, window 12", lambda: build_student("swin-b"), "dinov3-vitb16", 224, 96, 4, batch=1, hidden=2048)
SIZES = {
    "miniature": miniature,
    "swin-t": lambda: SWIN_T,
    "swin-t-bf16": lambda: replace(SWIN_T, name="Swin-T, window 7, bf16", half=True),
    "swin-t-12": lambda: WINDOW_12,
    "swin-b": lambda: SWIN_B,
}
QUICK = Sizes("Swin-nano", lambda: build_student("swin-nano"), "miniature", 32, 16, 2, batch=4, hidden=32)


class Step(NamedTuple):
    """What both sides start from: they copy the learner. targets: per optical teacher, of each global view."""

    learner: Learner
    batch: ViewBatch
    targets: Mapping[str, Sequence[TeacherFeatures]]


def prepare(sizes: Sizes, seed: int = 0) -> Step:
    """Random weights, views and targets of those sizes."""
    torch.manual_seed(seed)
    entry = TEACHERS[sizes.teacher]
    chosen = arm("deo").with_teacher(entry.name)
    teacher = entry.build(random=True)  # asked for its features' sizes alone
    learner = Learner(sizes.student(), chosen, {entry.name: teacher}, width=256, hidden=sizes.hidden)
    sides = [sizes.global_size] * 2 + [sizes.local_size] * sizes.locals
    views = [_view(f"view {i}", i < 2, sizes.batch, side) for i, side in enumerate(sides)]
    samples = torch.arange(sizes.batch)
    like = vars(teacher(torch.zeros(1, 3, sizes.global_size, sizes.global_size)))
    targets = [
        TeacherFeatures(**{token: torch.randn(sizes.batch, *each.shape[1:]) for token, each in like.items()})
        for _ in range(2)
    ]
    return Step(learner, ViewBatch(views, {"multispectral": samples, "optical": samples}), {entry.name: targets})


def _view(name: str, is_global: bool, batch: int, side: int) -> View:
    return View(name, is_global, torch.randn(batch, 10, side, side), torch.randn(batch, 3, side, side), None)


def _precision(half: bool) -> AbstractContextManager[object]:
    return torch.autocast("cpu", torch.bfloat16, enabled=half)


def brew_step(step: Step, half: bool = False) -> Callable[[], dict[str, Tensor]]:
    """A function that takes one step more, as `brew.pretraining.loop` does, and returns what it logged."""
    learner = copy.deepcopy(step.learner)
    average = cast(SelfProjector, moving_average_of(learner.own))
    optimiser = torch.optim.AdamW(_decayed(learner), lr=_LEARNING_RATE, fused=True)
    log, steps = Log([]), iter(range(sys.maxsize))

    def run() -> dict[str, Tensor]:
        number = next(steps)
        with _precision(half):
            with torch.no_grad():
                own = average(step.batch)
            projections = learner(step.batch, Noise(0, number, "student"))
        named, similarity = similarities(learner.arm, step.batch, projections, own, step.targets, **_LOSSES)
        (-similarity).backward()
        norm = clip(learner, _CLIP, jointly=True).norm()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        update_moving_average(average, learner.own, _MOMENTUM)
        logged = {name: value.detach() for name, value in {**named, "loss": -similarity, "gradient norm": norm}.items()}
        log.add(number, logged, {})
        return logged

    return run


class PlainStudent(nn.Module):
    """Stems, torchvision's trunk, heads; with a learner's weights."""

    def __init__(self, learner: Learner):
        super().__init__()
        self.stems = copy.deepcopy(learner.student.stems)
        self.trunk = PlainSwin(cast(Swin, learner.student.trunk))
        self.own = copy.deepcopy(learner.own.heads["multispectral"])
        (self.teacher,) = learner.taught
        self.taught = copy.deepcopy(learner.taught[self.teacher])

    def encode(self, batch: ViewBatch, views: Sequence[View], path: str) -> list[Features]:
        """One pass of the trunk per size of view."""
        features: list[Features] = []
        for _, group in groupby([batch.images(view, path) for view in views], key=lambda images: images.shape):
            images = list(group)
            features += self.trunk(self.stems[path](torch.cat(images))).split([len(each) for each in images])
        return features

    def project_own(self, features: Sequence[Features]) -> Tensor:
        return self.own(torch.stack([each.pooled for each in features]))

    def forward(self, batch: ViewBatch) -> Projections:
        own = self.project_own(self.encode(batch, batch.views, "multispectral"))
        optical = self.encode(batch, batch.views, "optical")
        classes = self.taught["class"](torch.stack([each.pooled for each in optical]))
        patches = {
            token: [self.taught[token].patches(getattr(each, token)) for each in optical[:2]]
            for token in ("late", "middle")
        }
        return Projections({"multispectral": own}, {self.teacher: classes}, {self.teacher: patches}, {})


def plain_step(step: Step, half: bool = False) -> Callable[[], dict[str, float]]:
    """As `brew_step`, written as is usual."""
    student = PlainStudent(step.learner)
    average = copy.deepcopy(student).requires_grad_(False).eval()
    optimiser = torch.optim.AdamW(_decayed(student), lr=_LEARNING_RATE)
    global_views = [view for view in step.batch.views if view.is_global]

    def run() -> dict[str, float]:
        with _precision(half):
            with torch.no_grad():
                own = {"multispectral": average.project_own(average.encode(step.batch, global_views, "multispectral"))}
            projections = student(step.batch)
        named, similarity = similarities(step.learner.arm, step.batch, projections, own, step.targets, **_LOSSES)
        logged = {name: value.item() for name, value in {**named, "loss": -similarity}.items()}
        optimiser.zero_grad()
        (-similarity).backward()
        logged["gradient norm"] = nn.utils.clip_grad_norm_(student.parameters(), _CLIP).item()
        optimiser.step()
        with torch.no_grad():
            for target, source in zip(average.parameters(), student.parameters(), strict=True):
                target.mul_(_MOMENTUM).add_(source, alpha=1 - _MOMENTUM)
        return logged

    return run


def _decayed(module: nn.Module) -> list[dict[str, Any]]:
    return [group | {"weight_decay": _WEIGHT_DECAY * group["decays"]} for group in parameter_groups(module)]


def measure(sizes: Sizes, rounds: int) -> Comparison:
    step = prepare(sizes)
    described = {
        "views": f"2 x {sizes.global_size} px, {sizes.locals} x {sizes.local_size} px",
        "batch": sizes.batch,
        "stochastic depth": step.learner.student.trunk.stochastic_depth,
        "precision": "bf16 autocast" if sizes.half else "float32",
        "time": "CPU seconds of one thread",
    }
    return compare(
        sizes.name, brew_step(step, sizes.half), plain_step(step, sizes.half), unit="images/s", work=sizes.batch,
        rounds=rounds, settings=described, clock=time.process_time,
    )  # fmt: skip


def main(given: Sequence[str] | None = None) -> None:
    chosen = arguments(__doc__, given, rounds=5)
    keep_freed_memory()  # as the loop does; the conventional side has it too
    sizes = (QUICK,) if chosen.quick else tuple(make() for make in SIZES.values())
    with threads(1):
        write("step", *(measure(each, chosen.rounds) for each in sizes), quick=chosen.quick)


if __name__ == "__main__":
    main()
