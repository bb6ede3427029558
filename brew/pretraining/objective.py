"""The objective: every similarity of the student and its teachers by name, and their weighted sum.

Everything is maximised; the training loss is the negative sum.

Source: paper, section 3; released code's `DEO/main_dino.py` and loss modules. If they disagree, `docs/decisions/` says
what brew does.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from brew import losses
from brew.errors import BrewError
from brew.models.teachers import TeacherFeatures
from brew.pretraining.arms import Arm
from brew.pretraining.learner import Projections, later_of, patches_of
from brew.pretraining.supervised_tasks import UNLABELLED
from brew.pretraining.view_batches import ViewBatch

#: A teacher that says the same of everything would have an infinite weight.
_LEAST_SPREAD = 1e-3


def similarities(
    arm: Arm,
    batch: ViewBatch,
    student: Projections,
    own_teacher: Mapping[str, Tensor],
    optical_teachers: Mapping[str, Sequence[TeacherFeatures]],
    *,
    epsilon: float,
    skip_same_view: bool,
    half_logdet: bool,
    processes: int = 1,
    covariance_reduce: Callable[[Tensor], Tensor] | None = None,
    watch: Callable[[str, Tensor], None] | None = None,
) -> tuple[dict[str, Tensor], Tensor]:
    """Every similarity under its name, and their weighted sum, which training maximises.

    batch: what the student saw. own_teacher: the moving average's unit vectors of the two global views, per path.
    optical_teachers: per frozen teacher, its features of the two global views.
    covariance_reduce: sums over processes. watch: is given each self-distilled path with what `losses.coding_rate` lets
    one watch.
    """
    meetings = [
        *_self_distilled(arm, student, own_teacher, partial(
            losses.expansion, eps=epsilon, half_logdet=half_logdet, processes=processes,
            covariance_reduce=covariance_reduce,
        ), watch),
        *_distilled(arm, student, optical_teachers, skip_same_view),
        *_over_time(arm, student, own_teacher),
        *_restored(arm, student, batch),
        *_labelled(arm, student, batch),
    ]  # fmt: skip
    total = torch.zeros((), device=batch.views[0].optical.device)
    for meeting, weight in zip(meetings, _weights(arm, meetings, covariance_reduce), strict=True):
        total = total + weight * meeting.value
    return {meeting.name: meeting.value for meeting in meetings}, total


class _Meeting(NamedTuple):
    """One similarity. targets: of its teacher, (row, width); None for what has no teacher."""

    name: str
    weight: float
    value: Tensor
    targets: Callable[[], Tensor] | None = None


def _self_distilled(
    arm: Arm,
    student: Projections,
    own_teacher: Mapping[str, Tensor],
    expansion_of: Callable[..., Tensor],
    watch: Callable[[str, Tensor], None] | None,
) -> Iterator[_Meeting]:
    for entry in arm.self_distillation:
        z, target = student.own[entry.path], own_teacher[entry.path]
        compression = losses.compression(target, z)
        yield _Meeting(f"{entry.path}/compression", 1.0, compression, partial(target.flatten, 0, 1))
        with _named(f"{entry.path}/expansion"):
            expansion = expansion_of(z[: len(target)], target, watch=partial(watch, entry.path) if watch else None)
        yield _Meeting(f"{entry.path}/expansion", entry.gamma, expansion)


def _distilled(
    arm: Arm, student: Projections, teachers: Mapping[str, Sequence[TeacherFeatures]], skip_same_view: bool
) -> Iterator[_Meeting]:
    for entry in arm.distillation:
        seen = teachers[entry.teacher]
        for token, weight in entry.tokens:
            targets = [each.class_token if token == "class" else getattr(each, token) for each in seen]
            if token == "class":
                classes = student.classes[entry.teacher]
                value = losses.class_alignment(torch.stack(targets), classes, skip_same_view=skip_same_view)
            else:
                pairs = zip(targets, student.patches[entry.teacher][token], strict=True)
                value = torch.stack([losses.patch_alignment(t, s, entry.window) for t, s in pairs]).mean()
            yield _Meeting(f"{entry.teacher}/{token}", weight, value, partial(_rows, targets))


def _over_time(arm: Arm, student: Projections, own_teacher: Mapping[str, Tensor]) -> Iterator[_Meeting]:
    """Each date's student meets the other date's teacher; in the control its own date's."""
    for entry in arm.time:
        now, later = entry.path, later_of(entry.path)
        met = ((later, now), (now, later)) if entry.paired else ((now, now), (later, later))
        value = torch.stack([
            losses.alignment(own_teacher[target], student.own[seen], skip_same_view=not entry.paired)
            for target, seen in met
        ]).mean()  # fmt: skip
        yield _Meeting(f"{now}/time", entry.pooled, value, partial(own_teacher[later].flatten, 0, 1))
        if entry.matched == "none":
            continue
        targets = {key: own_teacher[patches_of(key)] for key in (now, later)}
        alike = losses.likeness(targets[now], targets[later], entry.alike) if entry.matched == "alike" else None
        value = torch.stack([
            losses.patches_over_time(targets[target], student.own[patches_of(seen)], alike) for target, seen in met
        ]).mean()  # fmt: skip
        yield _Meeting(f"{now}/time patches", entry.patches, value, partial(_rows, list(targets[later])))


