"""The losses equal the released code's values, in float32 and under bfloat16 autocast alike."""

import contextlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from brew.losses import class_alignment, compression, expansion, patch_alignment

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "losses.json").read_text())["losses"]
EXPANSION_ON = {"mean of student and teacher": "mean", "student": "student"}


def entries(kind: str) -> pytest.MarkDecorator:
    rows = [row for row in GOLDEN if row["kind"] == kind]
    return pytest.mark.parametrize("row", rows, ids=[f"seed{row['seed']}" for row in rows])


def inputs(seed: int, shape: tuple[int, ...]) -> Tensor:
    return torch.from_numpy(np.random.RandomState(seed).standard_normal(shape).astype("float32"))


def view_outputs(views: int, batch: int, width: int, seed: int) -> tuple[Tensor, Tensor]:
    """Teacher (2, batch, width) and student (views, batch, width) outputs of unit length."""
    teacher = F.normalize(inputs(1000 + seed, (2 * batch, width)), dim=-1).view(2, batch, width)
    base = teacher.mean(0).repeat(views, 1)
    student = F.normalize(base + 0.05 * inputs(2000 + seed, (views * batch, width)), dim=-1)
    return teacher, student.view(views, batch, width)


def patch_outputs(batch: int, grid: int, teacher_grid: int, width: int, seed: int) -> tuple[Tensor, Tensor]:
    """Teacher and student maps, channel first."""
    teacher = inputs(1000 + seed, (batch, teacher_grid, teacher_grid, width)).permute(0, 3, 1, 2)
    noise = inputs(2000 + seed, (batch, grid, grid, width)).permute(0, 3, 1, 2)
    return teacher, F.normalize(F.adaptive_avg_pool2d(teacher, grid) + 0.3 * noise, dim=1)


@pytest.fixture(params=["float32", "bfloat16 autocast"])
def precision(request: pytest.FixtureRequest) -> contextlib.AbstractContextManager:
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=request.param != "float32")


@entries("multispectral")
def test_multispectral(row: dict, precision: contextlib.AbstractContextManager) -> None:
    teacher, student = view_outputs(row["views"], row["batch"], row["width"], row["seed"])
    with precision:
        together = compression(teacher, student)
        spread = expansion(student[:2], teacher, row["eps"], on=EXPANSION_ON[row["expansion_on"]])
    assert together.dtype == spread.dtype == torch.float32
    assert together.item() == pytest.approx(row["compression"], rel=1e-5)
    assert spread.item() == pytest.approx(row["expansion"], rel=1e-5)
    assert (-together - spread).item() == pytest.approx(row["loss"], rel=1e-5)


@entries("class token")
def test_class_token(row: dict, precision: contextlib.AbstractContextManager) -> None:
    teacher, student = view_outputs(row["views"], row["batch"], row["width"], row["seed"])
    with precision:
        assert class_alignment(teacher, student).item() == pytest.approx(row["cosine"], rel=1e-5)


@entries("patch tokens")
def test_patch_tokens(row: dict, precision: contextlib.AbstractContextManager) -> None:
    sizes = {name: row[name] for name in ("batch", "grid", "teacher_grid", "width", "seed")}
    with precision:
        assert patch_alignment(*patch_outputs(**sizes)).item() == pytest.approx(row["cosine"], rel=1e-5)
