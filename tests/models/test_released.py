"""The authors' checkpoints: read strictly in all their layouts, and giving their code's features."""

import argparse
import functools
import json
import re
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import brew
from brew.errors import BrewError
from brew.models.released import is_released, read_released
from brew.models.student import TRUNKS, Student, build_student, load_student
from brew.models.swin import relative_positions

GOLDEN = Path(__file__).parents[1] / "golden"
KEYS = json.loads((GOLDEN / "keys.json").read_text())
FEATURES = json.loads((GOLDEN / "features.json").read_text())
BACKBONES = {"swin_b": "swin-b", "vit_base": "vit-b8"}
PATHS = {"multispectral": "multispectral", "multispectral_odd": "multispectral", "rgb": "optical"}
CASES = [(model, case) for model in BACKBONES for case in FEATURES[model]]


def inputs(seed: int, shape: list[int]) -> Tensor:
    return torch.from_numpy(np.random.RandomState(seed).standard_normal(shape).astype("float32"))


def filled(name: str, shape: list[int]) -> Tensor:
    """The golden numbers' weights: each entry drawn from a seed that is its name."""
    if name.endswith("relative_position_index"):
        return relative_positions(round(shape[0] ** 0.25), torch.device("cpu")).flatten()
    values = inputs(zlib.crc32(name.encode()), shape) * 0.02
    return 1 + values if name.endswith("weight") and len(shape) == 1 else values


def names(model: str) -> dict[str, list[int]]:
    expanded = {}
    for pattern, shape in KEYS[model].items():
        span = re.search(r"\{(\d+)\.\.(\d+)\}", pattern)
        numbers = range(int(span[1]), int(span[2]) + 1) if span else [None]
        expanded |= {pattern.replace(span[0], str(n)) if span else pattern: shape for n in numbers}
    return expanded


def released_state(model: str) -> dict[str, Tensor]:
    return {name: filled(name, shape) for name, shape in names(model).items()}


@functools.cache
def released_student(model: str) -> Student:
    return read_released(released_state(model), f"{model}.pth")


def raw_stages(student: Student, images: Tensor, path: str, layers: list[int] | None) -> list[Tensor]:
    """What the golden numbers hold: Swin's maps channel last, ViT's token layers with the class token."""
    if layers is not None:
        outputs = student.trunk.token_layers(student.tokens(images, path))
        return [outputs[layer] for layer in layers]
    return [each.permute(0, 2, 3, 1) for each in student.encode(images, path).maps.values()]


@pytest.mark.parametrize(("model", "case"), CASES)
def test_features_equal_the_released_code_s(model: str, case: str) -> None:
    expected = FEATURES[model][case]
    student = released_student(model)
    assert student.trunk_size == BACKBONES[model]
    with torch.no_grad():
        images = inputs(expected["input_seed"], expected["input_shape"])
        stages = raw_stages(student, images, PATHS[case], expected.get("layers"))
    for found, stage in zip(stages, expected["stages"], strict=True):
        values = found.flatten()[stage["index"]]
        deviation = (values - torch.tensor(stage["values"])).abs().max().item() / stage["std"]
        assert list(found.shape) == stage["shape"]
        assert deviation < 1e-4
        assert found.mean().item() == pytest.approx(stage["mean"], abs=1e-4 * stage["std"])
        assert found.std(correction=0).item() == pytest.approx(stage["std"], rel=1e-4)


def small_released_state() -> dict[str, Tensor]:
    """A Swin checkpoint of the released kind, at the smallest size."""
    shapes = {}
    for name, value in build_student("swin-nano").state_dict().items():
        shapes[theirs(name)] = list(value.shape)
    for stage in range(4):
        shapes[f"features.{2 * stage}.0.attn.relative_position_index"] = [4**4]
    return {name: filled(name, shape) for name, shape in shapes.items()}


def theirs(name: str) -> str:
    """The released name of an entry of `Student.state_dict()` (Swin)."""
    for pattern, replacement in (
        (r"stems\.multispectral\.proj\.", "conv_ms.0."),
        (r"stems\.multispectral\.norm\.", "conv_ms.2."),
        (r"stems\.optical\.proj\.", "conv_rgb.0."),
        (r"stems\.optical\.norm\.", "conv_rgb.2."),
        (r"trunk\.norm\.", "norm."),
        (r"mlp\.2\.", "mlp.3."),
    ):
        name = re.sub(pattern, replacement, name)
    name = re.sub(r"trunk\.stages\.(\d+)\.blocks", lambda m: f"features.{2 * int(m[1])}", name)
    return re.sub(r"trunk\.stages\.(\d+)\.merging", lambda m: f"features.{2 * int(m[1]) - 1}", name)