def _restored(arm: Arm, student: Projections, batch: ViewBatch) -> Iterator[_Meeting]:
    for entry in arm.masking:
        restored = zip(batch.global_views, student.restored[entry.path], strict=True)
        value = torch.stack([
            losses.reconstruction(batch.images(view, entry.path), image, batch.hidden[entry.path, view.name])
            for view, image in restored
        ]).mean()  # fmt: skip
        yield _Meeting(f"{entry.path}/reconstruction", entry.weight, value)


def _labelled(arm: Arm, student: Projections, batch: ViewBatch) -> Iterator[_Meeting]:
    for entry in arm.supervision:
        labels = batch.labels[entry.task]
        views = zip(student.labelled[entry.task], labels.values, strict=True)
        value = torch.stack([
            losses.label_likelihood(logits, truth, labels.rows, labels.expected, UNLABELLED) for logits, truth in views
        ]).mean()  # fmt: skip
        yield _Meeting(f"labels/{entry.task}", entry.weight, value)


def _weights(
    arm: Arm, meetings: Sequence[_Meeting], reduce: Callable[[Tensor], Tensor] | None
) -> Sequence[float | Tensor]:
    """The weight of each similarity: the arm's own, or divided by the spread of its teacher at an unchanged sum."""
    fixed = [meeting.weight for meeting in meetings]
    taught = [i for i, meeting in enumerate(meetings) if meeting.targets is not None]
    if arm.balance == "fixed" or not taught:
        return fixed
    spreads = torch.stack([losses.spread(meetings[i].targets(), reduce) for i in taught])  # type: ignore[misc]
    own = spreads.new_tensor([fixed[i] for i in taught])
    divided = own / spreads.clamp(min=_LEAST_SPREAD)
    balanced: list[float | Tensor] = list(fixed)
    for i, weight in zip(taught, divided * (own.sum() / divided.sum()), strict=True):
        balanced[i] = weight
    return balanced


def _rows(maps: Sequence[Float[Tensor, "batch width *_places"]]) -> Float[Tensor, "row width"]:
    """Every vector of some maps, or some batches of vectors."""
    return torch.cat([each.flatten(2).mT.flatten(0, 1) if each.ndim > 2 else each for each in maps])


@contextmanager
def _named(similarity: str) -> Iterator[None]:
    """A loss's complaint with the name of the similarity."""
    try:
        yield
    except BrewError as error:
        raise BrewError(f"{similarity}: {error}") from error
