"""DINOv3 as brew reads it from timm, against transformers' own DINOv3 with the same random weights."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from brew.models.teachers import TEACHERS

#: Names of timm -> of transformers, in one block.
_BLOCK = {
    "norm1.weight": "norm1.weight", "norm1.bias": "norm1.bias",
    "norm2.weight": "norm2.weight", "norm2.bias": "norm2.bias",
    "attn.proj.weight": "attention.o_proj.weight", "attn.proj.bias": "attention.o_proj.bias",
    "mlp.fc1.weight": "mlp.up_proj.weight", "mlp.fc1.bias": "mlp.up_proj.bias",
    "mlp.fc2.weight": "mlp.down_proj.weight", "mlp.fc2.bias": "mlp.down_proj.bias",
    "gamma_1": "layer_scale1.lambda1", "gamma_2": "layer_scale2.lambda1",
}  # fmt: skip


def converted(vit: nn.Module, blocks: int) -> dict[str, Tensor]:
    """timm's weights under transformers' names; queries and values have no bias in timm."""
    own = vit.state_dict()
    found = {
        "embeddings.cls_token": own["cls_token"], "embeddings.register_tokens": own["reg_token"],
        "embeddings.patch_embeddings.weight": own["patch_embed.proj.weight"],
        "embeddings.patch_embeddings.bias": own["patch_embed.proj.bias"],
        "norm.weight": own["norm.weight"], "norm.bias": own["norm.bias"],
    }  # fmt: skip
    for block in range(blocks):
        for theirs, name in _BLOCK.items():
            found[f"layer.{block}.{name}"] = own[f"blocks.{block}.{theirs}"]
        parts = own[f"blocks.{block}.attn.qkv.weight"].chunk(3)
        for part, name in zip(parts, ("q_proj", "k_proj", "v_proj"), strict=True):
            found[f"layer.{block}.attention.{name}.weight"] = part
    return found


@torch.no_grad()
def test_class_token_late_and_middle_patches_are_those_of_transformers() -> None:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    network: Any = TEACHERS["dinov3-vits16"].build(random=True).network
    for name, value in network.vit.named_parameters():
        if name.endswith(("gamma_1", "gamma_2")) or "norm" in name or "token" in name:
            value.copy_(torch.randn_like(value))  # as initialised, these would hide a mistake
    blocks = len(network.vit.blocks)
    config = transformers.DINOv3ViTConfig(
        hidden_size=384, intermediate_size=1536, num_hidden_layers=blocks, num_attention_heads=6, num_register_tokens=4,
        query_bias=False, value_bias=False,
    )  # fmt: skip
    theirs = transformers.DINOv3ViTModel(config).eval()
    missing, unexpected = theirs.load_state_dict(converted(network.vit, blocks), strict=False)
    assert missing == ["embeddings.mask_token"] and not unexpected
    held: list[Tensor] = []
    layer = theirs.layer[network.middle]
    layer.register_forward_hook(
        lambda _, given, output: held.append(output if isinstance(output, Tensor) else output[0])
    )
    for sides in ((64, 64), (96, 48)):
        images = torch.randn(2, 3, *sides)
        ours, tokens = network.eval()(images), theirs(images).last_hidden_state
        first = 1 + config.num_register_tokens
        grid = sides[0] // 16, sides[1] // 16

        def as_map(values: Tensor, first: int = first, grid: tuple[int, int] = grid) -> Tensor:
            return values[:, first:].transpose(1, 2).unflatten(2, grid)

        for one, other in (
            (ours.class_token, tokens[:, 0]), (ours.late, as_map(tokens)), (ours.middle, as_map(theirs.norm(held[-1]))),
        ):  # fmt: skip
            assert one.shape == other.shape and torch.allclose(one, other, rtol=1e-4, atol=1e-4)
