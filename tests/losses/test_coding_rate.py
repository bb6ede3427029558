"""The coding rate against a float64 determinant, its invariances, and its failure cases."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from brew.errors import BrewError
from brew.losses import coding_rate, expansion


def unit(*shape: int, seed: int = 0) -> Tensor:
    return F.normalize(torch.randn(shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


@given(batch=st.integers(1, 20), width=st.integers(1, 20), eps=st.sampled_from([0.05, 0.5]), seed=st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_equals_the_log_determinant(batch: int, width: int, eps: float, seed: int) -> None:
    features = unit(batch, width, seed=seed)
    rows = features.double()
    expected = torch.logdet(torch.eye(width).double() + width / (batch * eps) * rows.T @ rows).item()
    assert coding_rate(features, eps, half_logdet=False).item() == pytest.approx(expected, rel=1e-5)
    assert coding_rate(features, eps).item() == pytest.approx(expected / 2, rel=1e-5)


def test_rotation_changes_nothing_and_collapse_lowers_it() -> None:
    features = unit(32, 16)
    rotation, _ = torch.linalg.qr(torch.randn(16, 16, generator=torch.Generator().manual_seed(1)))
    rate = coding_rate(features)
    assert coding_rate(features @ rotation).item() == pytest.approx(rate.item(), rel=1e-5)
    assert coding_rate(features[:1].expand(32, 16)) < 0.3 * rate


def test_ascent_spreads_collapsed_features() -> None:
    features = (unit(1, 8) + 0.05 * unit(16, 8, seed=1)).requires_grad_()
    first = coding_rate(F.normalize(features, dim=-1))
    (gradient,) = torch.autograd.grad(first, features)
    second = coding_rate(F.normalize(features + 0.1 * gradient, dim=-1))
    assert gradient.isfinite().all() and second > first


def test_summed_covariance_of_two_processes_is_that_of_the_whole_batch() -> None:
    whole = unit(24, 40)
    first, second = whole.split(12)
    reduced = coding_rate(first, processes=2, covariance_reduce=lambda local: local + second.mT @ second)
    assert reduced.item() == pytest.approx(coding_rate(whole).item(), rel=1e-5)


def test_views_are_separate() -> None:
    views = unit(2, 12, 8)
    assert coding_rate(views).tolist() == pytest.approx([coding_rate(view).item() for view in views], rel=1e-5)


def test_expansion_scales_with_the_whole_batch() -> None:
    student, teacher = unit(2, 12, 8), unit(2, 12, 8, seed=1)
    mean = coding_rate((student + teacher) / 2, processes=3).mean().item()
    assert expansion(student, teacher, processes=3).item() == pytest.approx(mean * (8 + 36) / (8 * 36), rel=1e-5)
    with pytest.raises(BrewError, match=r"^expansion on 'means' is unknown; did you mean 'mean'"):
        expansion(student, teacher, on="means")


def test_autocast_does_not_reach_the_factorisation() -> None:
    # At this size W^T W in bfloat16 has no Cholesky factor: the reason for float32.
    features = F.normalize(unit(1, 256) + 0.05 * unit(64, 256, seed=1), dim=-1)
    rounded = features.bfloat16()
    covariance = (256 / (64 * 0.05) * rounded.mT @ rounded).float() + torch.eye(256)
    assert torch.linalg.cholesky_ex(covariance).info.item() > 0
    alone = coding_rate(features)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert coding_rate(features) == alone
        assert coding_rate(rounded).dtype == torch.float32


@pytest.mark.parametrize("odd", [float("nan"), float("inf")])
def test_failed_factorisation_says_where_to_look(odd: float) -> None:
    features = unit(8, 4)
    features[3, 2] = odd
    with pytest.raises(BrewError, match=r"1 of 32 features are NaN or infinite.*Look at the head's outputs"):
        coding_rate(features)
    with pytest.raises(BrewError, match=r"definite: all features are finite, longest row 3; .*if there is one$"):
        coding_rate(3 * unit(8, 4), covariance_reduce=lambda local: -local)


@pytest.mark.parametrize("eps", [0.0, -1.0, float("nan")])
def test_eps_is_positive(eps: float) -> None:
    with pytest.raises(BrewError, match=r"expected a number above 0"):
        coding_rate(unit(8, 4), eps)


def test_expansion_sums_its_covariance_over_processes() -> None:
    first, second = (unit(2, 12, 8, seed=seed) for seed in (0, 1))
    summed = expansion(first, first, processes=2, covariance_reduce=lambda local: local + second.mT @ second)
    rates = [coding_rate(torch.cat([one, other])).item() for one, other in zip(first, second, strict=True)]
    assert summed.item() == pytest.approx(sum(rates) / 2 * (8 + 24) / (8 * 24), rel=1e-5)


@pytest.mark.parametrize(("batch", "width"), [(3, 5), (5, 3)])
def test_who_watches_sees_the_smaller_matrix_of_every_view(batch: int, width: int) -> None:
    student, seen = unit(2, batch, width), []
    expansion(student, student, 0.5, watch=seen.append)
    (found,) = seen
    products = student.mT @ student if width < batch else student @ student.mT
    assert torch.allclose(found, width / (batch * 0.5) * products) and not found.requires_grad


def test_an_empty_batch_is_refused() -> None:
    with pytest.raises(BrewError, match=r"^no feature is given; expected a batch of at least one$"):
        coding_rate(torch.zeros(0, 4))
