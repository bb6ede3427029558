"""How the networks of timm and torchgeo are built and read.

A builder of torchgeo's takes one of torchgeo's weights, whose file lies on this machine (`BackboneEntry.load` has
looked), or None for untrained ones, which are for contract tests alone.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from brew.evaluation.zoo.tapped import Architecture, View, quarters
from brew.models.teachers import TEACHERS
from brew.sensors import Band

#: Bandwidths in nanometres, as the authors of Copernicus-FM give them to it (configurations of Copernicus-Bench).
_BANDWIDTHS_NM = {
    "B1": 20, "B2": 65, "B3": 35, "B4": 30, "B5": 15, "B6": 15, "B7": 20, "B8": 115, "B8A": 20, "B9": 20, "B10": 30,
    "B11": 90, "B12": 180,
}  # fmt: skip


def teachers_vit(teacher: str, random: bool) -> nn.Module:
    """The vision transformer of timm that an optical teacher is; random: untrained, for contract tests alone."""
    network: Any = TEACHERS[teacher].build(random=random).network
    return network.vit


def ssl4eo_s12(weights: Any) -> nn.Module:
    given = {"weights": weights} if weights else {"in_chans": 13}
    return _torchgeo().vit_small_patch16_224(**given, num_classes=0)


def satlas(weights: Any) -> nn.Module:
    net = _torchgeo().swin_v2_b(weights)
    if not weights:
        net.features[0][0] = nn.Conv2d(9, 128, kernel_size=4, stride=4)
    net.head = nn.Identity()
    return net


def scale_mae(weights: Any) -> nn.Module:
    return _torchgeo().scalemae_large_patch16(weights, num_classes=0)


def croma(weights: Any) -> nn.Module:
    return _torchgeo().croma_base(weights, modalities=["optical"])


def dofa(weights: Any) -> nn.Module:
    return _torchgeo().dofa_base_patch16_224(weights, num_classes=0)


def panopticon(weights: Any) -> nn.Module:
    return _torchgeo().panopticon_vitb14(weights).model


def copernicus_fm(weights: Any) -> nn.Module:
    return _torchgeo().copernicusfm_base(weights)


def _torchgeo() -> Any:
    from torchgeo import models  # takes seconds to import, which a scale without these networks need not wait for

    return models


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
