"""The objective: views, teachers, student, named similarities.

Everything is maximised; the training loss is the negative weighted sum. `Learner` is what gradient descent trains:
the student and the heads through which it meets its teachers. `similarities` compares it with its teachers as the arm
says.

Source: paper, section 3; released code's `DEO/main_dino.py` and loss modules. Where they disagree, see
`docs/decisions/`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, cast

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from brew import draws, losses
from brew.errors import BrewError
from brew.models.features import Features
from brew.models.heads import Head
from brew.models.student import Student
from brew.models.teachers import OpticalTeacher, TeacherFeatures
from brew.pretraining.arms import Arm
from brew.views import View


class ViewBatch:
    """The views of one step. samples: per path, the identifiers of the samples that have an image for it.

    A plain class: Fabric takes dataclasses apart to convert the tensors in them, and these stay as they are.
    """

    def __init__(self, views: Sequence[View], samples: Mapping[str, Int64[Tensor, " batch"]]):
        self.views, self.samples = views, samples

    def images(self, view: View, path: str) -> Float[Tensor, "batch channel y x"]:
        images = view.multispectral if path == "multispectral" else view.optical
        if images is None:
            raise BrewError(f"view {view.name!r} has no image for path {path!r}; expected one; look at the arm's feeds")
        return images


def merge(parts: Sequence[ViewBatch]) -> ViewBatch:
    """One batch from several sources; a sample that lacks a sensor is simply absent from that sensor's tensors."""
    if len(parts) == 1:
        return parts[0]
    views = [
        View(
            name=same[0].name,
            is_global=same[0].is_global,
            multispectral=_join(view.multispectral for view in same),
            optical=torch.cat([view.optical for view in same]),
            display=_join(view.display for view in same),
        )
        for same in zip(*(part.views for part in parts), strict=True)
    ]
    paths = {path for part in parts for path in part.samples}
    samples = {path: torch.cat([part.samples[path] for part in parts if path in part.samples]) for path in paths}
    return ViewBatch(views, samples)


def _join(tensors: Iterable[Tensor | None]) -> Tensor | None:
    present = [tensor for tensor in tensors if tensor is not None]
    return torch.cat(present) if present else None


class Noise(NamedTuple):
    """The key of stochastic depth: its draws depend on these and on the sample and view alone."""

    seed: int
    epoch: int
    role: str


class SelfProjector(nn.Module):
    """The student and one head per self-distilled path: what the moving average follows."""

    def __init__(self, student: Student, paths: Sequence[str], width: int, hidden: int):
        super().__init__()
        self.student = student
        self.heads = nn.ModuleDict({path: Head(student.width, width, hidden) for path in paths})

    def encode(
        self, batch: ViewBatch, views: Sequence[View], paths: Sequence[str], noise: Noise | None
    ) -> dict[str, list[Features]]:
        """Features of every view through every path, as {path: [Features per view]}.

        Token maps of one size pass the trunk together, whatever stem they come from: fewer, larger kernels.
        """
        wanted = [(path, view) for path in paths for view in views]
        tokens = [self.student.tokens(batch.images(view, path), path) for path, view in wanted]
        drops: list[Tensor] | None = None
        if noise is not None and self.student.trunk.stochastic_depth > 0:
            drops = [
                draws.uniform(noise.seed, noise.epoch, batch.samples[path], f"depth/{noise.role}/{path}/{view.name}",
                              2 * self.student.trunk.blocks)
                for path, view in wanted
            ]  # fmt: skip
        features = through_trunk(self.student.trunk, tokens, drops)
        per_path = len(views)
        return {path: features[i * per_path : (i + 1) * per_path] for i, path in enumerate(paths)}

    def project(self, encoded: Mapping[str, Sequence[Features]]) -> dict[str, Float[Tensor, "view batch width"]]:
        return {path: head(_pooled(encoded[path])) for path, head in self.heads.items()}

    def forward(self, batch: ViewBatch, noise: Noise | None = None) -> dict[str, Float[Tensor, "view batch width"]]:
        """The teacher's use: unit vectors of the global views, per self-distilled path."""
        views = [view for view in batch.views if view.is_global]
        return self.project(self.encode(batch, views, tuple(self.heads), noise))


