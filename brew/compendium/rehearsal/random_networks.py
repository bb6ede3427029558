"""Seeded random networks in the places of teachers and backbones whose weights have to be obtained.

A rehearsal asks for them by name; nothing else does. Each is of the class of the network that it stands for, with four
blocks of 96 channels in the place of 12 to 24 of 384 to 1024. Bands, units, patches, sizes of images and the layers
that are read stay as they are.

Left out: EfficientNet-Lite0 and per-band statistics, which every installation has.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from brew.evaluation.backbones import Backbone, StudentBackbone
from brew.evaluation.zoo import BACKBONES, BackboneEntry, networks
from brew.evaluation.zoo.tapped import Architecture, TappedBackbone
from brew.models.miniature_teacher import TeacherFeatures, token_features
from brew.models.student import build_student
from brew.models.teachers import TEACHERS, TeacherEntry
from brew.randomness import key

#: Channels, blocks and attention heads; four layers of a network are read, so fewer blocks would not do.
WIDTH, DEPTH, HEADS = 96, 4, 3
#: Heads of CROMA's and Panopticon's attention over places and bands, as these have them.
_MANY_HEADS = 16
_TRANSFORMER: dict[str, Any] = {"embed_dim": WIDTH, "depth": DEPTH, "num_heads": HEADS}


class SmallDino(nn.Module):
    """A transformer of timm's by the name of one that DINO trained, read as a teacher is, at half and all its depth."""

    def __init__(self, timm_name: str):
        import timm

        super().__init__()
        self.vit: Any = timm.create_model(timm_name, num_classes=0, dynamic_img_size=True, **_TRANSFORMER)

    def forward(self, images: Tensor) -> TeacherFeatures:
        return token_features(self.vit, images, DEPTH // 2)


def scale_mae() -> nn.Module:
    from torchgeo.models import ScaleMAE  # takes seconds to import

    return ScaleMAE(patch_size=16, num_classes=0, **_TRANSFORMER)


def croma() -> nn.Module:
    from torchgeo.models import CROMA

    return CROMA(modalities=["optical"], encoder_dim=WIDTH, encoder_depth=DEPTH, num_heads=_MANY_HEADS)


def dofa() -> nn.Module:
    from torchgeo.models import DOFA

    return DOFA(patch_size=16, num_classes=0, **_TRANSFORMER)


def panopticon() -> nn.Module:
    """As torchgeo's Panopticon builds it, whose constructor fixes the size of the transformer."""
    import timm
    from torchgeo.models.panopticon import PanopticonPE

    vit: Any = timm.create_model("vit_base_patch14_dinov2", **_TRANSFORMER)
    attention = {"attn_cfg": {"num_heads": _MANY_HEADS}}
    vit.patch_embed = PanopticonPE(attn_dim=WIDTH, embed_dim=WIDTH, patch_size=14, img_size=224, chnfus_cfg=attention)
    vit.pos_embed = nn.Parameter(torch.randn(1, 1 + (224 // 14) ** 2, WIDTH))
    return vit


def copernicus_fm() -> nn.Module:
    from torchgeo.models import CopernicusFM

    return CopernicusFM(**_TRANSFORMER)


def ssl4eo_s12() -> nn.Module:
    import timm

    return timm.create_model("vit_small_patch16_224", in_chans=13, num_classes=0, **_TRANSFORMER)


def satlas() -> nn.Module:
    from torchvision.models.swin_transformer import PatchMergingV2, SwinTransformer, SwinTransformerBlockV2

    net = SwinTransformer(
        [4, 4], WIDTH // 4, [1] * DEPTH, [1, 2, 4, 8], [8, 8], block=SwinTransformerBlockV2,
        downsample_layer=PatchMergingV2,
    )  # fmt: skip
    net.features[0][0] = nn.Conv2d(9, WIDTH // 4, kernel_size=4, stride=4)
    net.head = nn.Identity()
    return net


#: Backbone -> its network and how the network is read, of those that other libraries build.
_OF_TORCHGEO: dict[str, tuple[Callable[[], nn.Module], Architecture]] = {
    "scale-mae": (scale_mae, networks.SCALE_MAE),
    "croma": (croma, networks.CROMA),
    "dofa": (dofa, networks.DOFA),
    "panopticon": (panopticon, networks.PANOPTICON),
    "copernicus-fm": (copernicus_fm, networks.COPERNICUS_FM),
    "ssl4eo-s12": (ssl4eo_s12, networks.SSL4EO_S12),
    "satlas": (satlas, networks.SATLAS),
}
#: Released student -> a trunk of its kind.
_STUDENTS = {"deo-swin-b": "swin-nano", "deo-vit-b": "vit-micro"}
#: Backbone -> the teacher that it is, and how it is read.
_DINO = {
    "dinov2-b": ("dinov2-vitb14", networks.DINOV2),
    "dinov3-b": ("dinov3-vitb16", networks.DINOV3),
    "dinov3-l-sat": ("dinov3-vitl16-sat", networks.DINOV3),
}


def use() -> None:
    """Put the random networks into TEACHERS and BACKBONES, for this process and those that it forks."""
    TEACHERS.update(teachers())
    BACKBONES.update(backbones())


def teachers() -> dict[str, TeacherEntry]:
    """The teachers whose weights have to be obtained, with random ones."""
    return {name: _teacher(entry) for name, entry in TEACHERS.items() if name.startswith("dino")}


def _teacher(entry: TeacherEntry) -> TeacherEntry:
    def network(random: bool, download: bool) -> nn.Module:
        return _drawn(entry.name, lambda: SmallDino(entry.source.split()[-1]))

    return replace(entry, network=network, width=WIDTH, late_width=WIDTH, middle_width=WIDTH)


def backbones() -> dict[str, BackboneEntry]:
    """The backbones whose weights have to be obtained, with random ones."""
    builders: dict[str, Callable[[], Backbone]] = {
        name: partial(_tapped, name, network, architecture)
        for name, (network, architecture) in (_OF_TORCHGEO | _of_teachers()).items()
    }
    builders |= {name: partial(_student, name, trunk) for name, trunk in _STUDENTS.items()}
    return {name: _random(BACKBONES[name], build) for name, build in builders.items()}


def _of_teachers() -> dict[str, tuple[Callable[[], nn.Module], Architecture]]:
    made = teachers()
    return {name: (partial(_vit_of, made[teacher]), architecture) for name, (teacher, architecture) in _DINO.items()}


def _vit_of(teacher: TeacherEntry) -> nn.Module:
    network: Any = teacher.build().network
    return network.vit


def _tapped(name: str, network: Callable[[], nn.Module], architecture: Architecture) -> Backbone:
    return TappedBackbone(name, _drawn(name, network), BACKBONES[name].contract, architecture)


def _student(name: str, trunk: str) -> Backbone:
    return StudentBackbone(name, build_student(trunk, seed=key(name)))


def _random(entry: BackboneEntry, build: Callable[[], Backbone]) -> BackboneEntry:
    return replace(entry, build=lambda _: build(), weights=None)


def _drawn(name: str, build: Callable[[], nn.Module]) -> nn.Module:
    """A network of weights that are the same in every process."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(key(name))
        return build()
