"""The health of the heads: what is measured, what alarms, and that no trained bit depends on it."""

import logging
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from brew import losses
from brew.errors import BrewError
from brew.pretraining.health import COLLAPSED_RANK, head_health, worst_weight
from brew.pretraining.history import Gradients, Log

RANK, CONDITION = "effective rank of multispectral", "condition of multispectral"


def watched(features: torch.Tensor, **numbers: Any) -> torch.Tensor:
    """The matrix that the coding rate of the features gives to see."""
    seen: list[torch.Tensor] = []
    losses.coding_rate(features, watch=seen.append, **numbers)
    return seen[0]


def health(features: torch.Tensor) -> tuple[float, float]:
    measured = head_health({"multispectral": watched(features)})
    return measured[RANK].item(), measured[CONDITION].item()


@pytest.mark.parametrize(("batch", "width"), [(6, 16), (16, 6)])
def test_the_effective_rank_counts_the_directions_of_the_outputs(batch: int, width: int) -> None:
    one = F.normalize(torch.ones(1, batch, width), dim=-1)
    assert health(one)[0] == pytest.approx(1.0, rel=1e-5)
    apart = torch.eye(width).repeat(3, 1)[:batch][None]
    assert health(apart)[0] == pytest.approx(1 / sum((row / batch) ** 2 for row in counts(batch, width)), rel=1e-5)


def counts(batch: int, width: int) -> list[int]:
    return [len(range(place, batch, width)) for place in range(min(batch, width))]


def test_both_numbers_are_those_of_either_matrix() -> None:
    features = F.normalize(torch.randn(2, 8, 24, generator=torch.Generator().manual_seed(0)), dim=-1)
    small = head_health({"multispectral": watched(features)})
    large = head_health({"multispectral": watched(features, covariance_reduce=lambda gram: gram)})
    for name in (RANK, CONDITION):
        assert small[name].item() == pytest.approx(large[name].item(), rel=1e-5)


def test_the_condition_bounds_that_of_the_cholesky_factor_and_is_reached_in_a_collapse() -> None:
    features = F.normalize(torch.randn(1, 8, 24, generator=torch.Generator().manual_seed(0)), dim=-1)
    collapsed = features[:, :1].expand(1, 8, 24)
    # |X| is at most sqrt(rank) times X's largest eigenvalue.
    for each, slack in ((features, 8**0.25), (collapsed, 1.0001)):
        matrix = torch.eye(24, dtype=torch.float64) + watched(each, covariance_reduce=lambda gram: gram)[0].double()
        true = torch.linalg.cond(torch.linalg.cholesky(matrix)).item()
        assert true <= health(each)[1] * 1.0001 and health(each)[1] <= slack * true


def test_watching_changes_neither_rate_nor_gradient() -> None:
    def rate(**watch: object) -> tuple[torch.Tensor, torch.Tensor]:
        features = torch.randn(2, 8, 24, generator=torch.Generator().manual_seed(0)).requires_grad_()
        value = losses.expansion(F.normalize(features, dim=-1), F.normalize(features.detach(), dim=-1), **watch)  # type: ignore[arg-type]
        value.backward()
        assert features.grad is not None
        return value.detach(), features.grad

    seen: list[torch.Tensor] = []
    for plain, seeing in zip(rate(), rate(watch=seen.append), strict=True):
        assert torch.equal(plain, seeing)
    assert len(seen) == 1 and not seen[0].requires_grad


def test_every_step_of_a_run_has_the_health_of_its_self_distilled_heads(short_run) -> None:
    history = short_run("ms+optical-path", steps=2).history
    for path in ("multispectral", "optical"):
        assert history[f"effective rank of {path}"].between(1, 8).all()
        assert history[f"condition of {path}"].between(1, 100).all()
    assert set(history["collapsed heads"]) <= {0, 1, 2}
    assert not [name for name in short_run("masked", steps=1).history if "rank" in name or "collapsed" in name]


def test_a_collapse_is_said_once_after_the_warm_up_and_counted_in_every_row(caplog: pytest.LogCaptureFixture) -> None:
    log, below = Log([], alarm_from=2), COLLAPSED_RANK - 0.5
    for step, rank in enumerate((below, below, 5.0, below, below)):
        log.add(step, {RANK: torch.tensor(rank)}, {})
    with caplog.at_level(logging.WARNING):
        log.flush()
        resumed = Log(log.rows, alarm_from=2)
        resumed.add(5, {RANK: torch.tensor(below)}, {})
        resumed.flush()
    assert [row["collapsed heads"] for row in log.rows] == [0, 0, 0, 1, 1, 1]
    (said,) = caplog.messages
    assert said.startswith("collapse at step 3") and f"{RANK} 1.5" in said and "Raise the expansion's weight" in said


def test_one_process_alone_says_it(caplog: pytest.LogCaptureFixture) -> None:
    log = Log([], says=False)
    log.add(0, {RANK: torch.tensor(1.0)}, {})
    log.flush()
    assert log.rows[0]["collapsed heads"] == 1 and not caplog.messages


def test_an_error_names_the_first_similarity_and_the_first_gradient_that_are_not_finite() -> None:
    nan, norms = torch.tensor(float("nan")), torch.tensor([1.0, float("inf"), float("nan")])
    log, gradients = Log([]), Gradients(("stem", "trunk", "head"), norms)
    log.add(3, {"a/compression": torch.tensor(1.0), "a/expansion": nan, "loss": nan}, {}, gradients)
    with pytest.raises(BrewError, match=r"step 3, first in 'a/expansion' and in the gradient of parameter 'trunk'"):
        log.flush()


def test_a_loss_that_cannot_be_computed_names_step_and_weight(short_run) -> None:
    with pytest.raises(BrewError, match=r"step 2, multispectral/expansion: .*; the largest, [\d.]+e\+\d+, is in 'own"):
        short_run("ms-only", steps=12, clip=1e30, weight_decay=(1e30, 1e30))


def test_the_first_weight_that_is_not_finite_is_named() -> None:
    module = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    with torch.no_grad():
        module[1].bias.fill_(-7.0)
    assert worst_weight(module) == "all weights are finite; the largest, 7, is in '1.bias'"
    with torch.no_grad():
        module[1].weight[0, 1], module[1].bias[0] = float("nan"), float("inf")
    assert worst_weight(module) == "parameter '1.weight' is the first that is not finite"
