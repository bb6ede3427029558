"""Scenes rendered as training goes: new ones every epoch, none of the store's, each process its share."""

import pytest
import torch

from brew.data.miniature.feed import RenderedFeed
from brew.data.miniature.rendering import render
from brew.errors import BrewError


def seen(feed: RenderedFeed, epochs: int = 1) -> list[int]:
    return [int(sample) for epoch in range(epochs) for batch in feed.epoch(epoch) for sample in batch.samples]


def feed(**changes) -> RenderedFeed:
    numbers = {"name": "a", "seed": 5, "scenes": 8, "batch_size": 4, "size": 16, "products": ("optical",)}
    return RenderedFeed(**(numbers | changes))


def test_every_epoch_shows_new_scenes_behind_the_first():
    assert seen(feed(first=100), epochs=3) == list(range(100, 124))


def test_processes_share_every_batch():
    parts = [feed(rank=rank, world=2) for rank in (0, 1)]
    for one, other, whole in zip(*(each.epoch(1) for each in parts), feed().epoch(1), strict=True):
        assert torch.equal(torch.cat([one.samples, other.samples]), whole.samples)
        assert torch.equal(torch.cat([one.arrays["optical"], other.arrays["optical"]]), whole.arrays["optical"])


def test_an_epoch_goes_on_at_any_step_with_the_scenes_of_the_world():
    (batch,) = feed(first=3).epoch(2, start_step=1)
    assert torch.equal(batch.samples, torch.arange(23, 27))
    scenes = render(torch.arange(23, 27), 5, products=("optical",), size=16, dates=1)["optical"][:, 0]
    assert torch.equal(batch.arrays["optical"], scenes)


def test_what_cannot_be_fed_is_refused():
    with pytest.raises(BrewError, match="expected a positive multiple of 3"):
        feed(world=3)
    with pytest.raises(BrewError, match="hold 3 samples; expected at least one batch of 4"):
        feed(scenes=3)
    with pytest.raises(BrewError, match=r"image 'scene' is unknown; .*known: multispectral, optical, sar"):
        feed(products=("scene",))
