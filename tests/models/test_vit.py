"""The ViT equals timm's where sizes agree, and reads its position table as DINO does where they do not."""

import functools
import math

import pytest
import torch
import torch.nn.functional as F
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from brew.models.stems import Stem
from brew.models.vit import ViT

WIDTH, DEPTH, GRID, PATCH = 12, 4, 5, 8


@functools.cache
def trunk(stochastic_depth: float = 0.0) -> ViT:
    torch.manual_seed(0)
    vit = ViT(WIDTH, DEPTH, 3, PATCH, GRID, stochastic_depth).double()
    for parameter in vit.parameters():
        nn.init.normal_(parameter, std=0.4)
    return vit


def tokens(batch: int, rows: int, columns: int) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(batch, rows, columns, WIDTH, dtype=torch.float64, generator=generator)


def test_stem_and_layers_equal_timm_s() -> None:
    vit = trunk()
    stem = Stem(3, WIDTH, PATCH, norm=False).double()
    size = GRID * PATCH
    reference = VisionTransformer(size, PATCH, embed_dim=WIDTH, depth=DEPTH, num_heads=3, num_classes=0).double()
    state = {name.replace("encoder.", "blocks."): value for name, value in vit.state_dict().items()}
    reference.load_state_dict(state | {f"patch_embed.{name}": value for name, value in stem.state_dict().items()})
    images = torch.randn(2, 3, size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    last, layers = reference.forward_intermediates(images, output_fmt="NLC", return_prefix_tokens=True)
    for found, (patches, prefix) in zip(vit.token_layers(stem(images)), layers, strict=True):
        torch.testing.assert_close(found, torch.cat([prefix, patches], 1))
    torch.testing.assert_close(vit(stem(images)).pooled, last[:, 0])


@pytest.mark.parametrize(("rows", "columns"), [(3, 3), (5, 9), (7, 2), (1, 1), (12, 11)])
def test_positions_are_read_at_dino_s_points(rows: int, columns: int) -> None:
    """At (i + .5) * grid / (size + .1) - .5, whose neighbourhood of four entries is weighted cubically (a = -.75)."""
    vit = trunk()
    table = vit.pos_embed[0, 1:].unflatten(0, (GRID, GRID))

    def weights(size: int) -> Tensor:
        matrix = torch.zeros(size, GRID, dtype=torch.float64)
        for i in range(size):
            point = (i + 0.5) * GRID / (size + 0.1) - 0.5
            for j in range(math.floor(point) - 1, math.floor(point) + 3):
                d, a = abs(point - j), -0.75
                near, far = (a + 2) * d**3 - (a + 3) * d**2 + 1, a * (d**3 - 5 * d**2 + 8 * d - 4)
                matrix[i, min(max(j, 0), GRID - 1)] += near if d <= 1 else far if d < 2 else 0.0
        return matrix

    expected = torch.einsum("yi,xj,ijc->yxc", weights(rows), weights(columns), table)
    found = vit.positions(rows, columns)[0]
    torch.testing.assert_close(found[1:].unflatten(0, (rows, columns)), expected)
    torch.testing.assert_close(found[0], vit.pos_embed[0, 0])


def test_its_own_grid_is_read_as_it_is() -> None:
    assert trunk().positions(GRID, GRID) is trunk().pos_embed


@pytest.mark.parametrize("patch", [8, 16])
def test_maps_have_one_value_per_stride(patch: int) -> None:
    vit = ViT(6, 6, 1, patch, 4)
    rows, columns = 96 // patch, 128 // patch
    features = vit(torch.randn(1, rows, columns, 6))
    sizes = {name: tuple(each.shape[2:]) for name, each in features.maps.items()}
    assert sizes == {f"stride{stride}": (96 // stride, 128 // stride) for stride in (4, 8, 16, 32)}
    assert features.late.shape == features.middle.shape == (1, 6, rows, columns)
    smallest = vit(torch.randn(1, 1, 1, 6)).maps["stride32"]
    assert smallest.shape == (1, 6, 1, 1)


def test_maps_patches_and_depths() -> None:
    """Twelve blocks: maps after 3, 5, 8 and 11, middle patches after 5, as in the released code; else in proportion."""
    vit = ViT(6, 12, 1, 8, 3)
    assert vit.layers == (3, 5, 8, 11)
    assert ViT(6, 24, 1, 8, 3).layers == (7, 11, 17, 23)
    assert ViT(6, 1, 1, 8, 3).layers == (0, 0, 0, 0)
    x = torch.randn(1, 4, 5, 6)
    features, layers = vit(x), vit.token_layers(x)
    for map_, layer in (
        (features.maps["stride8"], layers[5]),
        (features.middle, layers[5]),
        (features.late, layers[11]),
    ):
        torch.testing.assert_close(map_.flatten(2).transpose(1, 2), layer[:, 1:])
    enlarged = F.interpolate(layers[3][:, 1:].transpose(1, 2).unflatten(2, (4, 5)), scale_factor=2, mode="bilinear")
    torch.testing.assert_close(features.maps["stride4"], enlarged)


def test_without_positions_the_order_of_patches_does_not_matter() -> None:
    torch.manual_seed(0)
    vit = ViT(WIDTH, DEPTH, 3, PATCH, GRID)
    nn.init.zeros_(vit.pos_embed)
    x = torch.randn(1, 4, 4, WIDTH)
    order = torch.randperm(16)
    shuffled = vit(x.flatten(1, 2)[:, order].unflatten(1, (4, 4)))
    features = vit(x)
    torch.testing.assert_close(shuffled.pooled, features.pooled)
    torch.testing.assert_close(shuffled.late.flatten(2), features.late.flatten(2)[..., order])


def test_what_is_dropped_depends_on_a_sample_s_own_draws_alone() -> None:
    vit = trunk(0.6)
    x = tokens(3, 4, 4)
    drop = torch.rand(3, 2 * vit.blocks, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    together = vit.train()(x, drop)
    for i in range(3):
        torch.testing.assert_close(vit(x[i : i + 1], drop[i : i + 1]).pooled, together.pooled[i : i + 1])


def test_each_draw_drops_its_own_branch() -> None:
    """A dropped branch gets no gradient, every other one does; the first block's are never dropped."""
    vit = trunk(0.6)
    branches = [weight for block in vit.encoder for weight in (block.attn.proj.weight, block.mlp.fc2.weight)]
    for dropped in range(2 * vit.blocks):
        draws = torch.ones(1, 2 * vit.blocks, dtype=torch.float64)
        draws[:, dropped] = 0
        gradients = torch.autograd.grad(vit(tokens(1, 3, 3), draws).pooled.sum(), branches)
        expected = [dropped] if dropped > 1 else []
        assert [i for i, gradient in enumerate(gradients) if not gradient.any()] == expected
