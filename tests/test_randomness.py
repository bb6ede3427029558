"""Keyed draws: same bits everywhere, independent of the batch, evenly spread."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from brew import randomness

INTEGERS = st.integers(min_value=-(2**62), max_value=2**62)


def test_splitmix64_reference_sequence() -> None:
    # First outputs of Vigna's splitmix64.c for the state 1234567.
    state, outputs = 1234567, []
    for _ in range(3):
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        outputs.append(randomness.mixed_integer(state))
    assert outputs == [6457827717110365317, 3203168211198807973, 9817491932198370423]


def test_python_and_tensor_finalisers_agree() -> None:
    numbers = [0, 1, 2**62, 2**63 - 1, 0xDEADBEEFCAFEBABE & (2**63 - 1)]
    mixed = randomness.mixed(torch.tensor([*numbers, -1]))
    assert [each % 2**64 for each in mixed.tolist()] == [randomness.mixed_integer(n % 2**64) for n in [*numbers, -1]]


def test_pinned_bits() -> None:
    # Changing these changes every pretraining run: it needs a note in the changelog.
    found = randomness.uniform(1, 2, torch.tensor([0, 7]), "view/global0/geometry", 2) * 2**24
    assert found.tolist() == [[12416727, 11579306], [2249293, 9923720]]


@given(seed=INTEGERS, epoch=st.integers(0, 1000), sample=INTEGERS, stream=st.text(max_size=20) | st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_a_sample_draws_the_same_in_any_batch(seed: int, epoch: int, sample: int, stream: str | int) -> None:
    alone = randomness.uniform(seed, epoch, torch.tensor([sample]), stream, 5)
    company = randomness.uniform(seed, epoch, torch.tensor([3, sample, 4]), stream, 9)
    assert torch.equal(alone[0], company[1, :5])
    assert (alone >= 0).all() and (alone < 1).all()


@pytest.mark.parametrize(
    "other", [dict(seed=1), dict(epoch=1), dict(stream="b"), dict(stream=0), dict(samples=torch.arange(1, 65))]
)
def test_every_part_of_the_key_matters(other: dict) -> None:
    base = dict(seed=0, epoch=0, samples=torch.arange(64), stream="a", draws=4)
    first, second = randomness.uniform(**base), randomness.uniform(**{**base, **other})
    assert (first == second).float().mean() < 0.01


def test_uniform_is_even_and_uncorrelated() -> None:
    found = randomness.uniform(0, 0, torch.arange(20_000), "spread", 4).double()
    # Five standard errors of a mean, of a bin count and of a correlation.
    assert (found.mean(0) - 0.5).abs().max() < 5 * (1 / 12 / 20_000) ** 0.5
    counts = torch.histc(found, 16, 0, 1) / found.numel()
    assert (counts - 1 / 16).abs().max() < 5 * (1 / 16 / found.numel()) ** 0.5
    between_draws = torch.corrcoef(found.T) - torch.eye(4)
    between_neighbours = torch.corrcoef(torch.stack([found[:-1, 0], found[1:, 0]]))[0, 1]
    assert max(between_draws.abs().max(), between_neighbours.abs()) < 5 / 20_000**0.5


def test_normal_moments() -> None:
    found = randomness.normal(0, 0, torch.arange(20_000), "spread", 2).double()
    assert found.isfinite().all()
    assert (found.mean(0)).abs().max() < 5 / 20_000**0.5
    assert (found.std(0) - 1).abs().max() < 5 / 40_000**0.5
    assert abs((found**4).mean() - 3) < 5 * (96 / 40_000) ** 0.5


def test_permutation() -> None:
    first = randomness.permutation(0, 0, 1000)
    assert first.dtype == np.int64 and (np.sort(first) == np.arange(1000)).all()
    assert (first == randomness.permutation(0, 0, 1000)).all()
    assert (first != randomness.permutation(0, 1, 1000)).any()
    assert (first != randomness.permutation(0, 0, 1000, stream="other")).any()


def test_key_depends_on_order_and_type() -> None:
    keys = {randomness.key(*parts) for parts in [(), (0,), (0, 0), (1, 2), (2, 1), ("a", 1), (1, "a"), ("1", 2), (-1,)]}
    assert len(keys) == 9
    assert all(0 <= number < 2**63 for number in keys)
    # Seeds both generators without truncation.
    torch.Generator().manual_seed(max(keys))
    np.random.default_rng(max(keys))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an accelerator")
def test_same_bits_on_the_accelerator() -> None:
    here = randomness.uniform(3, 4, torch.arange(1000), "device", 8)
    there = randomness.uniform(3, 4, torch.arange(1000, device="cuda"), "device", 8)
    assert torch.equal(here, there.cpu())
