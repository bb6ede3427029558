"""Swin behaves as torchvision's, which is the reference here: windows, padding, shifts, gradients, stochastic depth."""

import functools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torchvision.models.swin_transformer import ShiftedWindowAttention, SwinTransformer, SwinTransformerBlock
from torchvision.ops import StochasticDepth

from brew.models.features import Features
from brew.models.stochastic_depth import drop_probabilities, residual
from brew.models.student import build_student
from brew.models.swin import Block, Merging, Swin, WindowAttention

WIDTH, DEPTHS, HEADS = 8, (1, 2, 2, 1), (1, 2, 4, 8)


@functools.cache
def trunk(window: int = 4, stochastic_depth: float = 0.0) -> Swin:
    torch.manual_seed(0)
    swin = Swin(WIDTH, DEPTHS, HEADS, window, stochastic_depth).double()
    for parameter in swin.parameters():
        nn.init.normal_(parameter, std=0.4)
    return swin


def torchvision_s(swin: Swin, window: int) -> nn.Module:
    """torchvision's stages (without its stem) and norm, with the weights of `swin`."""
    reference = SwinTransformer([4, 4], WIDTH, list(DEPTHS), list(HEADS), [window, window]).double().eval()
    reference.features[0] = nn.Identity()
    modules = [each for stage in swin.stages for each in (stage.merging, stage.blocks)][1:]
    for ours, theirs in zip(modules, list(reference.features)[1:], strict=True):
        state = {name.replace("mlp.2.", "mlp.3."): value for name, value in ours.state_dict().items()}
        wrong = theirs.load_state_dict(state, strict=False)
        assert not wrong.unexpected_keys
        assert all(name.endswith("relative_position_index") for name in wrong.missing_keys)
    reference.norm.load_state_dict(swin.norm.state_dict())
    return reference


def assert_like(found: Tensor, expected: Tensor) -> None:
    assert (found - expected).abs().max() <= 1e-5 * max(1.0, expected.abs().max().item())


