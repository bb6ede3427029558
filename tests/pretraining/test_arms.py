"""Every entry of ARMS: it trains, its loss falls, and its log names what it maximises."""

from dataclasses import replace

import pytest
import torch

from brew.errors import BrewError
from brew.losses import coding_rate
from brew.pretraining import loop
from brew.pretraining.arms import (
    ARMS,
    BEYOND,
    TOKENS,
    TOKENS_RELEASED,
    Arm,
    Distillation,
    Masking,
    SelfDistillation,
    arm,
)
from brew.sensors import PATHS


@pytest.fixture
def reached(monkeypatch) -> list[tuple[set[str], set[str]]]:
    """Of each step, the parameters that are trained, and those that a gradient reaches."""
    seen, clip = [], loop.clip

    def spy(module: torch.nn.Module, limit: float, jointly: bool) -> torch.Tensor:
        named = dict(module.named_parameters())
        trained = {name for name, each in named.items() if each.requires_grad}
        seen.append((trained, {name for name, each in named.items() if each.grad is not None}))
        return clip(module, limit, jointly)

    monkeypatch.setattr(loop, "clip", spy)
    return seen


@pytest.mark.parametrize("name", ARMS)
def test_every_arm_trains_and_its_loss_falls(name, short_run, reached):
    run = short_run(name, steps=10 if name in BEYOND else 24)
    loss, part = run.history["loss"], max(2, len(run.history) // 4)
    assert loss.tail(part).mean() < loss.head(part).mean()
    entry = ARMS[name].with_teacher("miniature")
    for trained, found in reached:
        assert found == trained
        assert {each.split(".")[3] for each in found if each.startswith("own.student.stems.")} == set(entry.paths)
    named = {f"{each.path}/{part}" for each in entry.self_distillation for part in ("compression", "expansion")}
    named |= {f"{each.teacher}/{token}" for each in entry.distillation for token, _ in each.tokens}
    named |= {f"{each.path}/reconstruction" for each in entry.masking}
    named |= {f"{each.path}/time" for each in entry.time}
    named |= {f"{each.path}/time patches" for each in entry.time if each.matched != "none"}
    named |= {f"labels/{each.task}" for each in entry.supervision}
    assert named == {column for column in run.history if "/" in column}
    assert run.student.trained_paths == entry.paths


def test_the_six_rows_of_the_paper_add_up():
    rows = ["ms-only", "class-token", "optical-path", "patch-tokens", "augmented", "deo"]
    entries = [ARMS[name] for name in rows]
    assert [bool(entry.distillation) for entry in entries] == [False] + 5 * [True]
    one, both = ("multispectral",), ("multispectral", "optical")
    assert [entry.paths for entry in entries[:3]] == [one, one, both]
    assert [len(entry.distillation[0].tokens) for entry in entries[1:]] == [1, 1, 3, 3, 3]
    assert [entry.optical_augmentation for entry in entries] == 4 * [False] + 2 * [True]
    assert [entry.high_resolution for entry in entries] == 5 * ["none"] + ["both"]


def test_released_weights_are_half_of_the_papers():
    assert {token: weight / 2 for token, weight in TOKENS.items()} == TOKENS_RELEASED


def test_the_printed_expansion_is_the_whole_log_determinant():
    features = torch.nn.functional.normalize(torch.randn(24, 8, generator=torch.Generator().manual_seed(0)), dim=-1)
    (printed,) = ARMS["deo-printed"].self_distillation
    assert printed.gamma * coding_rate(features) == coding_rate(features, half_logdet=False)


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("deo-released", "distillation"), ("deo-printed", "self_distillation"), ("deo-own-images", "high_resolution"),
        ("deo-self-distilled", "distillation"), ("ms-only-matched", None),
    ],
)  # fmt: skip
def test_another_reading_differs_in_one_thing_alone(name, field):
    base = ARMS["ms-only" if name.startswith("ms") else "deo"]
    named = {"name": base.name, "summary": base.summary} | ({field: getattr(base, field)} if field else {})
    assert ARMS[name] != base and replace(ARMS[name], **named) == base


@pytest.mark.parametrize(
    ("what", "twice"),
    [
        ("self-distilled stem 'optical'", {"self_distillation": (SelfDistillation("optical"),) * 2}),
        (
            "frozen teacher 'imagenet'",
            {"distillation": tuple(Distillation(path, teacher="imagenet") for path in PATHS)},
        ),
        ("masked stem 'optical'", {"masking": (Masking("optical"), Masking("optical", 2.0))}),
    ],
)
def test_heads_and_losses_have_names_of_their_own(what, twice):
    with pytest.raises(BrewError, match=f"arm 'mine' names {what} twice"):
        Arm("mine", "", **twice)


def test_an_unknown_arm_names_the_nearest():
    with pytest.raises(BrewError, match="did you mean 'ms-only'"):
        arm("ms_only")
