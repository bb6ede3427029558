"""The objective: every similarity of the student and its teachers by name, and their weighted sum.

Everything is maximised; the training loss is the negative sum.

Source: paper, section 3; released code's `DEO/main_dino.py` and loss modules. If they disagree, `docs/decisions/` says
what brew does.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from brew import losses
from brew.errors import BrewError
from brew.models.teachers import TeacherFeatures
from brew.pretraining.arms import Arm
from brew.pretraining.learner import Projections
from brew.pretraining.view_batches import ViewBatch


def similarities(
    arm: Arm,
    batch: ViewBatch,
    student: Projections,
    own_teacher: Mapping[str, Float[Tensor, "view batch width"]],
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
    watch: is given each self-distilled path with what `losses.coding_rate` lets one watch.
    """
    named: dict[str, Tensor] = {}
    total = torch.zeros((), device=batch.views[0].optical.device)
    for entry in arm.self_distillation:
        z, target = student.own[entry.path], own_teacher[entry.path]
        compression = losses.compression(target, z)
        with _named(f"{entry.path}/expansion"):
            expansion = losses.expansion(
                z[: len(target)], target, eps=epsilon, half_logdet=half_logdet, processes=processes,
                covariance_reduce=covariance_reduce, watch=partial(watch, entry.path) if watch else None,
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
    for masking in arm.masking:
        restored = zip(batch.global_views, student.restored[masking.path], strict=True)
        value = torch.stack([
            losses.reconstruction(batch.images(view, masking.path), image, batch.hidden[masking.path, view.name])
            for view, image in restored
        ]).mean()  # fmt: skip
        named[f"{masking.path}/reconstruction"] = value
        total = total + masking.weight * value
    return named, total


@contextmanager
def _named(similarity: str) -> Iterator[None]:
    """A loss's complaint with the name of the similarity."""
    try:
        yield
    except BrewError as error:
        raise BrewError(f"{similarity}: {error}") from error