def training_file(state: dict[str, Tensor]) -> dict:
    """As `MultiCropWrapper` names it: stems and heads beside the backbone, everything compiled and distributed."""
    student = {
        f"module._orig_mod.{'' if name.startswith('conv_') else 'backbone.'}{name}": value
        for name, value in state.items()
    }
    heads = ("head_ms.mlp.0.weight", "cls_head.mlp.0.weight", "patch_head_late.mlp.0.bias", "patch_head_mid.mlp.0.bias")
    student |= {f"module._orig_mod.{name}": torch.ones(2) for name in heads}
    return {"student": student, "teacher": {}, "epoch": 100, "args": argparse.Namespace(arch="swin_b", lr=0.0005)}


LAYOUTS: dict[str, Callable[[dict[str, Tensor]], dict]] = {
    "training file": training_file,
    "plain": dict,
    "torchgeo": lambda state: {f"feat_extr.{name}": value for name, value in state.items()},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_student(layout: str, tmp_path: Path) -> None:
    state = small_released_state()
    torch.save(LAYOUTS[layout](state), tmp_path / "file.pth")
    student = brew.load_student(tmp_path / "file.pth")
    assert (student.trunk_size, student.trained_paths) == ("swin-nano", ("multispectral", "optical"))
    assert not student.training
    loaded = student.state_dict()
    for name, value in loaded.items():
        assert torch.equal(value, state[theirs(name)]), name
    dropped = [name for group in student.provenance["dropped"].values() for name in group]
    heads_and_others = {"head_ms.mlp.0.weight", "teacher", "epoch", "args"}
    assert heads_and_others & set(dropped) == (heads_and_others if layout == "training file" else set())
    assert len(dropped) + len(loaded) == len(state) + (4 + 3 if layout == "training file" else 0)


@pytest.mark.parametrize("model", BACKBONES)
def test_every_released_entry_is_used_or_named_as_dropped(model: str) -> None:
    student = released_student(model)
    dropped = {name for group in student.provenance["dropped"].values() for name in group}
    used = names(model).keys() - dropped
    assert len(used) == len(student.state_dict())
    assert all(name.startswith("patch_embed.") or name.endswith("relative_position_index") for name in dropped)


def without(name: str) -> Callable[[dict[str, Tensor]], dict]:
    return lambda state: {key: value for key, value in state.items() if key != name}


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (without("features.2.0.mlp.0.bias"), r"trunk\.stages\.1\.blocks\.0\.mlp\.0\.bias is missing"),
        (without("conv_rgb.2.bias"), r"stems\.optical\.norm\.bias is missing"),
        (lambda state: state | {"features.0.0.gate": torch.ones(1)}, r"'features\.0\.0\.gate' is unknown"),
        (lambda state: state | {"decoder.weight": torch.ones(1)}, r"'decoder\.weight' is unknown"),
        (lambda state: state | {"norm.weight": torch.ones(5)}, r"'swin-nano': trunk\.norm\.weight has shape \(5,\)"),
        (lambda state: state | {"module.norm.weight": torch.ones(128)}, r"'module\.norm\.weight' is there twice"),
        (
            lambda state: state | {"features.0.0.attn.relative_position_index": torch.zeros(256, dtype=torch.long)},
            r"relative_position_index.* is not the index",
        ),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(damage: Callable[[dict], dict], message: str) -> None:
    with pytest.raises(BrewError, match=message):
        read_released(damage(small_released_state()), "file.pth")


def test_other_content_is_not_taken_for_a_released_checkpoint(tmp_path: Path) -> None:
    for content in ({"weight": torch.ones(2)}, {"student": 3}, [torch.ones(2)], {}):
        assert not is_released(content)
        torch.save(content, tmp_path / "other.pth")
        with pytest.raises(BrewError, match="expected a student of brew"):
            load_student(tmp_path / "other.pth")


def test_every_trunk_is_told_from_the_others_by_its_entries() -> None:
    with torch.device("meta"):
        shapes = {
            name: frozenset((entry, tuple(value.shape)) for entry, value in build_student(name).state_dict().items())
            for name in TRUNKS
        }
    assert len(set(shapes.values())) == len(TRUNKS)
