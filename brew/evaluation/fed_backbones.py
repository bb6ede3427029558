"""A backbone whose images a protocol prepares: other statistics, another order of bands, another size.

Whoever evaluates it hands over native images as ever. The labels keep their own grid, to which logits are resized.
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from brew.errors import BrewError
from brew.evaluation.backbones import Backbone, Images, StudentBackbone, TeacherBackbone, true_colour
from brew.evaluation.zoo.tapped import TappedBackbone
from brew.sensors import sensor

#: Mean and deviation of each band, in native units.
Moments = tuple[tuple[float, ...], tuple[float, ...]]


@dataclass(frozen=True)
class FedBackbone:
    """backbone: what is fed. moments: standardise images before; None leaves that to the backbone.

    order: which band stands in each band's place, as positions among the sensor's; None leaves them. size: pixels per
    side to which images are resized, bilinearly.
    """

    backbone: Any
    moments: Moments | None
    order: tuple[int, ...] | None
    size: int

    @property
    def name(self) -> str:
        return self.backbone.name

    @property
    def student(self) -> torch.nn.Module:
        """Of a fed student, the network that is trained."""
        return self.backbone.student

    def pyramid(self, images: Images, sensor: str, standardised: bool = False) -> list[Tensor]:
        fed = self._fed(images, standardised)
        return self.backbone.pyramid(fed, sensor, standardised=standardised or self.moments is not None)

    def pooled(self, images: Images, sensor: str, standardised: bool = False) -> Tensor:
        fed = self._fed(images, standardised)
        return self.backbone.pooled(fed, sensor, standardised=standardised or self.moments is not None)

    def _fed(self, images: Images, standardised: bool) -> Tensor:
        if standardised and self.moments is not None:
            raise BrewError(
                f"backbone {self.name!r}: the images are standardised already; expected native ones, or a protocol "
                "that leaves statistics to the backbone"
            )
        values = images.float()
        if self.moments is not None:
            mean, std = (torch.tensor(part, device=values.device).view(1, -1, 1, 1) for part in self.moments)
            values = (values - mean) / std
        if self.order is not None:
            values = values[:, list(self.order)]
        if tuple(values.shape[-2:]) == (self.size, self.size):
            return values
        shrinks = self.size < values.shape[-2]
        return F.interpolate(
            values, size=(self.size, self.size), mode="bilinear", align_corners=False, antialias=shrinks
        )


def fed_order(
    backbone: Backbone, name: str, bands: tuple[str, ...], colours: tuple[int, int, int]
) -> tuple[int, ...] | None:
    """Which band a fed network finds in each place of a sensor's order; None if it finds the sensor's own.

    bands: in the order in which networks were fed that read positions, as students do. colours: which of these a
    network of red, green and blue got. Other networks name their bands and get them. An image of three bands stays.
    """
    found = sensor(name)
    if len(found) <= len(colours):
        return None
    positions = [found.band_names.index(band) for band in bands or found.band_names]
    order = list(range(len(found)))
    if isinstance(backbone, StudentBackbone):
        order = positions
    elif _sees_colours_alone(backbone, name):
        for place, chosen in zip(true_colour(found), colours, strict=True):
            order[place] = positions[chosen]
    return None if order == list(range(len(found))) else tuple(order)


def _sees_colours_alone(backbone: Backbone, name: str) -> bool:
    if isinstance(backbone, TappedBackbone):
        found = sensor(name)
        inputs = backbone.contract.inputs(name, backbone.name)
        return set(inputs.taken(found)) == {found.band_names[place] for place in true_colour(found)}
    return isinstance(backbone, TeacherBackbone)
