"""Restoring hidden pixels: what counts, and what does not."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from brew.errors import BrewError
from brew.losses import reconstruction


def case(seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    images, restored = torch.randn(2, 2, 3, 4, 4, generator=generator)
    hidden = torch.rand(2, 4, 4, generator=generator) < 0.5
    hidden[0, 0, 0], hidden[0, 0, 1] = True, False
    return images, restored, hidden


@given(st.integers(0, 100))
def test_it_is_the_mean_absolute_error_over_hidden_pixels(seed):
    images, restored, hidden = case(seed)
    by_hand = (images - restored).abs().permute(0, 2, 3, 1)[hidden].mean()
    torch.testing.assert_close(reconstruction(images, restored, hidden), -by_hand)


def test_visible_pixels_do_not_count():
    images, restored, hidden = case(0)
    elsewhere = restored + 100 * ~hidden[:, None]
    torch.testing.assert_close(reconstruction(images, elsewhere, hidden), reconstruction(images, restored, hidden))
    assert reconstruction(images, images, hidden) == 0


def test_half_precision_outputs_are_compared_in_float32():
    images, restored, hidden = case(0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert reconstruction(images, restored.bfloat16(), hidden).dtype == torch.float32


def test_nothing_hidden_is_refused():
    images, restored, hidden = case(0)
    with pytest.raises(BrewError, match="no pixel is hidden"):
        reconstruction(images, restored, hidden & False)
