"""Rounding noise: weights move by about one part in ten million, once, and alike in every process."""

import torch
from torch import nn

from brew.compendium import nudging


def _trained(number: int, steps: int = 1) -> torch.Tensor:
    """Weights of a layer that stands still but for the noise. number: 0 for none."""
    layer = nn.Linear(30, 20)
    with torch.no_grad():
        for each in layer.parameters():
            each.fill_(0.5)
    optimiser = torch.optim.AdamW(layer.parameters(), lr=0.0, weight_decay=0.0)
    handle = nudging.use.__wrapped__(number) if number else None
    for _ in range(steps):
        layer(torch.ones(1, 30)).sum().backward()
        optimiser.step()
    if handle:
        handle.remove()
    return layer.weight.detach()


def test_weights_move_by_their_own_rounding_and_stay_within_it() -> None:
    moved = (_trained(1) / 0.5 - 1).double()
    assert 5e-8 < moved.std().item() < 2e-7 and moved.abs().max() < 1e-6


def test_the_same_number_moves_them_alike_and_another_one_otherwise() -> None:
    assert torch.equal(_trained(1), _trained(1)) and not torch.equal(_trained(1), _trained(2))


def test_only_the_first_step_is_nudged() -> None:
    assert torch.equal(_trained(1), _trained(1, steps=3)) and torch.equal(_trained(0), torch.full((20, 30), 0.5))
