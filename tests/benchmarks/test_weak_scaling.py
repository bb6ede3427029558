"""How the weak-scaling benchmark times steps; launching processes is left to `tests/pretraining/test_processes.py`."""

import itertools

import torch

from benchmarks import weak_scaling
from brew.data.batches import Batch
from brew.pretraining.feeds import Feed


def test_a_watched_feed_gives_one_batch_for_ever_and_notes_when() -> None:
    batch = Batch(torch.arange(2), {})
    feed = weak_scaling.Watched(batch, 3)
    assert isinstance(feed, Feed)
    assert list(feed.epoch(0, 1)) == [batch, batch]
    assert len(feed.taken) == 2 and all(before <= after for before, after in itertools.pairwise(feed.taken))


def test_the_first_steps_do_not_count() -> None:
    assert weak_scaling.median_gap([0.0, 9.0, 10.0, 12.0, 13.0], warmup=2) == 1.5
