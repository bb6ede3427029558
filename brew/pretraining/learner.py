"""What gradient descent trains: the student, and the heads through which it meets its teachers.

Left out: how the student is compared with them (`brew.pretraining.objective`).

Source: paper, section 3; released code's `DEO/main_dino.py`.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from brew import randomness
from brew.models.features import Features
from brew.models.heads import Head, PixelHead
from brew.models.student import Student
from brew.models.supervised_heads import DenseHead, SceneHead
from brew.models.swin import Swin
from brew.models.teachers import OpticalTeacher
from brew.pretraining.arms import Arm
from brew.pretraining.supervised_tasks import SupervisedTask, supervised_task
from brew.pretraining.view_batches import ViewBatch
from brew.sensors import PATHS
from brew.views import View

#: Of arms that compare no dates, and of those that see no labels.
NO_DATES: Mapping[str, bool] = MappingProxyType({})
NO_LABELS: Mapping[str, Sequence[Tensor]] = MappingProxyType({})


class Noise(NamedTuple):
    """The key of stochastic depth: its draws depend on these and on the sample and view alone."""

    seed: int
    epoch: int
    role: str


class Look(NamedTuple):
    """One image that the student reads: a view through a stem, whole or with pixels hidden, or on another date."""

    path: str
    view: View
    masked: bool = False
    later: bool = False

    @property
    def stream(self) -> str:
        """What keys its draws."""
        return f"{self.path}/{self.view.name}" + ("/masked" if self.masked else "") + ("/later" if self.later else "")


class SelfProjector(nn.Module):
    """The student and one head per self-distilled path: what the moving average follows.

    dated: the paths that meet another date, and whether their patches do, through a head of their own.
    """

    def __init__(
        self, student: Student, paths: Sequence[str], width: int, hidden: int, dated: Mapping[str, bool] = NO_DATES
    ):
        super().__init__()
        self.student, self.dated = student, tuple(dated)
        self.heads = nn.ModuleDict({path: Head(student.width, width, hidden) for path in paths})
        self.patch_heads = nn.ModuleDict(
            {path: Head(student.middle_width, width, hidden) for path, patches in dated.items() if patches}
        )

    def encode(self, batch: ViewBatch, looks: Sequence[Look], noise: Noise | None) -> list[Features]:
        """Features of every look.

        Token maps of one size pass the trunk together, whatever stem they come from: fewer, larger kernels.
        """
        tokens = [self._tokens(batch, look) for look in looks]
        drops: list[Tensor] | None = None
        if noise is not None and self.student.trunk.stochastic_depth > 0:
            drops = [
                randomness.uniform(
                    noise.seed,
                    noise.epoch,
                    batch.samples[look.path],
                    f"depth/{noise.role}/{look.stream}",
                    2 * self.student.trunk.blocks,
                )
                for look in looks
            ]
        return through_trunk(self.student.trunk, tokens, drops)

    def _tokens(self, batch: ViewBatch, look: Look) -> Tensor:
        patch = self.student.trunk.patch
        hidden = batch.hidden[look.path, look.view.name][:, ::patch, ::patch] if look.masked else None
        return self.student.tokens(batch.images(look.view, look.path), look.path, hidden)

    def project(self, encoded: Mapping[str, Sequence[Features]]) -> dict[str, Tensor]:
        """{path: (view, batch, width)}; of paths that meet another date also `later_of(path)` and, of the global views'
        patches, `patches_of` either: (view, batch, width, y, x)."""
        own = {path: head(_pooled(encoded[path])) for path, head in self.heads.items()}
        for path in self.dated:
            now, later = encoded[path], encoded[later_of(path)]
            own[later_of(path)] = self.heads[path](_pooled(later))
            if path in self.patch_heads:
                head = cast(Head, self.patch_heads[path])
                for key, seen in ((path, now[: len(later)]), (later_of(path), later)):
                    own[patches_of(key)] = torch.stack([head.patches(each.middle) for each in seen])
        return own

    def forward(self, batch: ViewBatch, noise: Noise | None = None) -> dict[str, Tensor]:
        """The teacher's use: unit vectors of the global views, per self-distilled path (see `project`)."""
        return self.project(self.whole(batch, batch.global_views, tuple(self.heads), noise))

    def whole(
        self, batch: ViewBatch, views: Sequence[View], paths: Sequence[str], noise: Noise | None
    ) -> dict[str, list[Features]]:
        """Features of every view through every path, as {path: [Features per view]}, and of the other date's."""
        looks = whole_looks(batch, views, paths, self.dated)
        return by_key(looks, self.encode(batch, looks, noise))


def through_trunk(trunk: nn.Module, tokens: Sequence[Tensor], drops: Sequence[Tensor] | None) -> list[Features]:
    """The trunk's features of each token map; maps of one size share a pass, and all sizes a Swin's."""
    if not tokens:
        return []
    sizes = dict.fromkeys(tuple(each.shape[1:]) for each in tokens)
    groups = [[i for i, each in enumerate(tokens) if tuple(each.shape[1:]) == size] for size in sizes]
    maps = [torch.cat([tokens[i] for i in members]) for members in groups]
    drop = None if drops is None else [torch.cat([drops[i] for i in members]) for members in groups]
    if isinstance(trunk, Swin):
        together = trunk.together(maps, drop)
    else:
        together = [trunk(each, None if drop is None else drop[i]) for i, each in enumerate(maps)]
    features: dict[int, Features] = {}
    for members, group in zip(groups, together, strict=True):
        features |= zip(members, group.split([len(tokens[i]) for i in members]), strict=True)
    return [features[i] for i in range(len(tokens))]


