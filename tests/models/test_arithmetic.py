"""The trunk needs less arithmetic and memory than torchvision's and computes the same: counts, outputs, gradients."""

import copy
import dataclasses
import functools

import pytest
import torch
from torch import Tensor, nn

from benchmarks.arithmetic import TRUNKS_COUNTED, Count, PlainSwin, Views, count, encode, flops, stems
from benchmarks.memory import saved_bytes
from benchmarks.step import QUICK, brew_step, plain_step, prepare
from brew.models.student import build_student
from brew.models.swin import Block, Swin, WindowAttention

WIDTH, DEPTHS, HEADS = 8, (2, 2, 2, 2), (1, 2, 2, 4)
VIEWS: Views = ((224, 1), (96, 2))  # maps of 56, 28, 14, 7 and of 24, 12, 6, 3 tokens


def random_trunk(window: int) -> Swin:
    torch.manual_seed(0)
    swin = Swin(WIDTH, DEPTHS, HEADS, window)
    for parameter in swin.parameters():
        nn.init.normal_(parameter, std=0.3)
    return swin


@functools.cache
def counted(trunk: str) -> Count:
    return count(trunk, TRUNKS_COUNTED[trunk])


@pytest.mark.parametrize(
    ("trunk", "bar"), [("Swin-T, window 7", 0.91), ("Swin-T, window 12", 0.63), ("Swin-B, window 12", 0.58)]
)
def test_an_image_takes_the_stated_share_of_the_plain_trunk_s_arithmetic(trunk: str, bar: float) -> None:
    assert counted(trunk).ratio <= bar


def test_plain_counts_are_those_measured_of_the_authors_code() -> None:
    """351, 535 and 1585 GFLOP per image, the heads included (the issue's numbers, counted there independently)."""
    counts = [counted(trunk) for trunk in TRUNKS_COUNTED]
    found = [each.conventional + each.settings["GFLOP, both"]["heads (not in the ratio)"] for each in counts]
    assert found == pytest.approx([351, 535, 1585], rel=2e-3)


def test_the_counter_sees_every_product_of_an_attention() -> None:
    """qkv, logits, weighted values and projection; twice as much backward."""
    width, window, heads, tokens = 12, 4, 3, 8 * 8
    attention = WindowAttention(width, heads, window, 2).to("meta")
    x = torch.zeros(1, 8, 8, width, device="meta", requires_grad=True)
    forward = 2 * tokens * (4 * width * width + 2 * window**2 * width)
    assert flops(lambda: attention(x)) == forward
    assert flops(lambda: attention(x).sum().backward()) == 3 * forward


