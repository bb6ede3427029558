"""Stage `alignment`: how close each student's layers come to each optical teacher, and how large every backbone is.

The claim behind distillation is that a student trained by contrast aligns with a teacher trained by contrast, and one
trained by masked image modelling less. Optical test images of the scale show it, with the random trunk as floor, and
pairs of arms that differ in just that are taken apart; a scale may show it for several kinds of teacher
(`other_teachers`).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from brew.compendium.compared_models import ComparedModel, compared_models, distinct
from brew.compendium.report.joint import over_seeds
from brew.compendium.scale_teachers import ready_teacher, teachers_of
from brew.compendium.scales import arm_and_seed
from brew.compendium.stages import Stage
from brew.compendium.stages.prepare_teachers import spread
from brew.data.store import ArrayReader, open_store
from brew.errors import BrewError
from brew.evaluation.backbones import STRIDES, StudentBackbone
from brew.evaluation.representation_similarity import debiased_cka, half_samples, mapped_cosine, places
from brew.models.teachers import OpticalTeacher, TeacherUnavailable
from brew.sensors import SENSORS

#: Images of the test, and of training for the linear map; pixels of the square cut from the middle of each; places
#: along a side at which maps are compared, one for each step of the coarsest layer.
_TEST, _TRAIN, _SIDE, _GRID = 128, 96, 128, 4
_TRAINING = ("pretrain", "train")
_DRAWS = 200
_BATCH = 32
#: The teacher's tokens as figures name them.
TOKENS = {"class": "class token", "late": "late patches", "middle": "middle patches"}

#: Arms that learn by contrast, and the same by masked image modelling.
PAIRS = {"ms-only": "masked", "deo": "masked+distillation", "deo-self-distilled": "masked-self-distilled"}
MEASURES = {"cka": "linear CKA, debiased", "cosine": "cosine, linearly mapped"}

#: Features at places of images: (image, place, width).
Places = np.ndarray


@dataclass(frozen=True)
class Compared:
    """A student. seed: of its arm's repetition. read: images (batch, 3, y, x) in 0 to 255 -> four maps at `STRIDES`."""

    arm: str
    seed: int
    read: Callable[[Tensor], list[Tensor]]


@dataclass(frozen=True)
class Aligned:
    """One layer of a student beside one token of a teacher.

    replicates: by name of MEASURES, on all images and then on random halves of them, the same for all students.
    """

    teacher: str
    arm: str
    seed: int
    token: str
    stride: int
    images: int
    replicates: Mapping[str, np.ndarray]

    def row(self) -> dict[str, object]:
        cells = {
            f"{name}{end}": value
            for name, replicates in self.replicates.items()
            for end, value in zip(("", " low", " high"), (float(replicates[0]), *_ends(replicates)), strict=True)
        }
        return {
            "teacher": self.teacher, "backbone": self.arm, "seed": self.seed, "token": self.token,
            "stride": self.stride, **cells, "images": self.images,
        }  # fmt: skip


def compute(stage: Stage) -> pd.DataFrame:
    """CKA and mapped cosine of every student's layers with every teacher's tokens; leaves them and all sizes.

    Also leaves how much closer the contrastive one of each of `PAIRS` comes (`differences`).
    """
    folder = stage.layout.write("alignment")
    found = compared_models(stage)
    sizes(found).to_csv(folder / "parameters.csv", index=False)
    aligned: list[Aligned] = []
    absent: list[str] = []
    for entry in teachers_of(stage):
        try:
            aligned += _aligned(stage, ready_teacher(stage, entry.name), found)
        except TeacherUnavailable as reason:
            absent.append(str(reason))
    (folder / "absent.txt").write_text("\n".join(absent))
    ends = [f"{name}{end}" for name in MEASURES for end in ("", " low", " high")]
    columns = ["teacher", "backbone", "seed", "token", "stride", *ends, "images"]
    table = pd.DataFrame([each.row() for each in aligned], columns=columns).round(6)
    table.to_csv(folder / "alignment.csv", index=False)
    differences(aligned).round(6).to_csv(folder / "differences.csv", index=False)
    return table


