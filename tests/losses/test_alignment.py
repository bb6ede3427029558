"""Alignment against torch's cosine pair by pair, its invariances, and its failure cases."""

import itertools

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from brew.errors import BrewError
from brew.losses import alignment, class_alignment, compression, patch_alignment


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@given(targets=st.integers(1, 3), locals_=st.integers(1, 4), batch=st.integers(1, 5), skip=st.booleans())
@settings(max_examples=30, deadline=None)
def test_equals_the_mean_over_pairs(targets: int, locals_: int, batch: int, skip: bool) -> None:
    teacher, student = normal(targets, batch, 6), normal(targets + locals_, batch, 6, seed=1)
    pairs = [
        F.cosine_similarity(teacher[g], student[v], dim=-1).mean()
        for g, v in itertools.product(range(targets), range(targets + locals_))
        if not (skip and g == v)
    ]
    assert alignment(teacher, student, skip).item() == pytest.approx(torch.stack(pairs).mean().item(), abs=1e-6)


def test_ignores_length_and_finds_identity() -> None:
    target = normal(1, 4, 6)
    views = target.expand(3, 4, 6) * torch.tensor([1.0, 0.1, 50.0]).view(3, 1, 1)
    assert alignment(target, views).item() == pytest.approx(1, abs=1e-6)
    assert alignment(target, -views).item() == pytest.approx(-1, abs=1e-6)


def test_skipped_pairs_carry_no_gradient() -> None:
    student = normal(2, 4, 6, seed=1).requires_grad_()
    (gradient,) = torch.autograd.grad(alignment(normal(1, 4, 6), student), student)
    assert gradient[0].abs().max() == 0 < gradient[1].abs().max()


def test_views_that_do_not_pair() -> None:
    with pytest.raises(BrewError, match=r"student view, the same; expected a second view or skip_same_view=False$"):
        alignment(normal(1, 4, 6), normal(1, 4, 6))
    with pytest.raises(BrewError, match="2 teacher views and 1 student view"):
        alignment(normal(2, 4, 6), normal(1, 4, 6))
    assert alignment(normal(1, 4, 6), normal(1, 4, 6), skip_same_view=False).item() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(("grid", "teacher_grid"), [(4, 7), (7, 7), (9, 5)])
def test_a_constant_map_survives_any_grid(grid: int, teacher_grid: int) -> None:
    vector = normal(2, 6, 1, 1)
    teacher = 3 * vector.expand(2, 6, teacher_grid, teacher_grid)
    assert patch_alignment(teacher, vector.expand(2, 6, grid, grid)).item() == pytest.approx(1, abs=1e-6)


def test_patches_are_compared_in_place() -> None:
    teacher = normal(2, 6, 4, 4)
    assert patch_alignment(teacher, teacher).item() == pytest.approx(1, abs=1e-6)
    assert patch_alignment(teacher, teacher.flip(-1)) < 0.5


@pytest.mark.parametrize("skip", [True, False])
def test_both_names_of_the_formula_skip_the_same_pairs(skip: bool) -> None:
    teacher, student = normal(2, 4, 6), normal(3, 4, 6, seed=1)
    expected = alignment(teacher, student, skip)
    assert expected != alignment(teacher, student, not skip)
    assert compression(teacher, student, skip) == expected == class_alignment(teacher, student, skip)


def test_patches_are_compared_in_float32() -> None:
    teacher, student = normal(2, 6, 4, 4), normal(2, 6, 7, 7, seed=1)
    alone = patch_alignment(teacher, student)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert patch_alignment(teacher, student) == alone