def whole_looks(batch: ViewBatch, views: Sequence[View], paths: Sequence[str], dated: Sequence[str]) -> list[Look]:
    """Every view through every path and, of `dated` paths, the global views of the other date."""
    now = [Look(path, view) for path in paths for view in views]
    return now + [Look(path, view, later=True) for path in dated for view in batch.later]


def by_key(looks: Sequence[Look], features: Sequence[Features]) -> dict[str, list[Features]]:
    """The features of each path's looks, in their order; those of the other date under `later_of(path)`."""
    found: dict[str, list[Features]] = {}
    for look, each in zip(looks, features, strict=True):
        found.setdefault(later_of(look.path) if look.later else look.path, []).append(each)
    return found


def later_of(path: str) -> str:
    """The key of what belongs to the other date of a path."""
    return f"{path}/later"


def patches_of(key: str) -> str:
    """The key of the patches of a path's date."""
    return f"{key}/patches"


def _pooled(features: Sequence[Features]) -> Float[Tensor, "view batch width"]:
    return torch.stack([each.pooled for each in features])


def _head_of(task: SupervisedTask, student: Student) -> nn.Module:
    if task.dense:
        return DenseHead(student.channels, task.classes)
    return SceneHead(student.width, task.classes)


def _each_map(head: Head, maps: Sequence[Tensor]) -> list[Tensor]:
    """Unit vectors of every patch of maps of one size, which pass the head together."""
    return list(head.patches(torch.cat(list(maps))).split([len(each) for each in maps]))


class Projections(NamedTuple):
    """The student in its teachers' spaces: unit vectors. (Fabric rebuilds what a module returns, so not a dataclass.)

    own: {path: (view, batch, width)}. classes: {teacher: (view, batch, width)}.
    patches: {teacher: {"late" | "middle": one (batch, width, y, x) per global view}}.
    restored: {path: one (batch, channel, y, x) per global view}: images that were seen masked.
    labelled: {supervised task: logits of each global view}.
    """

    own: Mapping[str, Tensor]
    classes: Mapping[str, Tensor]
    patches: Mapping[str, Mapping[str, Sequence[Tensor]]]
    restored: Mapping[str, Sequence[Tensor]]
    labelled: Mapping[str, Sequence[Tensor]] = NO_LABELS


class Learner(nn.Module):
    """The student with all its heads.

    width, hidden: of the self-distillation head (256 and 2,048 in the paper); a distillation head has the optical
    teacher's width.
    """

    def __init__(self, student: Student, arm: Arm, teachers: Mapping[str, OpticalTeacher], width: int, hidden: int):
        super().__init__()
        self.arm = arm
        dated = {entry.path: entry.matched != "none" for entry in arm.time}
        self.own = SelfProjector(student, [entry.path for entry in arm.self_distillation], width, hidden, dated)
        self.taught = nn.ModuleDict()
        for entry in arm.distillation:
            teacher = teachers[entry.teacher]
            sizes = {
                "class": (student.width, teacher.width),
                "late": (student.late_width, teacher.late_width),
                "middle": (student.middle_width, teacher.middle_width),
            }
            self.taught[entry.teacher] = nn.ModuleDict(
                {token: Head(*sizes[token], hidden) for token, _ in entry.tokens}
            )

        self.restoring = nn.ModuleDict({
            entry.path: PixelHead(student.late_width, PATHS[entry.path], student.trunk.late_stride)
            for entry in arm.masking
        })  # fmt: skip
        tasks = [supervised_task(entry.task) for entry in arm.supervision]
        self.labelling = nn.ModuleDict({task.name: _head_of(task, student) for task in tasks})

    @property
    def student(self) -> Student:
        return self.own.student

    def forward(self, batch: ViewBatch, noise: Noise | None = None) -> Projections:
        whole = whole_looks(batch, batch.views, self.arm.whole_paths, self.arm.dated_paths)
        masked = [Look(path, view, masked=True) for path in self.restoring for view in batch.global_views]
        features = self.own.encode(batch, whole + masked, noise)
        encoded = by_key(whole, features[: len(whole)])
        restored = {
            path: [self._restore(path, each, batch) for each in seen]
            for path, seen in by_key(masked, features[len(whole) :]).items()
        }
        classes, patches = {}, {}
        for entry in self.arm.distillation:
            heads, features = cast(nn.ModuleDict, self.taught[entry.teacher]), encoded[entry.path]
            if "class" in heads:
                classes[entry.teacher] = heads["class"](_pooled(features))
            on_globals = [each for each, view in zip(features, batch.views, strict=True) if view.is_global]
            patches[entry.teacher] = {
                token: _each_map(cast(Head, heads[token]), [getattr(each, token) for each in on_globals])
                for token in ("late", "middle")
                if token in heads
            }
        return Projections(self.own.project(encoded), classes, patches, restored, self._labelled(encoded, batch))

    def _labelled(self, encoded: Mapping[str, Sequence[Features]], batch: ViewBatch) -> dict[str, list[Tensor]]:
        """Logits of the global views, which come first among a path's views."""
        logits = {}
        for entry in self.arm.supervision:
            head, now = self.labelling[entry.task], encoded[entry.path][: len(batch.global_views)]
            if supervised_task(entry.task).kind == "change":
                both = zip(now, encoded[later_of(entry.path)], strict=True)
                logits[entry.task] = [head(one, other) for one, other in both]
            else:
                logits[entry.task] = [head(each) for each in now]
        return logits

    def _restore(self, path: str, features: Features, batch: ViewBatch) -> Float[Tensor, "batch channel y x"]:
        """The pixels behind the last patches, which pass the trunk's final norm first, as in SimMIM."""
        size = batch.images(batch.global_views[0], path).shape[-1]
        normed = self.student.trunk.norm(features.late.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return cast(PixelHead, self.restoring[path])(normed, size)