def differences(aligned: Sequence[Aligned]) -> pd.DataFrame:
    """Of the pairs of arms that were run: the contrastive one's alignment less the masked one's, layer by layer.

    The mean over the seeds of pretraining that both share, with an interval over images (on the same halves) and, where
    there are several seeds, Student's over these.
    """
    layers: dict[tuple[str, str, int], dict[str, dict[int, Aligned]]] = {}
    for each in aligned:
        arms = layers.setdefault((each.teacher, each.token, each.stride), {})
        arms.setdefault(each.arm, {})[each.seed] = each
    rows: list[dict[str, object]] = []
    for ((teacher, token, stride), arms), (contrastive, masked) in product(layers.items(), PAIRS.items()):
        ours, theirs = arms.get(contrastive, {}), arms.get(masked, {})
        shared = sorted(ours.keys() & theirs.keys())
        for measure in MEASURES if shared else ():
            replicates = np.stack(
                [ours[seed].replicates[measure] - theirs[seed].replicates[measure] for seed in shared]
            )
            low, high = _ends(replicates.mean(axis=0))
            low_of_seeds, high_of_seeds = over_seeds(replicates[:, 0])
            rows.append({
                "teacher": teacher, "token": token, "stride": stride, "arm": contrastive, "less": masked,
                "measure": measure, "difference": replicates[:, 0].mean(), "low": low, "high": high,
                "seeds": len(shared), "low over seeds": low_of_seeds, "high over seeds": high_of_seeds,
            })  # fmt: skip
    columns = ["teacher", "token", "stride", "arm", "less", "measure", "difference", "low", "high", "seeds",
               "low over seeds", "high over seeds"]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def _ends(replicates: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(replicates[1:], [0.025, 0.975])
    return float(low), float(high)


def sizes(found: Iterable[ComparedModel]) -> pd.DataFrame:
    """How many parameters the network of every backbone has: of a student its trunk, whatever stems it has."""
    rows = [(compared.name, parameters(compared.load())) for compared in distinct(found)]
    return pd.DataFrame(rows, columns=["backbone", "parameters"])


def parameters(backbone: object) -> int:
    """Of the network behind a backbone; 0 where there is none."""
    if isinstance(backbone, StudentBackbone):
        networks = [backbone.student.get_submodule("trunk")]
    else:
        networks = [value for value in vars(backbone).values() if isinstance(value, nn.Module)]
    return sum(parameter.numel() for network in networks for parameter in network.parameters())


def _aligned(stage: Stage, teacher: OpticalTeacher, found: Iterable[ComparedModel]) -> Iterator[Aligned]:
    images = _images(stage)
    told = [_tokens(teacher, part) for part in images]
    chosen = half_samples(len(images[1]), _DRAWS)
    for student in _students(stage, found):
        layers = [_layers(student, part) for part in images]
        for token, level in product(TOKENS, range(len(STRIDES))):
            fitted, tested = ((_at(layers[part][level], token), told[part][token]) for part in (0, 1))
            ours, theirs = (features.reshape(len(features), -1) for features in tested)
            replicates = {
                "cka": debiased_cka(ours, theirs, chosen),
                "cosine": (chosen / chosen.sum(1, keepdims=True)) @ mapped_cosine(fitted, tested),
            }
            yield Aligned(teacher.name, student.arm, student.seed, token, STRIDES[level], len(images[1]), replicates)


def _images(stage: Stage) -> tuple[Tensor, Tensor]:
    """The middles of optical training and test images of the scale's first source that has both, 0 to 255."""
    path = next((found for found in map(stage.layout.store, stage.settings.data.present()) if _is_optical(found)), None)
    if path is None:
        raise BrewError(
            f"no source of scale {stage.settings.scale.name!r} has optical images for training and test; expected one "
            "to compare students with their optical teacher on: name one under `data`"
        )
    reader, splits = ArrayReader(path, "optical"), open_store(path)["split"].values
    members = [np.flatnonzero(np.isin(splits, names)) for names in (_TRAINING, ("test",))]
    chosen = [spread(each, limit) for each, limit in zip(members, (_TRAIN, _TEST), strict=True)]
    train, test = (_middle(torch.from_numpy(reader.read(each)[:, 0])) for each in chosen)
    return train, test


def _is_optical(path: Path) -> bool:
    dataset = open_store(path)
    return "optical" in dataset and {"train", "test"} <= set(dataset["split"].values)


def _middle(images: Tensor) -> Tensor:
    top, left = (max(0, side - _SIDE) // 2 for side in images.shape[-2:])
    return images[..., top : top + _SIDE, left : left + _SIDE]


def _students(stage: Stage, found: Iterable[ComparedModel]) -> Iterator[Compared]:
    """The random trunk and every arm's students."""
    names = {"random", *(arm_and_seed(run)[0] for run in stage.settings.arms)}
    for compared in found:
        if compared.name in names:
            yield Compared(compared.name, compared.repetition or 0, partial(compared.load().pyramid, sensor="rgb"))


def _layers(student: Compared, images: Tensor) -> list[Places]:
    """The student's four layers at the places of the grid."""
    parts = [[places(each, _GRID) for each in student.read(batch)] for batch in images.split(_BATCH)]
    return [np.concatenate(level) for level in zip(*parts, strict=True)]


def _tokens(teacher: OpticalTeacher, images: Tensor) -> dict[str, Places]:
    """The teacher's tokens: the class token as one place, its maps at the places of the grid."""
    read = [teacher(batch.float() / SENSORS["rgb"].white) for batch in images.split(_BATCH)]
    return {
        "class": torch.cat([each.class_token for each in read])[:, None].numpy(),
        "late": np.concatenate([places(each.late, _GRID) for each in read]),
        "middle": np.concatenate([places(each.middle, _GRID) for each in read]),
    }


def _at(layer: Places, token: str) -> Places:
    """A layer where a token is: its mean over the image for the class token."""
    return layer.mean(axis=1, keepdims=True) if token == "class" else layer
