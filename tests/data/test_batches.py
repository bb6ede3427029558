"""Batches: every sample once, the same whatever the processes, exact where a run resumes."""

from pathlib import Path

import numpy as np
import pytest
import torch

from brew.data.batches import Batches
from brew.data.store import Variable, write_store
from brew.errors import BrewError

SAMPLES = 40


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    """Values say which sample, date and kind of image they are: sample * 4 + date * 2 + optical."""
    path = tmp_path_factory.mktemp("batches") / "a.zarr"
    dims = ("sample", "time", "band", "y", "x"), ("sample", "time", "optical_band", "optical_y", "optical_x")
    variables = {
        "multispectral": Variable(dims[0], (2, 10, 4, 4), "uint16"),
        "optical": Variable(dims[1], (2, 3, 8, 8), "uint8"),
        "scene": Variable(("sample",), (), "int64"),
        "split": Variable(("sample",), (), "text"),
    }
    code = np.arange(SAMPLES)[:, None] * 4 + np.array([0, 2])
    block = {
        "multispectral": np.broadcast_to(code[..., None, None, None], (SAMPLES, 2, 10, 4, 4)).astype(np.uint16),
        "optical": np.broadcast_to((code + 1)[..., None, None, None], (SAMPLES, 2, 3, 8, 8)).astype(np.uint8),
        "scene": np.arange(SAMPLES) + 100,
        "split": np.array(["test" if sample % 5 == 0 else "train" for sample in range(SAMPLES)], dtype=object),
    }
    write_store(path, SAMPLES, variables, [block], {})
    return path


def feed(path: Path, **changes) -> Batches:
    settings = {
        "name": "feed", "path": path, "variables": ("multispectral", "optical", "scene"), "splits": ("train",),
        "batch_size": 6, "seed": 1,
    }  # fmt: skip
    return Batches(**{**settings, **changes})


def samples(batches) -> list[int]:
    return torch.cat([batch.samples for batch in batches]).tolist()


def test_every_sample_once_and_the_rest_left_out(path):
    seen = samples(feed(path).epoch(0))
    assert len(feed(path)) == 5 and len(seen) == 30  # of 32
    assert len(set(seen)) == 30 and all(sample % 5 for sample in seen)
    assert set(samples(feed(path, batch_size=8).epoch(0))) == {sample for sample in range(SAMPLES) if sample % 5}


def test_epochs_and_seeds_differ_and_repeat(path):
    assert samples(feed(path).epoch(0)) == samples(feed(path).epoch(0))
    assert samples(feed(path).epoch(0)) != samples(feed(path).epoch(1))
    assert samples(feed(path).epoch(0)) != samples(feed(path, seed=2).epoch(0))
    assert samples(feed(path).epoch(0)) != samples(feed(path, name="other").epoch(0))


@pytest.mark.parametrize("start", [0, 1, 4, 5])
def test_resuming_continues_exactly(path, start):
    whole, rest = list(feed(path).epoch(3)), list(feed(path).epoch(3, start))
    assert len(rest) == len(whole) - start
    for first, second in zip(whole[start:], rest, strict=True):
        assert torch.equal(first.samples, second.samples)
        for name in first.arrays:
            assert torch.equal(first.arrays[name], second.arrays[name])


def test_processes_share_a_batch(path):
    alone = list(feed(path).epoch(0))
    parts = [list(feed(path, rank=rank, world=3).epoch(0)) for rank in range(3)]
    for step, batch in enumerate(alone):
        assert torch.equal(batch.samples, torch.cat([part[step].samples for part in parts]))
        shares = torch.cat([part[step].arrays["multispectral"] for part in parts])
        assert torch.equal(batch.arrays["multispectral"], shares)


def test_values_are_raw_and_dates_agree_between_variables(path):
    dates = []
    for epoch in range(4):
        for batch in feed(path).epoch(epoch):
            multispectral, optical = batch.arrays["multispectral"], batch.arrays["optical"]
            assert multispectral.dtype == torch.uint16 and optical.dtype == torch.uint8
            assert multispectral.shape == (6, 10, 4, 4) and optical.shape == (6, 3, 8, 8)
            code = multispectral[:, 0, 0, 0].to(torch.int64)
            assert torch.equal(code // 4, batch.samples) and torch.equal(code + 1, optical[:, 0, 0, 0].to(torch.int64))
            assert torch.equal(batch.arrays["scene"], batch.samples + 100)
            dates += (code % 4 // 2).tolist()
    assert 0.3 < np.mean(dates) < 0.7


def test_a_date_does_not_depend_on_the_batch(path):
    def drawn(batch_size):
        batches = list(feed(path, batch_size=batch_size).epoch(0))
        return dict(zip(samples(batches), torch.cat([b.arrays["optical"][:, 0, 0, 0] for b in batches]), strict=True))

    small, large = drawn(4), drawn(16)
    assert all(small[sample] == large[sample] for sample in small.keys() & large.keys())


def test_a_reader_that_stops_early_leaves_no_thread_behind(path):
    batches = feed(path).epoch(0)
    next(batches)
    batches.close()
    assert samples(feed(path).epoch(0))


def test_impossible_batches_are_errors(path):
    with pytest.raises(BrewError, match="splits train hold 32 samples; expected at least one batch of 64"):
        feed(path, batch_size=64)
    with pytest.raises(BrewError, match="expected a positive multiple of 4"):
        feed(path, world=4)
    with pytest.raises(BrewError, match="expected a positive multiple of 1"):
        feed(path, batch_size=0)
    with pytest.raises(BrewError, match="process 2 of 2; expected a number below that of the processes"):
        feed(path, rank=2, world=2)
    with pytest.raises(BrewError, match="variable 'opticl' is unknown; did you mean 'optical'"):
        feed(path, variables=("opticl",))
