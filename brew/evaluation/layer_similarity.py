"""Representation similarity of a student's layers with a teacher's tokens, layer by layer and token by token.

Left out: which images, students and teachers are compared, and how results are summed up.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from brew.errors import BrewError
from brew.evaluation.backbones import STRIDES
from brew.evaluation.representation_similarity import debiased_cka, half_samples, mapped_cosine, places
from brew.models.teachers import OpticalTeacher
from brew.sensors import SENSORS

#: The teacher's tokens, each with its name in figures.
TOKENS = {"class": "class token", "late": "late patches", "middle": "middle patches"}
#: Measures of similarity, each with its name in figures.
MEASURES = {"cka": "linear CKA, debiased", "cosine": "cosine, linearly mapped"}
#: Images that a network reads at once.
_BATCH = 32

#: Features at places of images: (image, place, width).
Places = np.ndarray


@dataclass(frozen=True)
class SimilaritySettings:
    """The section `similarity`.

    test, train: images that are compared, and images that the linear map is fitted on. side: pixels of the square that
    is cut from the middle of each. grid: places along a side at which maps are compared, one for each step of the
    coarsest layer. halves: random halves of the test images that an interval is made from; seed: of these. strides: of
    the student's layers that are compared.
    """

    test: int
    train: int
    side: int
    grid: int
    halves: int
    seed: int
    strides: tuple[int, ...]

    def __post_init__(self) -> None:
        if unknown := [stride for stride in self.strides if stride not in STRIDES]:
            raise BrewError(
                f"similarity.strides: found {unknown[0]}; expected some of {', '.join(map(str, STRIDES))}, which a "
                "student's layers have: take it out"
            )


@dataclass(frozen=True)
class ComparedStudent:
    """A student. seed: of its arm's pretraining. read: images (batch, 3, y, x) in 0 to 255 -> a map per stride."""

    arm: str
    seed: int
    read: Callable[[Tensor], list[Tensor]]


@dataclass(frozen=True)
class LayerSimilarity:
    """One layer of a student beside one token of a teacher.

    images: how many were compared. replicates: by name of MEASURES, the value on all images and then on random halves
    of them, which are the same for all students.
    """

    teacher: str
    arm: str
    seed: int
    token: str
    stride: int
    images: int
    replicates: Mapping[str, Float[np.ndarray, " replicate"]]


class TeacherSide:
    """A teacher's tokens on images, computed once, and every student's layers beside them.

    images: optical images (image, 3, y, x) in 0 to 255 that the linear map is fitted on, and those that are compared.
    """

    def __init__(self, teacher: OpticalTeacher, images: tuple[Tensor, Tensor], numbers: SimilaritySettings) -> None:
        self._name, self._images, self._numbers = teacher.name, images, numbers
        self._tokens = [_tokens(teacher, part, numbers.grid) for part in images]
        self._chosen = half_samples(len(images[1]), numbers.halves, numbers.seed)

    def beside(self, student: ComparedStudent) -> Iterator[LayerSimilarity]:
        """Every token, and every stride of the settings, in this order."""
        layers = [_layers(student, part, self._numbers.grid) for part in self._images]
        count = len(self._images[1])
        for token, stride in product(TOKENS, self._numbers.strides):
            level = STRIDES.index(stride)
            fitted, tested = ((_at(layers[part][level], token), self._tokens[part][token]) for part in (0, 1))
            replicates = self._measured(fitted, tested)
            yield LayerSimilarity(self._name, student.arm, student.seed, token, stride, count, replicates)

    def _measured(self, fitted: tuple[Places, Places], tested: tuple[Places, Places]) -> dict[str, np.ndarray]:
        chosen = self._chosen
        ours, theirs = (features.reshape(len(features), -1) for features in tested)
        return {
            "cka": debiased_cka(ours, theirs, chosen),
            "cosine": (chosen / chosen.sum(1, keepdims=True)) @ mapped_cosine(fitted, tested),
        }


def _layers(student: ComparedStudent, images: Tensor, grid: int) -> list[Places]:
    """The student's layers at the places of the grid, one for each of `STRIDES`."""
    parts = [[places(each, grid) for each in student.read(batch)] for batch in images.split(_BATCH)]
    return [np.concatenate(level) for level in zip(*parts, strict=True)]


def _tokens(teacher: OpticalTeacher, images: Tensor, grid: int) -> dict[str, Places]:
    """The teacher's tokens: the class token as one place, its maps at the places of the grid."""
    read = [teacher(batch.float() / SENSORS["rgb"].white) for batch in images.split(_BATCH)]
    return {
        "class": torch.cat([each.class_token for each in read])[:, None].numpy(),
        "late": np.concatenate([places(each.late, grid) for each in read]),
        "middle": np.concatenate([places(each.middle, grid) for each in read]),
    }


def _at(layer: Places, token: str) -> Places:
    """A layer at the places of a token: its mean over the image for the class token."""
    return layer.mean(axis=1, keepdims=True) if token == "class" else layer
