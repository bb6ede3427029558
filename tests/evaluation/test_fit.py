"""The decoder, its losses, aligned crops and the training loop."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from brew.errors import BrewError
from brew.evaluation.decoders import Decoder, Standardise, at_size
from brew.evaluation.dense_losses import LOSSES, class_weights, pixel_loss
from brew.evaluation.fit import FitSettings, ScheduledFit, build_decoder, crop_aligned, fit, predict
from brew.evaluation.frozen_features import FrozenMaps

CHANNELS = (6, 8, 10, 12)


def _maps(count: int, size: int = 64, channels: tuple[int, ...] = CHANNELS) -> FrozenMaps:
    generator = torch.Generator().manual_seed(0)
    sides = [size // stride for stride in (4, 8, 16, 32)]
    levels = tuple(
        torch.randn(1, count, side, side, width, generator=generator).half()
        for side, width in zip(sides, channels, strict=True)
    )
    return FrozenMaps(np.arange(count), levels)


def test_standardise_is_one_affine_map_per_channel():
    mean, std = torch.tensor([1.0, 2.0, 5.0]), torch.tensor([2.0, 0.5, 0.0])
    maps = mean.view(1, 3, 1, 1) + std.view(1, 3, 1, 1) * torch.randn(4, 3, 32, 32)
    found = Standardise(mean, std)(maps)
    assert torch.allclose(found[:, :2].mean((0, 2, 3)), torch.zeros(2), atol=0.1)
    assert torch.allclose(found[:, :2].std((0, 2, 3)), torch.ones(2), atol=0.1)
    assert (found[:, 2] == 0).all()


def test_decoder_keeps_magnitude_that_a_norm_per_pixel_would_remove():
    decoder = build_decoder(_maps(8), 3, 16, seed=0, device="cpu").eval()
    maps = _maps(2).batch(torch.arange(2), torch.zeros(2, dtype=torch.long), "cpu")
    logits = decoder(maps)
    assert logits.shape == (2, 3, 16, 16)
    assert not torch.allclose(logits, decoder([3 * level for level in maps]), atol=1e-2)
    assert at_size(logits, (64, 40)).shape == (2, 3, 64, 40)


def test_decoder_weights_depend_on_the_seed_alone():
    state = torch.get_rng_state()
    one, other, third = (build_decoder(_maps(4), 2, 8, seed, "cpu") for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    weights = [torch.cat([value.flatten() for value in network.parameters()]) for network in (one, other, third)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_decoder_needs_four_maps():
    with pytest.raises(BrewError, match="four"):
        Decoder([torch.zeros(3)] * 3, [torch.ones(3)] * 3, 2)


@given(st.sampled_from([0.25, 0.5, 0.75, 1.0]), st.integers(0, 2**16))
def test_crops_of_maps_and_labels_cover_the_same_ground(crop, seed):
    places = torch.rand(3, 2, generator=torch.Generator().manual_seed(seed))
    labels = torch.arange(3 * 64 * 64).view(3, 64, 64)
    maps = [labels[:, None, ::stride, ::stride].float() for stride in (4, 8, 16)]
    cut, target = crop_aligned(maps, labels, places, crop)
    side = max(1, round(crop * 4)) * 16
    assert target.shape == (3, side, side)
    for level, stride in zip(cut, (4, 8, 16), strict=True):
        assert torch.equal(level[:, 0].long(), target[:, ::stride, ::stride])


@given(st.sampled_from([(500, (125, 63, 32, 16)), (90, (22, 11, 6, 3)), (100, (25, 12, 6, 3))]), st.integers(0, 2**16))
def test_crops_of_grids_that_are_no_multiples_lie_at_most_a_cell_apart(grids, seed):
    side, levels = grids
    places = torch.rand(2, 2, generator=torch.Generator().manual_seed(seed))
    ground = [(torch.arange(each) / each).expand(2, 1, each, each) for each in levels]
    rows = torch.arange(side)[None, :, None].expand(2, side, side)
    cut, target = crop_aligned([level.mT for level in ground], rows, places, 0.5)
    starts = target[:, 0, 0] / side
    for level, sides in zip(cut, levels, strict=True):
        assert (level[:, 0, 0, 0] - starts).abs().max() <= 0.5 / sides + 0.5 / side + 1e-6
        assert abs(level.shape[-1] / sides - target.shape[-1] / side) <= 0.5 / sides + 0.5 / side + 1e-6


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_losses_fall_towards_the_truth_and_skip_what_does_not_count(name):
    labels = torch.randint(0, 3, (2, 8, 8), generator=torch.Generator().manual_seed(0))
    truth = nn.functional.one_hot(labels, 3).movedim(-1, 1).float()
    weights, counted = torch.ones(3), torch.ones(2, 8, 8)
    loss = pixel_loss(name)
    values = [float(loss(scale * (2 * truth - 1), labels, weights, counted)) for scale in (-5, 0, 2, 9)]
    assert values == sorted(values, reverse=True)
    assert values[-1] < 0.3
    counted[0, :4] = 0
    spoiled = (5 * truth).clone()
    spoiled[0, :, :4] = 100 * torch.randn(3, 4, 8)
    one, other = (loss(logits, labels, weights, counted) for logits in (5 * truth, spoiled))
    assert torch.allclose(one, other)


def test_cross_entropy_equals_torch():
    generator = torch.Generator().manual_seed(1)
    logits, labels = torch.randn(2, 4, 8, 8, generator=generator), torch.randint(0, 4, (2, 8, 8), generator=generator)
    weights = torch.tensor([1.0, 2.0, 0.5, 3.0])
    theirs = nn.functional.cross_entropy(logits, labels, weight=weights)
    assert torch.allclose(pixel_loss("cross-entropy")(logits, labels, weights, torch.ones(2, 8, 8)), theirs)


def test_balanced_weights_make_classes_equal():
    labels = torch.tensor([0] * 90 + [1] * 10 + [255] * 50)
    weights = class_weights("balanced", labels, 3, ignore=255)
    assert weights.tolist() == pytest.approx([100 / 180, 5.0, 0.0])
    assert class_weights("equal", labels, 3, ignore=255).tolist() == [1, 1, 1]
    with pytest.raises(BrewError, match="balanced"):
        class_weights("ballanced", labels, 3, None)
    with pytest.raises(BrewError, match="dice"):
        pixel_loss("dyce")


def _task() -> tuple[FrozenMaps, torch.Tensor]:
    """Maps, and labels that one of their channels tells."""
    maps = _maps(12)
    coarse = maps.levels[0][0, ..., 0][:, None].float()
    return maps, (torch.nn.functional.interpolate(coarse, scale_factor=4)[:, 0] > 0).long()


def _fit(seed: int = 0, **numbers) -> nn.Module:
    maps, labels = _task()
    settings = FitSettings(**{"epochs": 10, "batch": 4, "learning_rate": 1e-2, "crop": 0.5} | numbers)
    return fit(build_decoder(maps, 2, 8, seed, "cpu"), maps, labels, 2, None, settings, seed)


def _state(network: nn.Module) -> torch.Tensor:
    return torch.cat([value.flatten() for value in network.state_dict().values() if value.is_floating_point()])


def test_fit_learns_repeats_and_leaves_global_state():
    state = torch.get_rng_state()
    one, other, third = _fit(0), _fit(0), _fit(1)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(_state(one), _state(other)) and not torch.equal(_state(one), _state(third))
    maps, labels = _task()
    logits = torch.cat([part for _, part in predict(one, maps, (64, 64))])
    assert float((logits.argmax(1) == labels).float().mean()) > 0.65


def test_published_code_keeps_the_epoch_that_validation_scores_highest():
    maps, labels = _task()
    scores, seen = iter((0.2, 0.9, 0.9, 0.1)), []

    def validated(network: nn.Module) -> float:
        assert not network.training
        seen.append(_state(network).clone())
        return next(scores)

    settings = ScheduledFit(epochs=4, batch=4, learning_rate=1e-2, warmup=1)
    # Passes that even out the steps of few labels belong to brew's own fits.
    found = fit(build_decoder(maps, 2, 8, 0, "cpu"), maps, labels, 2, None, settings, 0, passes=3, validated=validated)
    assert len(seen) == 4 and torch.equal(_state(found), seen[1]), "of equal epochs the first"


def test_the_weights_are_the_mean_over_the_last_steps(monkeypatch):
    seen = []
    real = torch.optim.AdamW.step
    networks = []
    monkeypatch.setattr(
        torch.optim.AdamW, "step", lambda own: (real(own), seen.append(_parameters(networks[0]).detach().clone()))
    )
    maps, labels = _task()
    networks.append(build_decoder(maps, 2, 8, 0, "cpu"))
    settings = FitSettings(epochs=2, batch=4, learning_rate=1e-2, averaged=0.5)
    found = fit(networks[0], maps, labels, 2, None, settings, 0)
    assert len(seen) == 6 and not found.training
    assert torch.allclose(_parameters(found), torch.stack(seen[3:]).mean(0), atol=1e-6)
    last = seen[-1]
    assert torch.allclose(_parameters(_fit(epochs=2, crop=1.0, averaged=1e-9)), last), "at least the last step"


def _parameters(network: nn.Module) -> torch.Tensor:
    return torch.cat([value.flatten() for value in network.parameters()])


def test_a_loss_that_is_no_number_is_refused():
    with pytest.raises(BrewError, match="lower the learning rate"):
        _fit(epochs=2, learning_rate=1e30)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch": 1}, "batch is 1; .*at least 2"), ({"epochs": 0}, "epochs is 0"), ({"crop": 0.0}, "crop is 0"),
        ({"crop": 1.5}, "crop is 1.5"), ({"averaged": 0.0}, "averaged is 0"),
        ({"loss": "dyce"}, "dice"), ({"class_weights": "ballanced"}, "balanced"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_fitted_are_refused_when_they_are_read(settings, message):
    with pytest.raises(BrewError, match=message):
        FitSettings(**settings)


def test_too_few_samples_are_refused():
    maps = _maps(1)
    network = build_decoder(maps, 2, 8, 0, "cpu")
    with pytest.raises(BrewError, match="at least two"):
        fit(network, maps, torch.zeros(1, 64, 64, dtype=torch.long), 2, None, FitSettings(), 0)
    with pytest.raises(BrewError, match="one each"):
        fit(network, maps, torch.zeros(2, 64, 64, dtype=torch.long), 2, None, FitSettings(), 0)
