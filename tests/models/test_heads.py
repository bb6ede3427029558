"""Heads give unit vectors in float32, whatever precision surrounds them."""

import pytest
import torch
from torch import nn

from brew.models.heads import Head, PixelHead


def head() -> Head:
    torch.manual_seed(0)
    return Head(12, 7, hidden=16)


@pytest.mark.parametrize("shape", [(5, 12), (3, 5, 12), (2, 3, 4, 12)])
def test_outputs_are_unit_vectors(shape: tuple[int, ...]) -> None:
    output = head()(torch.randn(shape))
    assert output.shape == (*shape[:-1], 7)
    torch.testing.assert_close(output.norm(dim=-1), torch.ones(shape[:-1]))


def test_half_precision_around_it_changes_nothing() -> None:
    """A covariance of bf16 outputs cannot be factorised."""
    x = torch.randn(64, 12)
    with torch.autocast("cpu", torch.bfloat16):
        output = head()(x)
    assert output.dtype == torch.float32
    torch.testing.assert_close(output, head()(x))
    assert head()(x.bfloat16()).dtype == torch.float32


def test_patches_are_projected_one_by_one() -> None:
    projector, maps = head(), torch.randn(2, 12, 3, 4)
    output = projector.patches(maps)
    assert output.shape == (2, 7, 3, 4)
    torch.testing.assert_close(output[1, :, 2, 3], projector(maps[1, :, 2, 3][None])[0])


def test_weights_start_small_and_biases_at_zero() -> None:
    linears = [each for each in Head(256, 256).layers if isinstance(each, nn.Linear)]
    assert [tuple(each.weight.shape) for each in linears] == [(2048, 256), (2048, 2048), (256, 2048)]
    for linear in linears:
        assert linear.weight.std().item() == pytest.approx(0.02, rel=0.02)
        assert not linear.bias.any()


def test_a_zero_vector_gives_no_nan() -> None:
    projector = head()
    x = torch.zeros(1, 12, requires_grad=True)
    projector(x).sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()


def test_a_pixel_head_puts_a_patch_s_pixels_where_it_lies():
    head = PixelHead(8, 2, 4)
    maps = torch.zeros(1, 8, 3, 3)
    maps[0, :, 1, 2] = torch.randn(8)
    with torch.no_grad():
        change = head(maps, 10) - head(torch.zeros_like(maps), 10)
    touched = change.abs().sum((0, 1)) > 0
    assert change.shape == (1, 2, 10, 10)
    assert touched[4:8, 8:10].all()
    assert touched.sum() == touched[4:8, 8:10].sum()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert head(maps.bfloat16(), 10).dtype == torch.float32
