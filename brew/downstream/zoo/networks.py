"""How the networks of timm and torchgeo are built and read.

Each builder takes `random`: untrained weights, for contract tests alone. Without it the weights lie on this machine,
since `BackboneEntry.load` has looked for them.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torchgeo import models as torchgeo

from brew.downstream.zoo.tapped import Architecture, View, quarters
from brew.models.teachers import TEACHERS
from brew.sensors import Band

#: Bandwidths in nanometres, as the authors of Copernicus-FM give them to it (configurations of Copernicus-Bench).
_BANDWIDTHS_NM = {
    "B1": 20, "B2": 65, "B3": 35, "B4": 30, "B5": 15, "B6": 15, "B7": 20, "B8": 115, "B8A": 20, "B9": 20, "B10": 30,
    "B11": 90, "B12": 180,
}  # fmt: skip


def teachers_vit(teacher: str, random: bool) -> nn.Module:
    """The vision transformer of timm that an optical teacher is."""
    network: Any = TEACHERS[teacher].build(random=random).network
    return network.vit


def ssl4eo_s12(random: bool) -> nn.Module:
    given: Any = {"in_chans": 13} if random else {"weights": torchgeo.ViTSmall16_Weights.SENTINEL2_ALL_DINO}
    return torchgeo.vit_small_patch16_224(**given, num_classes=0)


def satlas(random: bool) -> nn.Module:
    net = torchgeo.swin_v2_b(None if random else torchgeo.Swin_V2_B_Weights.SENTINEL2_SI_MS_SATLAS)
    if random:
        net.features[0][0] = nn.Conv2d(9, 128, kernel_size=4, stride=4)
    net.head = nn.Identity()
    return net


def scale_mae(random: bool) -> nn.Module:
    return torchgeo.scalemae_large_patch16(None if random else torchgeo.ScaleMAELarge16_Weights.FMOW_RGB, num_classes=0)


def croma(random: bool) -> nn.Module:
    return torchgeo.croma_base(None if random else torchgeo.CROMABase_Weights.CROMA_VIT, modalities=["optical"])


def dofa(random: bool) -> nn.Module:
    return torchgeo.dofa_base_patch16_224(None if random else torchgeo.DOFABase16_Weights.DOFA_MAE, num_classes=0)


def panopticon(random: bool) -> nn.Module:
    return torchgeo.panopticon_vitb14(None if random else torchgeo.Panopticon_Weights.VIT_BASE14).model


def copernicus_fm(random: bool) -> nn.Module:
    return torchgeo.copernicusfm_base(None if random else torchgeo.CopernicusFM_Base_Weights.CopernicusFM_ViT)


def _class_token(net: Any, view: View) -> Tensor:
    return net.forward_features(view.images)[:, 0]


def _scaled_class_token(net: Any, view: View) -> Tensor:
    net.res = view.metres
    return _class_token(net, view)


def _with_channel_ids(net: Any, view: View) -> Tensor:
    # The network writes into its channel identifiers, so every batch gets its own.
    ids = torch.tensor(_nanometres(view.bands), device=view.images.device).expand(len(view.images), -1).clone()
    return net.forward_features({"imgs": view.images, "chn_ids": ids})[:, 0]


def _with_wavelengths(net: Any, view: View) -> Tensor:
    return net.forward_features(view.images, [band.wavelength_um for band in view.bands])


def _with_bandwidths(net: Any, view: View) -> Tensor:
    """Place, date and area unknown, which the network has tokens of its own for."""
    unknown = torch.full((len(view.images), 4), float("nan"), device=view.images.device)
    widths = [_BANDWIDTHS_NM[band.name] for band in view.bands]
    return net.forward_features(view.images, unknown, _nanometres(view.bands), widths)


def _nanometres(bands: Sequence[Band]) -> list[float]:
    return [round(1000 * band.wavelength_um, 1) for band in bands]


def _mean_of_optical(net: Any, view: View) -> Tensor:
    return net(x_optical=view.images)["optical_GAP"]


def _croma_taps(net: Any) -> list[nn.Module]:
    """What enters the layers after 1/4, 1/2 and 3/4 of the depth, and the final norm: residuals are added between."""
    transformer = net.s2_encoder.transformer
    depth = len(transformer.layers)
    return [*(transformer.layers[depth * part // 4][0] for part in (1, 2, 3)), transformer.norm_out]


def _transformer(pooled: Callable[[Any, View], Tensor], patch: int = 16, size: int | None = 224) -> Architecture:
    """A transformer of one resolution with `blocks`. Position tables of torchgeo's fit one size, timm's any."""
    return Architecture(pooled, lambda net: quarters(net.blocks), patch, size, smallest=224)


DINOV2 = _transformer(_class_token, patch=14, size=None)
DINOV3 = _transformer(_class_token, size=None)
SSL4EO_S12 = _transformer(_class_token)
SCALE_MAE = _transformer(_scaled_class_token)
DOFA = _transformer(_with_wavelengths)
PANOPTICON = _transformer(_with_channel_ids, patch=14)
COPERNICUS_FM = _transformer(_with_bandwidths)
CROMA = Architecture(_mean_of_optical, _croma_taps, multiple=8, size=120, side="input")
SATLAS = Architecture(lambda net, view: net(view.images), lambda net: net.features[1::2], multiple=32)
