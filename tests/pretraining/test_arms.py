"""Every entry of ARMS: it trains, its loss falls, and its log names what it maximises."""

import pytest

from brew.errors import BrewError
from brew.pretraining.arms import (
    ARMS,
    TOKENS,
    TOKENS_RELEASED,
    Arm,
    Distillation,
    Masking,
    SelfDistillation,
    arm,
)
from brew.sensors import PATHS


@pytest.mark.parametrize("name", ARMS)
def test_every_arm_trains_and_its_loss_falls(name, short_run):
    run = short_run(name, steps=24)
    loss = run.history["loss"]
    assert loss.tail(6).mean() < loss.head(6).mean()
    entry = ARMS[name].with_teacher("miniature")
    named = {f"{each.path}/{part}" for each in entry.self_distillation for part in ("compression", "expansion")}
    named |= {f"{each.teacher}/{token}" for each in entry.distillation for token, _ in each.tokens}
    named |= {f"{each.path}/reconstruction" for each in entry.masking}
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
