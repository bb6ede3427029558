"""Models of torchgeo-bench keep the contract of all backbones; a stand-in has the interface of its models."""

import importlib.util
import sys
from dataclasses import dataclass, replace
from types import ModuleType

import pytest
import torch
from torch import Tensor, nn

from brew.errors import BrewError
from brew.evaluation.backbones import STRIDES, Backbone
from brew.evaluation.zoo import BackboneUnavailable, torchgeo_bench
from brew.evaluation.zoo.torchgeo_bench import BenchModel, from_torchgeo_bench
from brew.evaluation.zoo.weights import PackageFile
from brew.sensors import SENSORS

LAYERS = tuple(f"backbone.{i}" for i in range(4))
WEIGHTS = PackageFile("any file", "MIT")  # stands for the weights, which the models below do not have


@dataclass(frozen=True)
class BandSpec:
    sensor: str
    name: str
    source_name: str
    mean: float
    std: float
    min: float
    max: float
    wavelength_um: float | None = None


class Halving(nn.Module):
    """As torchgeo_bench.models.BenchModel: normalises native values by its bands, then gives a vector per image."""

    def __init__(self, bands: list[BandSpec], *, width: int) -> None:
        super().__init__()
        self.bands = bands
        first = nn.Conv2d(len(bands), width, 4, 4)
        self.backbone = nn.Sequential(first, *(nn.Conv2d(width, width, 2, 2) for _ in range(3)))

    def forward_patch_features(self, images: Tensor) -> Tensor:
        mean, std = (torch.tensor([getattr(band, name) for band in self.bands]) for name in ("mean", "std"))
        self.seen = (images - mean.view(1, -1, 1, 1)) / std.view(1, -1, 1, 1)
        return self.backbone(self.seen).mean((2, 3))


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> None:
    """A package of the name with one model."""
    names = {name: ModuleType(f"torchgeo_bench{name}") for name in ("", ".models", ".datasets", ".datasets.base")}
    names[".models"].Halving, names[".datasets.base"].BandSpec = Halving, BandSpec
    names[""].__spec__ = importlib.util.spec_from_loader("torchgeo_bench", None)
    for name, module in names.items():
        monkeypatch.setitem(sys.modules, f"torchgeo_bench{name}", module)


def _model(sensor: str = "sentinel2") -> BenchModel:
    return BenchModel("Halving", {"width": 6}, sensor, LAYERS, multiple=32, channels_first=True)


def _images(sensor: str, size: int = 64) -> Tensor:
    mean, std = (torch.tensor(each).view(1, -1, 1, 1) for each in (SENSORS[sensor].mean, SENSORS[sensor].std))
    shape = (2, len(SENSORS[sensor]), size, size)
    return (mean + std * torch.randn(shape, generator=torch.Generator().manual_seed(0))).clamp(min=0)


@pytest.mark.parametrize("sensor", ["sentinel2", "sentinel2-rgb", "rgb"])
def test_a_model_gives_four_maps_and_one_vector(package, sensor):
    found, images = from_torchgeo_bench("halving", _model(sensor), WEIGHTS).load(), _images(sensor)
    assert isinstance(found, Backbone) and found.name == "halving"
    maps, pooled = found.pyramid(images, sensor), found.pooled(images, sensor)
    assert [tuple(level.shape) for level in maps] == [(2, 6, 64 // stride, 64 // stride) for stride in STRIDES]
    assert pooled.shape == (2, 6) and not pooled.requires_grad
    assert torch.allclose(maps[3].mean((2, 3)), pooled, atol=1e-6), "channels are not places"


def test_a_model_normalises_native_values_once(package):
    found, images = from_torchgeo_bench("halving", _model(), WEIGHTS).load(), _images("sentinel2")
    mean, std = (torch.tensor(each).view(1, -1, 1, 1) for each in (SENSORS["sentinel2"].mean, SENSORS["sentinel2"].std))
    found.pooled(images, "sentinel2")
    native = found.network.seen
    assert torch.allclose(native, (images - mean) / std, atol=1e-4)
    found.pooled((images - mean) / std, "sentinel2", standardised=True)
    assert torch.allclose(found.network.seen, native, atol=1e-3)


def test_bands_have_the_names_that_the_package_knows():
    assert [band["name"] for band in _model().bands()][:8] == ["b04", "b03", "b02", "b05", "b06", "b07", "b08", "b8a"]
    assert [band["name"] for band in _model("rgb").bands()] == ["red", "green", "blue"]
    assert from_torchgeo_bench("halving", _model("rgb"), WEIGHTS).lacking("sentinel2")


def test_a_model_s_arguments_and_layers_are_part_of_its_identity(package):
    one = from_torchgeo_bench("halving", _model(), WEIGHTS)
    others = replace(_model(), arguments={"width": 7}), replace(_model(), layers=LAYERS[::-1])
    assert one.identity() == from_torchgeo_bench("halving", _model(), WEIGHTS).identity()
    assert len({one.identity(), *(from_torchgeo_bench("halving", each, WEIGHTS).identity() for each in others)}) == 3


def test_without_the_package_the_reason_is_given(monkeypatch):
    monkeypatch.setattr(torchgeo_bench, "PACKAGE", "no_such_package")
    entry = from_torchgeo_bench("halving", _model(), WEIGHTS)
    assert entry.needs() == "install torchgeo-bench into an environment of Python 3.12 or later"
    with pytest.raises(BackboneUnavailable, match="install"):
        entry.load()


def test_layers_that_are_none_and_untrained_models_are_refused(package):
    model = replace(_model("rgb"), layers=("a", "b", "c", "d"))
    entry = from_torchgeo_bench("halving", model, WEIGHTS)
    with pytest.raises(BrewError, match="no layers a, b, c, d"):
        entry.load().pyramid(_images("rgb"), "rgb")
    with pytest.raises(BrewError, match="untrained"):
        entry.load(random=True)


def test_the_package_itself_keeps_the_interface():
    pytest.importorskip("torchgeo_bench", reason="torchgeo-bench needs Python 3.12 and is not installed here")
    layers = tuple(f"backbone.layer{i}" for i in (1, 2, 3, 4))
    arguments = {"model_name": "resnet18", "pretrained": False}
    model = BenchModel("TimmPatchBenchModel", arguments, "sentinel2", layers, multiple=32, channels_first=True)
    found = from_torchgeo_bench("resnet18", model, WEIGHTS).load()
    maps = found.pyramid(_images("sentinel2"), "sentinel2")
    assert [tuple(level.shape[1:]) for level in maps] == [(64, 16, 16), (128, 8, 8), (256, 4, 4), (512, 2, 2)]
    assert found.pooled(_images("sentinel2"), "sentinel2").shape == (2, 512)
