"""Windows, dates, labels and spread, each against a value that one can compute by hand."""

import math

import pytest
import torch
import torch.nn.functional as F

from brew import losses


def unit(*shape: int, seed: int = 0) -> torch.Tensor:
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=1)


def test_a_window_finds_the_patch_that_lies_beside_its_place():
    teacher = unit(2, 8, 5, 6)
    moved = torch.roll(teacher, (1, -1), (2, 3))
    assert losses.patch_alignment(teacher, moved) < 0.5
    found = losses.patch_alignment(teacher, moved, window=1)
    assert 20 / 30 < found <= 1 and losses.patch_alignment(teacher, teacher, window=1) == pytest.approx(1)
    whole = torch.einsum("bcyx,bcvu->byxvu", moved, teacher).flatten(3).amax(3).mean()
    assert losses.patch_alignment(teacher, moved, window=9) == pytest.approx(whole.item(), abs=1e-6)


@pytest.mark.parametrize("window", [1, 2, 4])
def test_a_patch_meets_the_most_similar_one_of_its_window_and_none_beyond_the_map(window):
    noise = torch.Generator().manual_seed(2)
    base = torch.tensor([3.0, 0, 0, 0])[None, :, None, None]
    teacher = base + torch.randn(2, 4, 3, 5, generator=noise)
    student = torch.randn(2, 4, 3, 5, generator=noise) - base  # nearly all cosines are negative
    cosines = torch.einsum("bcyx,bcvu->byxvu", F.normalize(student, dim=1), F.normalize(teacher, dim=1))
    y, x = torch.arange(3), torch.arange(5)
    near = ((y[:, None] - y).abs() <= window)[:, None, :, None] & ((x[:, None] - x).abs() <= window)[:, None]
    expected = cosines.masked_fill(~near, -math.inf).flatten(3).amax(3)
    assert (expected < 0).any()
    found = losses.patch_alignment(teacher, student, window=window)
    assert found.item() == pytest.approx(expected.mean().item(), abs=1e-6)


def test_patches_that_the_teacher_finds_unlike_may_differ():
    now, later = unit(1, 4, 2, 2)[None], unit(1, 4, 2, 2)[None].clone()
    later[..., 0, 0] = -now[..., 0, 0]
    student = now.clone().requires_grad_(True)
    met = losses.likeness(now, later, 0.5)
    assert met.tolist() == [[[[0.0, 1.0], [1.0, 1.0]]]]
    value = losses.patches_over_time(later, student, met)
    assert value.item() == pytest.approx(0.75)
    value.backward()
    assert student.grad[..., 0, 0].abs().sum() == 0 < student.grad[..., 1, 1].abs().sum()
    assert losses.patches_over_time(later, now, None).item() == pytest.approx(0.5)


def test_the_likelihood_of_labels_counts_labelled_samples_and_places_alone():
    even = torch.zeros(3, 4, 2, 2)
    labels = torch.tensor([[[0, 1], [255, 255]]])
    value = losses.label_likelihood(even, labels, torch.tensor([2]), 1.5, 255)
    assert value.item() == pytest.approx(-math.log(4) / 1.5)
    logits = torch.randn(3, 4, requires_grad=True)
    none = losses.label_likelihood(logits, torch.zeros(0, dtype=torch.int64), torch.zeros(0, dtype=torch.int64), 1.0, 9)
    none.backward()
    assert none == 0 and torch.equal(logits.grad, torch.zeros(3, 4))


@pytest.mark.parametrize("grid", [(2, 3), (4, 6)])
def test_dense_labels_are_met_on_their_own_grid(grid):
    logits = torch.randn(3, 4, *grid, generator=torch.Generator().manual_seed(3))
    labels = torch.randint(0, 4, (2, 4, 6), generator=torch.Generator().manual_seed(4))
    labels[0, :2], labels[1, 0, 0] = 9, 9
    fine = F.interpolate(logits, size=(4, 6), mode="bilinear", align_corners=False)[[2, 0]].log_softmax(1)
    expected = 0.0
    for sample, own in zip(fine, labels, strict=True):
        at = [sample[own[y, x], y, x].item() for y in range(4) for x in range(6) if own[y, x] != 9]
        expected += sum(at) / len(at)
    value = losses.label_likelihood(logits, labels, torch.tensor([2, 0]), 2.0, 9)
    assert value.item() == pytest.approx(expected / 2, abs=1e-6)


def test_the_spread_of_a_teacher_that_says_one_thing_is_nothing():
    assert losses.spread(torch.ones(5, 3)).item() == pytest.approx(0, abs=1e-6)
    assert losses.spread(torch.tensor([[1.0, 0.0], [-2.0, 0.0]])).item() == pytest.approx(1)
    parts = unit(6, 3, seed=1)
    whole = losses.spread(parts)
    sums = [torch.cat([half.sum(0), torch.tensor([float(len(half))])]) for half in parts.split(2)]
    assert losses.spread(parts[:2], lambda own: sum(sums)).item() == pytest.approx(whole.item(), abs=1e-6)
