"""Stage `alignment`: how close each student's layers come to each optical teacher, and how large every backbone is.

The claim behind distillation is that a student trained by contrast aligns with a teacher trained by contrast, and one
trained by masked image modelling less. Optical test images of the scale show it, with the random trunk as floor; a
scale may show it for several kinds of teacher (`other_teachers`).
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from brew.data.store import ArrayReader, open_store
from brew.downstream.alignment import debiased_cka, half_samples, mapped_cosine, places
from brew.downstream.backbones import STRIDES, StudentBackbone
from brew.errors import BrewError
from brew.models.teachers import OpticalTeacher, TeacherUnavailable
from brew.reporting.style import colour, label, save
from brew.scales import arm_and_seed
from brew.sensors import SENSORS
from brew.stages import Stage
from brew.stages.evaluation import Entrant, distinct, entrants
from brew.stages.optical_teacher import ready_teacher, spread, teachers_of
from brew.stages.pictured import aside, left_to_tables

#: Images of the test, and of training for the linear map; pixels of the square cut from the middle of each; places
#: along a side at which maps are compared, one for each step of the coarsest layer.
_TEST, _TRAIN, _SIDE, _GRID = 128, 96, 128, 4
_TRAINING = ("pretrain", "train")
_DRAWS = 200
_BATCH = 32
#: The teacher's tokens as figures name them.
TOKENS = {"class": "class token", "late": "late patches", "middle": "middle patches"}

#: Features at places of images: (image, place, width).
Places = np.ndarray


@dataclass(frozen=True)
class Compared:
    """A student. seed: of its arm's repetition. read: images (batch, 3, y, x) in 0 to 255 -> four maps at `STRIDES`."""

    arm: str
    seed: int
    read: Callable[[Tensor], list[Tensor]]


def compute(stage: Stage) -> pd.DataFrame:
    """CKA and mapped cosine of every student's layers with every teacher's tokens; leaves them and all sizes."""
    folder = stage.layout.write("alignment")
    found = entrants(stage)
    sizes(found).to_csv(folder / "parameters.csv", index=False)
    rows: list[dict[str, object]] = []
    absent: list[str] = []
    for entry in teachers_of(stage):
        try:
            rows += _aligned(stage, ready_teacher(stage, entry.name), found)
        except TeacherUnavailable as reason:
            absent.append(f"{entry.name}: {reason}")
    (folder / "absent.txt").write_text("\n".join(absent))
    columns = ["teacher", "backbone", "seed", "token", "stride", "cka", "cka low", "cka high", "cosine", "cosine low",
               "cosine high", "images"]  # fmt: skip
    table = pd.DataFrame(rows, columns=columns).round(6)
    table.to_csv(folder / "alignment.csv", index=False)
    return table


def sizes(found: Iterable[Entrant]) -> pd.DataFrame:
    """How many parameters the network of every backbone has: of a student its trunk, whatever stems it has."""
    rows = [(entrant.name, parameters(entrant.load())) for entrant in distinct(found)]
    return pd.DataFrame(rows, columns=["backbone", "parameters"])


def parameters(backbone: object) -> int:
    """Of the network behind a backbone; 0 where there is none."""
    if isinstance(backbone, StudentBackbone):
        networks = [backbone.student.get_submodule("trunk")]
    else:
        networks = [value for value in vars(backbone).values() if isinstance(value, nn.Module)]
    return sum(parameter.numel() for network in networks for parameter in network.parameters())


def _aligned(stage: Stage, teacher: OpticalTeacher, found: Iterable[Entrant]) -> Iterator[dict[str, object]]:
    images = _images(stage)
    told = [_tokens(teacher, part) for part in images]
    chosen = half_samples(len(images[1]), _DRAWS)
    for student in _students(stage, found):
        layers = [_layers(student, part) for part in images]
        for token, level in product(TOKENS, range(len(STRIDES))):
            fitted, tested = ((_at(layers[part][level], token), told[part][token]) for part in (0, 1))
            ours, theirs = (features.reshape(len(features), -1) for features in tested)
            cka = debiased_cka(ours, theirs, chosen)
            cosine = (chosen / chosen.sum(1, keepdims=True)) @ mapped_cosine(fitted, tested)
            yield {
                "teacher": teacher.name, "backbone": student.arm, "seed": student.seed, "token": token,
                "stride": STRIDES[level], **_summary("cka", cka), **_summary("cosine", cosine),
                "images": len(images[1]),
            }  # fmt: skip


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


def _students(stage: Stage, found: Iterable[Entrant]) -> Iterator[Compared]:
    """The random trunk and every arm's students."""
    names = {"random", *(arm_and_seed(run)[0] for run in stage.settings.arms)}
    for entrant in found:
        if entrant.name in names:
            yield Compared(entrant.name, entrant.repetition or 0, partial(entrant.load().pyramid, sensor="rgb"))


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


def _summary(name: str, draws: np.ndarray) -> dict[str, float]:
    low, high = np.quantile(draws[1:], [0.025, 0.975])
    return {name: float(draws[0]), f"{name} low": float(low), f"{name} high": float(high)}


def show(stage: Stage) -> Figure:
    """CKA of each layer with each teacher's tokens, a line per arm; the random trunk is the floor."""
    folder = stage.layout.write("alignment")
    table = pd.read_csv(folder / "alignment.csv")
    table = table[~table["backbone"].isin(left_to_tables(stage.settings))]
    absent = (folder / "absent.txt").read_text()
    if table.empty:
        figure, axis = plt.subplots(figsize=(6, 1))
        axis.text(0, 0.5, absent, wrap=True)
        axis.axis("off")
        return figure
    teachers = list(table["teacher"].unique())
    figure, axes = plt.subplots(
        len(teachers), len(TOKENS), figsize=(9.6, 0.7 + 2.9 * len(teachers)), sharex=True, sharey=True,
        layout="constrained", squeeze=False,
    )  # fmt: skip
    for (row, teacher), (column, (token, title)) in product(enumerate(teachers), enumerate(TOKENS.items())):
        axis, shown = axes[row, column], table[(table["teacher"] == teacher) & (table["token"] == token)]
        for (arm, _), line in shown.groupby(["backbone", "seed"], sort=False):
            steps, style = range(len(line)), {"color": colour(arm), "ls": "--" if arm == "random" else "-"}
            axis.fill_between(steps, line["cka low"], line["cka high"], color=colour(arm), alpha=0.15, lw=0)
            axis.plot(steps, line["cka"], "o", ms=4, lw=1.6, label=label(arm), **style)
        axis.set(title=f"{teacher}: {title}")
        axis.set_xticks(range(len(STRIDES)), [str(stride) for stride in STRIDES])
        axis.grid(axis="y", color="0.92")
    for axis in axes[-1]:
        axis.set_xlabel("student's layer, by stride (pixels)")
    for axis in axes[:, 0]:
        axis.set_ylabel("linear CKA, debiased")
    handles = dict(zip(*axes[0, 0].get_legend_handles_labels()[::-1], strict=True))
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=3)
    caption = (
        f"Alignment with the optical teacher ({', '.join(teachers)}): debiased linear CKA of each layer of the "
        f"student on {int(table['images'].iloc[0])} optical test images. Bands are 95 % intervals over images "
        "(delete-half jackknife), lines of one colour the seeds of an arm. The random trunk is the floor. Students "
        f"without an optical stem read the images through their multispectral one.{aside(stage.settings)}"
    )
    caption += f" Not compared: {'; '.join(absent.splitlines())}." if absent else ""
    save(figure, folder / "alignment.png", caption)
    return figure
