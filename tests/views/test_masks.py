"""Masks: how much is hidden, in which squares, and that nothing but the sample decides."""

import math

import torch
from hypothesis import given
from hypothesis import strategies as st

from brew.views import draw_mask

IDS = torch.arange(6)


@given(st.integers(8, 40), st.sampled_from([4, 8, 16]), st.floats(0.1, 0.9))
def test_the_same_share_of_squares_is_hidden_in_every_sample(size, square, ratio):
    mask = draw_mask(0, 0, IDS, "global0", size, square, ratio)
    assert mask.shape == (6, size, size)
    corners = mask[:, ::square, ::square]
    cells = math.ceil(size / square) ** 2
    assert (corners.flatten(1).sum(1) == round(ratio * cells)).all()
    whole = corners.repeat_interleave(square, 1).repeat_interleave(square, 2)[:, :size, :size]
    assert torch.equal(mask, whole)


def test_a_mask_depends_on_seed_epoch_sample_and_view_alone():
    def mask(seed=0, epoch=0, ids=IDS, view="global0"):
        return draw_mask(seed, epoch, ids, view, 48, 8, 0.6)

    assert torch.equal(mask(ids=IDS[[4, 1]]), mask()[[4, 1]])
    for other in (mask(seed=1), mask(epoch=1), mask(view="global1"), mask(ids=IDS + 10)):
        assert not torch.equal(other, mask())
