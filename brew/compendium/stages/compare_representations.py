"""Stage `similarity`: how close each student's layers come to each optical teacher, and how large every backbone is.

Optical test images of the scale show it, with the random trunk as floor; a scale may show it for several kinds of
teacher (`other_teachers`).
"""

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from brew.compendium.compared_models import ComparedModel, compared_models, distinct
from brew.compendium.report.crowding import left_to_tables
from brew.compendium.report.figures.panels import message
from brew.compendium.report.figures.similarity_panels import similarity_panels
from brew.compendium.report.similarity import similarities, similarity_differences
from brew.compendium.scale_teachers import ready_teacher, teachers_of
from brew.compendium.scales import arm_and_seed
from brew.compendium.stages import Stage
from brew.compendium.stages.optical_images import spread
from brew.data.store import ArrayReader, open_store
from brew.errors import BrewError
from brew.evaluation.backbones import StudentBackbone
from brew.evaluation.layer_similarity import ComparedStudent, LayerSimilarity, TeacherSide
from brew.models.teachers import TeacherUnavailable

#: Splits of which the linear map is fitted.
_TRAINING = ("pretrain", "train")


def compute(stage: Stage) -> pd.DataFrame:
    """CKA and mapped cosine of every student's layers with every teacher's tokens; leaves them and all sizes.

    Also leaves how much closer the contrastive one of each pair of arms comes, and which teachers were absent.
    """
    folder = stage.layout.write("similarity")
    models = compared_models(stage)
    sizes(models).to_csv(folder / "parameters.csv", index=False)
    found: list[LayerSimilarity] = []
    absent: list[str] = []
    for entry in teachers_of(stage):
        try:
            teacher = TeacherSide(ready_teacher(stage, entry.name), images(stage), stage.settings.similarity)
            found += [layer for student in _students(stage, models) for layer in teacher.beside(student)]
        except TeacherUnavailable as reason:
            absent.append(str(reason))
    (folder / "absent.txt").write_text("\n".join(absent))
    table = similarities(found)
    table.to_csv(folder / "similarity.csv", index=False)
    similarity_differences(found).to_csv(folder / "differences.csv", index=False)
    return table


def show(stage: Stage) -> Figure:
    """The figure of what `compute` left, or why there is none."""
    folder = stage.layout.write("similarity")
    absent = (folder / "absent.txt").read_text().splitlines()
    found = similarity_panels(pd.read_csv(folder / "similarity.csv"), absent, left_to_tables(stage.settings))
    return found.write(folder) if found else message("\n".join(absent))


def sizes(models: Iterable[ComparedModel]) -> pd.DataFrame:
    """How many parameters the network of every backbone has: of a student its trunk, whatever stems it has."""
    rows = [(compared.name, parameters(compared.load())) for compared in distinct(models)]
    return pd.DataFrame(rows, columns=["backbone", "parameters"])


def parameters(backbone: object) -> int:
    """Of the network behind a backbone; 0 if there is none."""
    if isinstance(backbone, StudentBackbone):
        networks = [backbone.student.get_submodule("trunk")]
    else:
        networks = [value for value in vars(backbone).values() if isinstance(value, nn.Module)]
    return sum(parameter.numel() for network in networks for parameter in network.parameters())


def images(stage: Stage) -> tuple[Tensor, Tensor]:
    """The middles of optical training and test images of the scale's first source that has both, 0 to 255.

    Raises BrewError if no source of the scale has both.
    """
    path = next((found for found in map(stage.layout.store, stage.settings.data.present()) if _is_optical(found)), None)
    if path is None:
        raise BrewError(
            f"no source of scale {stage.settings.scale.name!r} has optical images for training and test; expected one "
            "to compare students with their optical teacher on: name one under `data`"
        )
    numbers = stage.settings.similarity
    reader, splits = ArrayReader(path, "optical"), open_store(path)["split"].values
    members = [np.flatnonzero(np.isin(splits, names)) for names in (_TRAINING, ("test",))]
    chosen = [spread(each, limit) for each, limit in zip(members, (numbers.train, numbers.test), strict=True)]
    train, test = (_middle(torch.from_numpy(reader.read(each)[:, 0]), numbers.side) for each in chosen)
    return train, test


def _is_optical(path: Path) -> bool:
    dataset = open_store(path)
    return "optical" in dataset and {"train", "test"} <= set(dataset["split"].values)


def _middle(found: Tensor, size: int) -> Tensor:
    top, left = (max(0, side - size) // 2 for side in found.shape[-2:])
    return found[..., top : top + size, left : left + size]


def _students(stage: Stage, models: Iterable[ComparedModel]) -> Iterator[ComparedStudent]:
    """The random trunk and every arm's students."""
    names = {"random", *(arm_and_seed(run)[0] for run in stage.settings.arms)}
    for compared in models:
        if compared.name in names:
            read = partial(compared.load().pyramid, sensor="rgb")
            yield ComparedStudent(compared.name, compared.seed, read)
