"""One adapter for networks of any library: what passes four of their layers becomes the maps.

A vision transformer has one resolution. Its maps are the patch tokens after the blocks at 1/4, 1/2, 3/4 and all of the
depth, without the final norm. The maps are resized to strides 4, 8, 16 and 32, as evaluations with UPerNet do. A
hierarchical network gives its own four.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from brew.evaluation.backbones import STRIDES, Images, cells
from brew.evaluation.zoo.contract import Contract
from brew.sensors import Band


@dataclass(frozen=True)
class View:
    """One batch as a network sees it. images: (batch, channel, y, x), normalised. bands: of its channels.

    metres: between pixels, after the images were resized.
    """

    images: Float[Tensor, "batch channel y x"]
    bands: tuple[Band, ...]
    metres: float


@dataclass(frozen=True)
class Architecture:
    """How a network is read.

    pooled: network and view -> (batch, width); runs the whole network. taps: its four layers, the finest first.
    side: "output" or "input" of a tap is what is kept.
    multiple: sides are resized to multiples of it, in pixels. size: the one size, in pixels, that it takes; None if
    it takes any. smallest: images with a shorter side are enlarged to it.
    channels_first: its maps are (batch, width, y, x), not (batch, y, x, width).
    """

    pooled: Callable[[Any, View], Tensor]
    taps: Callable[[Any], Sequence[nn.Module]]
    multiple: int
    size: int | None = None
    smallest: int = 1
    side: Literal["input", "output"] = "output"
    channels_first: bool = False

    @property
    def sizes(self) -> str:
        """To which sizes images are resized, in words."""
        if self.size:
            return f"{self.size} x {self.size}"
        return f"multiples of {self.multiple}" + (f", from {self.smallest}" if self.smallest > self.multiple else "")


def quarters(blocks: nn.ModuleList | nn.Sequential) -> list[nn.Module]:
    """The blocks at 1/4, 1/2, 3/4 and all of the depth."""
    return [blocks[len(blocks) * part // 4 - 1] for part in (1, 2, 3, 4)]


@dataclass(frozen=True)
class TappedBackbone:
    """A network of others, frozen. contract: what it takes. architecture: how it is read."""

    name: str
    network: nn.Module
    contract: Contract
    architecture: Architecture

    def __post_init__(self) -> None:
        self.network.eval().requires_grad_(False)

    @torch.no_grad()
    def pyramid(self, images: Images, sensor: str, standardised: bool = False) -> list[Tensor]:
        view, kept = self._view(images, sensor, standardised), []

        def keep(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            kept.append(output if self.architecture.side == "output" else inputs[0])

        hooks = [layer.register_forward_hook(keep) for layer in self.architecture.taps(self.network)]
        try:
            self.architecture.pooled(self.network, view)
        finally:
            for hook in hooks:
                hook.remove()
        patches = view.images.shape[2] // self.architecture.multiple, view.images.shape[3] // self.architecture.multiple
        return [
            F.interpolate(
                layer if self.architecture.channels_first else _map(layer, patches),
                size=cells(images.shape[2:], stride),
                mode="bilinear",
                antialias=True,
            )
            for layer, stride in zip(kept, STRIDES, strict=True)
        ]

    @torch.no_grad()
    def pooled(self, images: Images, sensor: str, standardised: bool = False) -> Tensor:
        return self.architecture.pooled(self.network, self._view(images, sensor, standardised))

    def _view(self, images: Images, sensor: str, standardised: bool) -> View:
        channels, bands = self.contract.prepare(images, sensor, self.name, standardised)
        how, before = self.architecture, channels.shape[2:]
        enlarge = max(1.0, how.smallest / min(before))
        sides = [how.size or max(1, round(side * enlarge / how.multiple)) * how.multiple for side in before]
        if sides != list(before):
            channels = F.interpolate(channels, size=sides, mode="bilinear", antialias=True)
        return View(channels, bands, bands[0].resolution_m * before[0] / sides[0])


def _map(layer: Tensor, patches: tuple[int, int]) -> Float[Tensor, "batch width y x"]:
    """A layer as a map: (batch, y, x, width) of a hierarchical network, or (batch, token, width), patches last."""
    if layer.ndim == 4:
        return layer.permute(0, 3, 1, 2)
    return layer[:, -patches[0] * patches[1] :].transpose(1, 2).unflatten(2, patches)
