"""Models of torchgeo-bench as entries of BACKBONES: its own weights, its own normalisation, our tables.

torchgeo-bench (PyPI, Python 3.12 or later; read at version 0.4.0) builds a model from the facts of its bands and gives
one vector per image of native values. The maps are what passes four of its layers; the files conf/model/*.yaml of
torchgeo-bench name such layers for many models.

    from_torchgeo_bench(
        "moco-resnet50",
        BenchModel("TorchGeoResNetBench", {"weights_member": "SENTINEL2_RGB_MOCO"}, "sentinel2-rgb",
                   tuple(f"backbone.layer{i}" for i in (1, 2, 3, 4)), multiple=32, channels_first=True),
        TorchgeoFile("ResNet50_Weights.SENTINEL2_RGB_MOCO", "SSL4EO-S12", "CC-BY-4.0"),
    )

Left out: untrained weights (its models load theirs when they are built), and models that read several sensors.
"""

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from brew.errors import BrewError
from brew.evaluation.zoo.contract import Contract, Inputs
from brew.evaluation.zoo.entry import BackboneEntry, tapped
from brew.evaluation.zoo.tapped import Architecture, View
from brew.evaluation.zoo.weights import BackboneUnavailable, Weights
from brew.sensors import SENSORS, sensor

PACKAGE = "torchgeo_bench"


@dataclass(frozen=True)
class BenchModel:
    """How a model of torchgeo-bench is built and read.

    kind: its class in torchgeo_bench.models. arguments: of that class, beside the bands. sensor: whose bands and unit
    its weights take. layers: names of the four that give maps, the finest first.
    multiple, size: to which images are resized (see `Architecture`). If the model resizes by itself, `size` is its own.
    channels_first: its layers give (batch, channel, y, x), as ResNets do; else (batch, y, x, channel) or tokens.
    """

    kind: str
    arguments: Mapping[str, Any]
    sensor: str
    layers: tuple[str, str, str, str]
    multiple: int
    size: int | None = None
    channels_first: bool = False

    def build(self, random: bool = False) -> nn.Module:
        """The model with its weights; BrewError if an untrained one is asked for."""
        if random:
            raise BrewError(f"{self.kind} loads its weights when it is built; expected no untrained one: load it whole")
        kinds, base = import_module(f"{PACKAGE}.models"), import_module(f"{PACKAGE}.datasets.base")
        return getattr(kinds, self.kind)(bands=[base.BandSpec(**facts) for facts in self.bands()], **self.arguments)

    def bands(self) -> list[dict[str, Any]]:
        """The facts of each band, by the names that torchgeo-bench has for them. max: what is shown as white."""
        found = sensor(self.sensor)
        family = "s2" if found.unit == SENSORS["sentinel2"].unit else "aerial"
        numbers = zip(found.bands, found.mean, found.std, strict=True)
        return [
            {
                "sensor": family, "name": _name(band.name), "source_name": band.name, "mean": mean, "std": std,
                "min": found.valid[0], "max": found.white, "wavelength_um": band.wavelength_um,
            }
            for band, mean, std in numbers
        ]  # fmt: skip

    def architecture(self) -> Architecture:
        """How the maps and the vector are taken."""
        return Architecture(
            _pooled, partial(_layers, self.layers), self.multiple, self.size, channels_first=self.channels_first
        )

    def contract(self) -> Contract:
        """Native values of the sensor's bands, which the model normalises itself."""
        found = sensor(self.sensor)
        inputs = Inputs(found.band_names, "torchgeo-bench, which normalises native values", (1.0,) * len(found))
        return Contract(inputs, None) if found.unit == SENSORS["sentinel2"].unit else Contract(None, inputs)


@dataclass(frozen=True)
class PackagedWeights:
    """Weights that torchgeo-bench reads. read: the file that it loads."""

    read: Weights

    @property
    def source(self) -> str:
        return f"{self.read.source}, read by torchgeo-bench"

    @property
    def licence(self) -> str:
        return self.read.licence

    def file(self) -> Path:
        if importlib.util.find_spec(PACKAGE) is None:
            raise BackboneUnavailable("install torchgeo-bench into an environment of Python 3.12 or later")
        return self.read.file()


def from_torchgeo_bench(name: str, model: BenchModel, weights: Weights) -> BackboneEntry:
    """An entry of BACKBONES. weights: the file that the model loads, which identifies it and says what is absent."""
    read = PackagedWeights(weights)
    return tapped(name, model.build, model.architecture(), model.contract(), read, __name__, asdict(model))


def _name(band: str) -> str:
    """B4 as b04 and B8A as b8a, as torchgeo-bench's aliases have them; colours as they are."""
    return f"b{int(band[1:]):02d}" if band[1:].isdigit() else band.lower()


def _pooled(network: Any, view: View) -> Tensor:
    return network.forward_patch_features(view.images)


def _layers(names: Sequence[str], network: nn.Module) -> list[nn.Module]:
    modules = dict(network.named_modules())
    absent = [name for name in names if name not in modules]
    if absent:
        raise BrewError(f"{type(network).__name__} has no layers {', '.join(absent)}; expected names of its modules")
    return [modules[name] for name in names]
