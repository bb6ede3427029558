"""Alignment of a student with its teachers: mean cosine similarity over pairs of views, or over patches.

Source: DEO (arXiv 2602.19863, section 3) and its released code. The multispectral compression term and the class-token
distillation are one formula on different heads. Left out: the weights of the terms, which belong to the objective.
"""

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
    teacher: Float[Tensor, "batch width y x"], student: Float[Tensor, "batch width student_y student_x"]
) -> Float[Tensor, ""]:
    """Mean cosine similarity per patch between maps of the same view, on the teacher's grid.

    The student's map (head outputs) is resized bilinearly to the teacher's grid (no antialiasing, corners not aligned),
    and the cosine normalises what the resizing shortened. teacher: the optical teacher's patch tokens, any length.
    """
    with torch.autocast(teacher.device.type, enabled=False):
        output = student.float()
        if output.shape[-2:] != teacher.shape[-2:]:
            output = F.interpolate(output, size=teacher.shape[-2:], mode="bilinear", align_corners=False)
        return F.cosine_similarity(output, teacher.float(), dim=1).mean()