def through_trunk(trunk: nn.Module, tokens: Sequence[Tensor], drops: Sequence[Tensor] | None) -> list[Features]:
    """The trunk's features of each token map; maps of one size share a pass."""
    features: list[Features | None] = [None] * len(tokens)
    for size in dict.fromkeys(tuple(each.shape[1:]) for each in tokens):
        members = [i for i, each in enumerate(tokens) if tuple(each.shape[1:]) == size]
        drop = torch.cat([drops[i] for i in members]) if drops is not None else None
        together: Features = trunk(torch.cat([tokens[i] for i in members]), drop)
        for i, part in zip(members, together.split([len(tokens[i]) for i in members]), strict=True):
            features[i] = part
    return [each for each in features if each is not None]


def _pooled(features: Sequence[Features]) -> Float[Tensor, "view batch width"]:
    return torch.stack([each.pooled for each in features])


class Projections(NamedTuple):
    """The student in its teachers' spaces: unit vectors. (Fabric rebuilds what a module returns, so not a dataclass.)

    own: {path: (view, batch, width)}. classes: {teacher: (view, batch, width)}.
    patches: {teacher: {"late" | "middle": one (batch, width, y, x) per global view}}.
    """

    own: Mapping[str, Tensor]
    classes: Mapping[str, Tensor]
    patches: Mapping[str, Mapping[str, Sequence[Tensor]]]


class Learner(nn.Module):
    """The student with all its heads.

    width, hidden: of the self-distillation head (256 and 2,048 in the paper); a distillation head has the optical
    teacher's width.
    """

    def __init__(self, student: Student, arm: Arm, teachers: Mapping[str, OpticalTeacher], width: int, hidden: int):
        super().__init__()
        self.arm = arm
        self.own = SelfProjector(student, [entry.path for entry in arm.self_distillation], width, hidden)
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

    @property
    def student(self) -> Student:
        return self.own.student

    def forward(self, batch: ViewBatch, noise: Noise | None = None) -> Projections:
        encoded = self.own.encode(batch, batch.views, self.arm.paths, noise)
        classes, patches = {}, {}
        for entry in self.arm.distillation:
            heads, features = cast(nn.ModuleDict, self.taught[entry.teacher]), encoded[entry.path]
            if "class" in heads:
                classes[entry.teacher] = heads["class"](_pooled(features))
            on_globals = [each for each, view in zip(features, batch.views, strict=True) if view.is_global]
            patches[entry.teacher] = {
                token: [cast(Head, heads[token]).patches(getattr(each, token)) for each in on_globals]
                for token in ("late", "middle")
                if token in heads
            }
        return Projections(self.own.project(encoded), classes, patches)


def similarities(
    arm: Arm,
    student: Projections,
    own_teacher: Mapping[str, Float[Tensor, "view batch width"]],
    optical_teachers: Mapping[str, Sequence[TeacherFeatures]],
    *,
    epsilon: float,
    skip_same_view: bool,
    half_logdet: bool,
    processes: int = 1,
    covariance_reduce: Callable[[Tensor], Tensor] | None = None,
) -> tuple[dict[str, Tensor], Tensor]:
    """Every similarity under its name, and their weighted sum, which training maximises.

    own_teacher: the moving average's unit vectors of the two global views, per path.
    optical_teachers: per frozen teacher, its features of the two global views.
    """
    named: dict[str, Tensor] = {}
    total = torch.zeros((), device=next(iter((*student.own.values(), *student.classes.values()))).device)
    for entry in arm.self_distillation:
        z, target = student.own[entry.path], own_teacher[entry.path]
        compression = losses.compression(target, z)
        expansion = losses.expansion(
            z[: len(target)], target, eps=epsilon, half_logdet=half_logdet, processes=processes,
            covariance_reduce=covariance_reduce,
        )  # fmt: skip
        named |= {f"{entry.path}/compression": compression, f"{entry.path}/expansion": expansion}
        total = total + compression + entry.gamma * expansion
    for teaching in arm.distillation:
        seen = optical_teachers[teaching.teacher]
        for token, weight in teaching.tokens:
            if token == "class":
                targets = torch.stack([each.class_token for each in seen])
                value = losses.class_alignment(
                    targets, student.classes[teaching.teacher], skip_same_view=skip_same_view
                )
            else:
                pairs = zip(seen, student.patches[teaching.teacher][token], strict=True)
                value = torch.stack([losses.patch_alignment(getattr(t, token), s) for t, s in pairs]).mean()
            named[f"{teaching.teacher}/{token}"] = value
            total = total + weight * value
    return named, total