@settings(max_examples=100, deadline=None)
@given(
    rows=st.integers(1, 15),
    columns=st.integers(1, 15),
    window=st.integers(2, 7),
    shifted=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_attention_equals_torchvision_s(rows: int, columns: int, window: int, shifted: bool, seed: int) -> None:
    """Outputs and gradients, for maps that divide by the window, do not, or are covered by one along either axis."""
    torch.manual_seed(seed)
    shift = window // 2 * shifted
    theirs = ShiftedWindowAttention(6, [window, window], [shift, shift], 2).double()
    ours = WindowAttention(6, 2, window, shift).double()
    for parameter in theirs.parameters():
        nn.init.normal_(parameter, std=0.5)
    ours.load_state_dict({name: value for name, value in theirs.named_parameters()})
    x = torch.randn(2, rows, columns, 6, dtype=torch.float64)
    weights = torch.randn_like(x)
    inputs = [x.clone().requires_grad_() for _ in range(2)]
    outputs = [module(each) for module, each in zip((ours, theirs), inputs, strict=True)]
    for output in outputs:
        (output * weights).sum().backward()
    assert_like(*outputs)
    assert_like(inputs[0].grad, inputs[1].grad)
    expected = dict(theirs.named_parameters())
    for name, parameter in ours.named_parameters():
        assert_like(parameter.grad, expected[name].grad)


@pytest.mark.parametrize("window", [3, 4])
@pytest.mark.parametrize("size", [(16, 16), (11, 7), (24, 5), (3, 13)])
def test_trunk_equals_torchvision_s(size: tuple[int, int], window: int) -> None:
    swin = trunk(window)
    reference = torchvision_s(swin, window)
    tokens = torch.randn(2, *size, WIDTH, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    ours, theirs = tokens.clone().requires_grad_(), tokens.clone().requires_grad_()
    features = swin(ours)
    x, stages = theirs, []
    for i, layer in enumerate(reference.features):
        x = layer(x)
        if i % 2:
            stages.append(x.permute(0, 3, 1, 2))
    pooled = reference.norm(x).mean((1, 2))
    assert list(features.maps) == ["stride4", "stride8", "stride16", "stride32"]
    for found, expected in zip(features.maps.values(), stages, strict=True):
        assert found.shape == expected.shape
        assert_like(found, expected)
    assert_like(features.pooled, pooled)
    assert features.late is features.maps["stride32"]
    assert features.middle is features.maps["stride16"]
    features.pooled.square().sum().backward()
    pooled.square().sum().backward()
    assert_like(ours.grad, theirs.grad)


@pytest.mark.parametrize(("window", "shift"), [(4, 0), (4, 2), (3, 1)])
def test_a_block_on_maps_of_several_sizes_equals_torchvision_s(window: int, shift: int) -> None:
    """Outputs and all gradients: maps that divide, are padded, are covered by one window along one axis or both."""
    torch.manual_seed(0)
    theirs = SwinTransformerBlock(6, 2, [window, window], [shift, shift]).double()
    ours = Block(6, 2, window, shift, 4, 0.0).double()
    for parameter in theirs.parameters():
        nn.init.normal_(parameter, std=0.5)
    ours.load_state_dict({name.replace("mlp.3.", "mlp.2."): value for name, value in theirs.named_parameters()})
    sizes = ((1, 8, 12), (2, 7, 5), (3, 2, 9), (2, 3, 2))
    maps = [torch.randn(*size, 6, dtype=torch.float64, requires_grad=True) for size in sizes]
    weights = [torch.randn_like(each) for each in maps]
    leaves = [*maps, *ours.parameters()]
    found = ours.together(maps, [None] * len(maps))
    expected = [theirs(each) for each in maps]
    for ours_, theirs_ in zip(found, expected, strict=True):
        assert_like(ours_, theirs_)
    gradients = torch.autograd.grad(sum((y * w).sum() for y, w in zip(found, weights, strict=True)), leaves)
    names = [name.replace("mlp.2.", "mlp.3.") for name, _ in ours.named_parameters()]
    of_theirs = dict(theirs.named_parameters())
    leaves = [*maps, *(of_theirs[name] for name in names)]
    references = torch.autograd.grad(sum((y * w).sum() for y, w in zip(expected, weights, strict=True)), leaves)
    for gradient, reference in zip(gradients, references, strict=True):
        assert_like(gradient, reference)


def test_a_block_passes_some_images_at_a_time_and_leaves_others_out() -> None:
    """Whatever passes together, and whichever branches are left out: what residual branches of single images give."""
    torch.manual_seed(1)
    block = Block(32, 2, 4, 2, 4, 0.5)
    x = torch.randn(150, 16, 16, 32)
    drop = torch.rand(150, 2)
    with torch.no_grad():
        (found,) = block.together([x], [drop])
        kept = (drop >= 0.5)[:, :, None, None, None] * 2.0
        first = x + kept[:, 0] * block.attn(block.norm1(x))
        expected = first + kept[:, 1] * block.mlp(block.norm2(first))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert torch.equal(found[(drop < 0.5).all(1)], x[(drop < 0.5).all(1)])


def test_merging_pads_odd_maps_with_zeros() -> None:
    torch.manual_seed(0)
    merging = Merging(4)
    x = torch.randn(1, 3, 5, 4)
    padded = torch.zeros(1, 4, 6, 4)
    padded[:, :3, :5] = x
    torch.testing.assert_close(merging(x), merging(padded))


def test_stochastic_depth_s_schedule_is_torchvision_s() -> None:
    reference = SwinTransformer([4, 4], WIDTH, list(DEPTHS), list(HEADS), [4, 4], stochastic_depth_prob=0.5)
    expected = [each.p for each in reference.modules() if isinstance(each, StochasticDepth)]
    assert drop_probabilities(sum(DEPTHS), 0.5) == pytest.approx(expected)
    swin = Swin(WIDTH, DEPTHS, HEADS, 4, 0.5)
    assert [block.drop_probability for stage in swin.stages for block in stage.blocks] == pytest.approx(expected)


def test_a_branch_survives_where_its_draw_reaches_the_probability() -> None:
    x = torch.arange(4.0)[:, None, None].expand(4, 2, 3)
    added = residual(x, torch.ones_like, torch.tensor([0.0, 0.2499, 0.25, 0.99]), 0.25) - x
    torch.testing.assert_close(added, torch.tensor([0.0, 0.0, 4 / 3, 4 / 3])[:, None, None].expand(4, 2, 3))
    torch.testing.assert_close(residual(x, torch.ones_like, None, 0.25), x + 1)
    zeros, draws = torch.zeros(20_000, 1), torch.rand(20_000, generator=torch.Generator().manual_seed(0))
    assert residual(zeros, torch.ones_like, draws, 0.4).mean().item() == pytest.approx(1, abs=0.02)


@settings(max_examples=50, deadline=None)
@given(batch=st.integers(1, 9), probability=st.floats(0.01, 0.99), seed=st.integers(0, 2**32))
def test_leaving_branches_out_is_exact(batch: int, probability: float, seed: int) -> None:
    """Output and gradients equal those of computing every branch and multiplying it by zero or its inverse odds."""
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    branch = nn.Sequential(nn.Linear(3, 5), nn.GELU(), nn.Linear(5, 3)).double()
    x = torch.randn(batch, 4, 3, dtype=torch.float64, generator=generator).requires_grad_()
    draw = torch.rand(batch, generator=generator)
    scale = (draw >= probability).double() / (1 - probability)
    found, expected = residual(x, branch, draw, probability), x + branch(x) * scale[:, None, None]
    torch.testing.assert_close(found, expected)
    inputs = [x, *branch.parameters()]
    gradients = (torch.autograd.grad(each.square().sum(), inputs) for each in (found, expected))
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize(("probability", "survivors"), [(0.2, 8), (0.5, 5), (0.26, 7), (0.99, 1)])
def test_a_fixed_count_keeps_the_highest_draws_and_the_mean(probability: float, survivors: int) -> None:
    x, draw = torch.zeros(10, 2), torch.rand(10, generator=torch.Generator().manual_seed(6))
    computed: list[int] = []

    def branch(kept: Tensor) -> Tensor:
        computed.append(len(kept))
        return torch.ones_like(kept)

    y = residual(x, branch, draw, probability, fixed_count=True)
    assert computed == [survivors]
    assert torch.equal(y[:, 0] > 0, draw >= draw.sort(descending=True).values[survivors - 1])
    torch.testing.assert_close(y.mean(0), torch.ones(2))


@pytest.mark.parametrize("trunk", ["swin-micro", "vit-micro"])
def test_a_student_drops_a_fixed_count_where_told(trunk: str) -> None:
    """Of samples that Bernoulli's draws would all keep, those with the lowest draws lose branches."""
    each_alone, by_count = (
        build_student(trunk, stochastic_depth=0.5, fixed_count=fixed, seed=0) for fixed in (False, True)
    )
    images = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(7))
    drop = torch.tensor([0.98, 0.99, 0.99, 0.99])[:, None].expand(-1, 2 * by_count.trunk.blocks)
    kept, dropped = (student.encode(images, "optical", drop).pooled for student in (each_alone, by_count))
    assert not torch.allclose(kept[0], dropped[0])
    torch.testing.assert_close(by_count.encode(images, "optical").pooled, each_alone.encode(images, "optical").pooled)


def test_what_is_dropped_depends_on_a_sample_s_own_draws_alone() -> None:
    swin = trunk(stochastic_depth=0.6)
    generator = torch.Generator().manual_seed(2)
    tokens = torch.randn(3, 6, 6, WIDTH, dtype=torch.float64, generator=generator)
    drop = torch.rand(3, 2 * swin.blocks, dtype=torch.float64, generator=generator)
    before = torch.random.get_rng_state()
    together = swin.train()(tokens, drop)
    assert torch.equal(torch.random.get_rng_state(), before)
    for i in range(3):
        torch.testing.assert_close(swin(tokens[i : i + 1], drop[i : i + 1]).pooled, together.pooled[i : i + 1])
    assert not torch.allclose(together.pooled, swin(tokens).pooled)


def test_each_draw_drops_its_own_branch() -> None:
    """A dropped branch gets no gradient, every other one does; the first block's are never dropped."""
    swin = trunk(stochastic_depth=0.6)
    blocks = [block for stage in swin.stages for block in stage.blocks]
    branches = [weight for block in blocks for weight in (block.attn.proj.weight, block.mlp[2].weight)]
    tokens = torch.randn(1, 9, 9, WIDTH, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    for dropped in range(2 * swin.blocks):
        draws = torch.ones(1, 2 * swin.blocks, dtype=torch.float64)
        draws[:, dropped] = 0
        gradients = torch.autograd.grad(swin(tokens, draws).pooled.sum(), branches)
        expected = [dropped] if dropped > 1 else []
        assert [i for i, gradient in enumerate(gradients) if not gradient.any()] == expected


def test_parts_of_a_batch_equal_passes_of_their_own() -> None:
    swin = trunk()
    tokens = torch.randn(5, 7, 7, WIDTH, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    parts = swin(tokens).split([2, 3])
    for part, own in zip(parts, (swin(tokens[:2]), swin(tokens[2:])), strict=True):
        torch.testing.assert_close(part.pooled, own.pooled)
        torch.testing.assert_close(part.maps, own.maps)
        torch.testing.assert_close((part.late, part.middle), (own.late, own.middle))


def test_training_follows_inference_at_the_same_size() -> None:
    """Constants kept from a pass in inference mode can be saved for a gradient."""
    swin = trunk(window=5)
    tokens = torch.randn(1, 11, 11, WIDTH, dtype=torch.float64)
    with torch.inference_mode():
        expected = swin(tokens).pooled
    features = swin(tokens.requires_grad_())
    features.pooled.sum().backward()
    torch.testing.assert_close(features.pooled, expected.clone())


def test_half_precision_stays_near() -> None:
    swin = Swin(16, (2, 2, 2, 2), (1, 2, 4, 8), 4)
    tokens = torch.randn(2, 18, 18, 16, generator=torch.Generator().manual_seed(5))
    expected = swin(tokens).pooled
    with torch.autocast("cpu", torch.bfloat16):
        found = swin(tokens).pooled
    assert (found - expected).abs().max() < 0.05 * expected.std()


def test_features_are_checked_for_one_batch() -> None:
    one, two = torch.zeros(1, 3, 2, 2), torch.zeros(2, 3, 2, 2)
    with pytest.raises(TypeError):
        Features({"stride4": one}, torch.zeros(1, 3), late=two, middle=one)