@pytest.mark.parametrize("window", [7, 12])
@pytest.mark.parametrize("trained", [True, False])
def test_counts_do_not_depend_on_the_device(window: int, trained: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where blocks take one map after the other, the CPU's fused attention is counted like its products on meta."""
    monkeypatch.setattr(Block, "together", Block.apart)
    swin = random_trunk(window).requires_grad_(trained)
    for trunk in (swin, PlainSwin(swin).requires_grad_(trained)):
        modules = (trunk, *stems(swin))
        counts = []
        for device in ("cpu", "meta"):
            on_device, *through = (copy.deepcopy(module).to(device) for module in modules)
            with torch.device(device), torch.set_grad_enabled(trained):
                counts.append(flops(lambda t=on_device, s=through: encode(t, s, ((96, 1),))))
        assert counts[0] == counts[1] > 0


@pytest.mark.parametrize("window", [7, 12])
def test_a_cpu_multiplies_little_more_than_an_accelerator(window: int) -> None:
    """Beside a padding token, nothing is added to the forward pass."""
    swin, counts = random_trunk(window).requires_grad_(False), []
    for device in ("cpu", "meta"):
        trunk, *through = (copy.deepcopy(module).to(device) for module in (swin, *stems(swin)))
        with torch.device(device), torch.no_grad():
            counts.append(flops(lambda t=trunk, s=through: encode(t, s, ((96, 1),))))
    assert counts[1] <= counts[0] <= 1.02 * counts[1]


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-5)])
@pytest.mark.parametrize("window", [7, 12])
@pytest.mark.parametrize("side", [56, 24])
def test_the_trunk_computes_what_torchvision_s_does(
    side: int, window: int, dtype: torch.dtype, tolerance: float
) -> None:
    """Every map, the pooled vector and all gradients, at the training views' sizes, which windows pad or exceed."""
    swin = random_trunk(window).to(dtype)
    plain = PlainSwin(swin).to(dtype).eval()
    tokens = torch.randn(2, side, side, WIDTH, dtype=dtype, generator=torch.Generator().manual_seed(1))
    weights = torch.randn(2, swin.width, dtype=dtype, generator=torch.Generator().manual_seed(2))
    outputs, gradients = [], []
    for trunk in (swin, plain):
        x = tokens.clone().requires_grad_()
        features = trunk(x)
        (features.pooled * weights).sum().backward()
        outputs.append([*features.maps.values(), features.pooled])
        gradients.append({"tokens": x.grad} | {name: each.grad for name, each in _parameters(trunk).items()})
    for found, expected in zip(*outputs, strict=True):
        assert_near(found, expected, tolerance)
    assert gradients[0].keys() == gradients[1].keys()
    for name, found in gradients[0].items():
        assert_near(found, gradients[1][name], tolerance)


def _parameters(trunk: Swin | PlainSwin) -> dict[str, nn.Parameter]:
    """By the names that they have in a plain trunk, but for its MLPs'."""
    if isinstance(trunk, PlainSwin):
        return {name.replace("mlp.3.", "mlp.2."): parameter for name, parameter in trunk.named_parameters()}
    layers = nn.ModuleList([each for stage in trunk.stages for each in (stage.merging, stage.blocks)][1:])
    return dict(nn.ModuleDict({"layers": layers, "norm": trunk.norm}).named_parameters())


def assert_near(found: Tensor, expected: Tensor, tolerance: float) -> None:
    """Relative to the largest value: rounding grows with what is summed."""
    assert (found - expected).abs().max() <= tolerance * max(1.0, expected.abs().max().item())


def test_both_sides_of_the_step_benchmark_train_alike() -> None:
    """Without stochastic depth, whose draws differ, their losses and gradient norms agree step after step."""
    step = prepare(dataclasses.replace(QUICK, student=lambda: build_student("swin-nano", stochastic_depth=0.0)))
    ours, plain = brew_step(step), plain_step(step)
    for _ in range(3):
        found, expected = ({name: float(value) for name, value in run().items()} for run in (ours, plain))
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-5)
    assert found["gradient norm"] > 0


def test_saved_bytes_are_those_that_backward_needs() -> None:
    """A linear map alone saves its input; a view of it is the same storage; parameters are not counted."""

    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.other = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)

        def forward(self, tokens: Tensor):  # type: ignore[no-untyped-def]
            pooled = self.one(tokens) + self.other(tokens.flatten(1, 2)).view_as(tokens)
            return type("Pooled", (), {"pooled": pooled})

    swin = random_trunk(4)
    (stem, *_) = stems(swin)
    tokens = 2 * 4 * 4
    image, map_, statistics = tokens * 16 * 10 * 4, tokens * WIDTH * 4, tokens * 4
    found = saved_bytes(Twice(), [stem], ((16, 2),), torch.float32)
    # The convolution's image, the norm's input, mean and deviation, and one map that both linear maps read.
    assert found == image + map_ + 2 * statistics + map_


@pytest.mark.parametrize(("window", "share"), [(7, 0.6), (12, 0.4)])
def test_the_trunk_saves_no_more_than_the_plain_one(window: int, share: float) -> None:
    swin = random_trunk(window)
    ours, plain = (saved_bytes(trunk, stems(swin), VIEWS) for trunk in (swin, PlainSwin(swin)))
    assert 0 < ours <= share * plain
