"""Alignment of a student with its teachers: mean cosine similarity over pairs of views, or over patches.

Source: DEO (arXiv 2602.19863, section 3) and its released code. The multispectral compression term and the class-token
distillation are one formula on different heads. Left out: the weights of the terms, which belong to the objective.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from brew.errors import BrewError


def alignment(
    teacher: Float[Tensor, "targets batch width"],
    student: Float[Tensor, "views batch width"],
    skip_same_view: bool = True,
) -> Float[Tensor, ""]:
    """Mean cosine similarity between each teacher output and each student output of the same sample, in [-1, 1].

    teacher: outputs on the global views. student: outputs on all views, the teacher's views first in the same order.
    skip_same_view: leave out the pairs in which both saw the same view.
    Raises BrewError if no pair is left, or if the teacher saw views that the student did not.
    """
    targets, views = len(teacher), len(student)
    if skip_same_view and not views >= targets >= 1:
        raise BrewError(
            f"{targets} teacher views and {views} student views; expected the student to see them all, first"
        )
    if not teacher.shape[1]:
        raise BrewError("no sample is given; expected a batch of at least one")
    pairs = targets * views - (targets if skip_same_view else 0)
    if not pairs:
        raise BrewError(
            "one teacher view and one student view, the same; expected a second view or skip_same_view=False"
        )
    with torch.autocast(teacher.device.type, enabled=False):
        target = F.normalize(teacher.float(), dim=-1)
        output = F.normalize(student.float(), dim=-1)
        cosines = target.flatten(1) @ output.flatten(1).mT / target.shape[1]  # (targets, views), mean over the batch
        total = cosines.sum() - (cosines.diagonal().sum() if skip_same_view else 0)
        return total / pairs


def compression(
    teacher: Float[Tensor, "targets batch width"],
    student: Float[Tensor, "views batch width"],
    skip_same_view: bool = True,
) -> Float[Tensor, ""]:
    """`alignment` of the multispectral heads' outputs (width 256 in the paper): the student with its moving average."""
    return alignment(teacher, student, skip_same_view)


def class_alignment(
    teacher: Float[Tensor, "targets batch width"],
    student: Float[Tensor, "views batch width"],
    skip_same_view: bool = True,
) -> Float[Tensor, ""]:
    """`alignment` of the class head's outputs with the optical teacher's class tokens (of any length).

    The released code skips same-view pairs here too, although the paper's text does not ask for it.
    """
    return alignment(teacher, student, skip_same_view)


def patch_alignment(
    teacher: Float[Tensor, "batch width y x"],
    student: Float[Tensor, "batch width student_y student_x"],
    window: int = 0,
) -> Float[Tensor, ""]:
    """Mean cosine similarity per patch between maps of the same view, on the teacher's grid.

    The student's map (head outputs) is resized bilinearly to the teacher's grid (no antialiasing, corners not aligned),
    and the cosine normalises what the resizing shortened. teacher: the optical teacher's patch tokens, any length.
    window: patches around its place among which the student's patch meets the most similar one; 0 is its own place.
    """
    with torch.autocast(teacher.device.type, enabled=False):
        output = student.float()
        if output.shape[-2:] != teacher.shape[-2:]:
            output = F.interpolate(output, size=teacher.shape[-2:], mode="bilinear", align_corners=False)
        if window:
            return _best_within(F.normalize(teacher.float(), dim=1), F.normalize(output, dim=1), window).mean()
        return F.cosine_similarity(output, teacher.float(), dim=1).mean()


def _best_within(
    teacher: Float[Tensor, "batch width y x"], student: Float[Tensor, "batch width y x"], window: int
) -> Float[Tensor, "batch y x"]:
    """The largest cosine of each student patch with the teacher's within `window` rows and columns. Both are unit."""
    rows, columns = teacher.shape[-2:]
    best = teacher.new_full((len(teacher), rows, columns), -1.0)
    for down in range(max(-window, 1 - rows), min(window, rows - 1) + 1):
        for right in range(max(-window, 1 - columns), min(window, columns - 1) + 1):
            there = teacher[..., max(0, down) : rows + min(0, down), max(0, right) : columns + min(0, right)]
            top, left = max(0, -down), max(0, -right)
            here = student[..., top : top + there.shape[-2], left : left + there.shape[-1]]
            cosine = (here * there).sum(1)
            padding = (left, columns - left - there.shape[-1], top, rows - top - there.shape[-2])
            best = torch.maximum(best, F.pad(cosine, padding, value=-1.0))
    return best


@torch.no_grad()
def spread(targets: Float[Tensor, "row width"], reduce: Callable[[Tensor], Tensor] | None = None) -> Float[Tensor, ""]:
    """How far a teacher's outputs lie apart: 1 less the length of their mean direction, in [0, 1].

    It is the scale of a cosine loss: what the best constant answer loses (C-RADIO's question, asked of cosines).
    reduce: sums over processes.
    """
    total = F.normalize(targets.float(), dim=-1).sum(0)
    summed = torch.cat([total, total.new_tensor([len(targets)])])
    summed = reduce(summed) if reduce else summed
    return 1 - torch.linalg.vector_norm(summed[:-1] / summed[-1])
