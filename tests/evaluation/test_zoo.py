"""Every backbone of others keeps one contract: bands by name, statistics once, maps at four strides."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torchgeo import models as torchgeo
from torchgeo.models import resnet

from brew.compendium.report.style import BACKBONES as LABELS
from brew.errors import BrewError
from brew.evaluation.backbones import STRIDES, StudentBackbone
from brew.evaluation.zoo import BACKBONES, BackboneUnavailable, backbone, backbone_tables, networks
from brew.evaluation.zoo.tapped import Architecture, TappedBackbone, View
from brew.evaluation.zoo.weights import CacheFile, HubFile, TorchgeoFile
from brew.models.student import build_student
from brew.sensors import SENSORS, SENTINEL2_BANDS, Sensor

_RUN_HERE = ("band-statistics", "imagenet")
#: Three hundred million parameters each: shapes alone, on a device without memory.
_LARGE = ("dinov3-l-sat", "scale-mae")
_TAPPED = tuple(name for name, entry in BACKBONES.items() if entry.code)
_ALL_BANDS = Sensor(
    "all bands", "multispectral", tuple(SENTINEL2_BANDS.values()), SENSORS["sentinel2"].unit, "uint16",
    SENSORS["sentinel2"].valid, 3558.0, tuple(1000.0 + 100 * i for i in range(13)), tuple(500.0 + i for i in range(13)),
)  # fmt: skip
_INPUTS = {
    f"{name} from {kind}": inputs
    for name, entry in BACKBONES.items()
    for kind in ("sentinel2", "rgb")
    if (inputs := getattr(entry.contract, kind)) is not None
}


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for weights."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    return tmp_path / "checkpoints"


@pytest.fixture
def all_bands(monkeypatch: pytest.MonkeyPatch) -> str:
    """A sensor with all thirteen bands, which every network of the table can read."""
    monkeypatch.setitem(SENSORS, _ALL_BANDS.name, _ALL_BANDS)
    return _ALL_BANDS.name


def _images(found: Sensor, size: int = 64, batch: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(batch, len(found), size, size, generator=generator)
    mean, std = (torch.tensor(each).view(1, -1, 1, 1) for each in (found.mean, found.std))
    return (values * std / 2 + mean).clamp(*found.valid)


def test_every_entry_has_its_label_and_its_sources():
    assert set(BACKBONES) <= set(LABELS)
    for entry in BACKBONES.values():
        assert entry.weights is None or (entry.weights.source and entry.weights.licence)
    for inputs in _INPUTS.values():
        assert inputs.source
        numbers = (inputs.white, inputs.mean or inputs.white, inputs.std or inputs.white)
        assert {len(each) for each in numbers} == {len(inputs.bands)}
        assert set(inputs.fill) <= set(inputs.bands)


def test_the_documents_tables_are_current():
    place = backbone_tables.PLACE
    page = place.page.read_text()
    assert place.renewed(backbone_tables.tables()) == page, "run `python -m brew docs`"
    assert all(f"`{name}`" in page for name in BACKBONES)


def test_a_supervised_reference_has_no_frozen_features():
    assert BACKBONES["unet-resnet50"].needs() == ""
    with pytest.raises(BrewError, match="supervised"):
        BACKBONES["unet-resnet50"].load()


@pytest.mark.parametrize("name", _RUN_HERE)
def test_what_needs_nothing_runs(name):
    entry = BACKBONES[name]
    assert entry.needs() == ""
    assert entry.identity() == entry.identity() != ""
    found, images = entry.load(), _images(SENSORS["sentinel2"])
    assert found.name == name
    _check_maps(found.pyramid(images, "sentinel2"), 64)
    assert torch.isfinite(found.pooled(images, "sentinel2")).all()


def _check_maps(maps: list[Tensor], size: int) -> None:
    assert [tuple(level.shape[2:]) for level in maps] == [(size // stride, size // stride) for stride in STRIDES]
    assert not any(level.requires_grad for level in maps)


@pytest.mark.parametrize("name", [name for name in _TAPPED if name not in _LARGE])
def test_a_network_gives_four_maps_and_one_vector(name, all_bands):
    sensor = all_bands if BACKBONES[name].lacking("sentinel2") else "sentinel2"
    found, images = BACKBONES[name].load(random=True), _images(SENSORS[sensor])
    maps = found.pyramid(images, sensor)
    _check_maps(maps, 64)
    pooled = found.pooled(images, sensor)
    assert pooled.ndim == 2 and pooled.shape[0] == 1
    assert all(torch.isfinite(each).all() and each.std() > 0 for each in (*maps, pooled))
    assert torch.equal(pooled, found.pooled(images, sensor))
    with pytest.raises(BrewError, match="B12"):
        found.pooled(images[:, 1:], sensor)


@pytest.mark.parametrize("name", _LARGE)
def test_a_large_network_gives_four_maps_and_one_vector(name):
    with torch.device("meta"):
        found = BACKBONES[name].load(random=True)
        _check_maps(found.pyramid(torch.zeros(2, 3, 96, 96), "rgb"), 96)
        assert found.pooled(torch.zeros(2, 3, 96, 96), "rgb").shape == (2, 1024)


@pytest.mark.parametrize("name", [name for name, inputs in _INPUTS.items() if inputs.mean])
def test_statistics_are_applied_once(name):
    inputs = _INPUTS[name]
    found = next(found for found in (_ALL_BANDS, SENSORS["rgb"]) if set(inputs.bands) <= set(found.band_names))

    def image(values: dict[str, float]) -> Tensor:
        return torch.tensor([values.get(band, 0.0) for band in found.band_names]).view(1, -1, 1, 1).expand(-1, -1, 4, 4)

    numbers = list(zip(inputs.bands, inputs.white, inputs.mean, inputs.std, strict=True))
    mean = image({band: white * mean for band, white, mean, _ in numbers})
    deviation = image({band: white * std for band, white, _, std in numbers})
    assert inputs.normalise(mean, found).abs().max() < 1e-4
    assert torch.allclose(inputs.normalise(mean - deviation, found), torch.tensor(-1.0), atol=1e-4)


@given(gain=st.floats(0.5, 3), offset=st.floats(-300, 300))
def test_an_images_own_statistics_absorb_gain_and_offset(gain, offset):
    inputs = BACKBONES["croma"].contract.sentinel2
    images = _images(_ALL_BANDS, 16)
    one, other = (inputs.normalise(each, _ALL_BANDS) for each in (images, images * gain + offset))
    assert torch.allclose(one, other, atol=1e-3)
    assert one.min() >= 0 and one.max() <= 1
    assert one.mean() == pytest.approx(0.5, abs=0.02)


@given(st.permutations(range(13)))
def test_channels_follow_names_not_places(order):
    shuffled = Sensor(
        "shuffled", "multispectral", tuple(_ALL_BANDS.bands[i] for i in order), _ALL_BANDS.unit, "uint16",
        _ALL_BANDS.valid, 3558.0, _ALL_BANDS.mean, _ALL_BANDS.std,
    )  # fmt: skip
    images = _images(_ALL_BANDS, 4)
    for name in ("croma", "satlas", "panopticon"):
        inputs = BACKBONES[name].contract.sentinel2
        expected = inputs.normalise(images, _ALL_BANDS)
        assert torch.equal(inputs.normalise(images[:, list(order)], shuffled), expected)


def test_standardised_images_pass_centred_networks_as_they_are():
    standardised = torch.randn(1, 10, 8, 8)
    found = SENSORS["sentinel2"]
    inputs = BACKBONES["panopticon"].contract.sentinel2
    taken = [found.band_names.index(band) for band in inputs.taken(found)]
    assert torch.equal(inputs.normalise(standardised, found, standardised=True), standardised[:, taken])


def test_standardised_images_are_put_back_for_the_others():
    found = SENSORS["sentinel2"]
    images = _images(found, 8)
    mean, std = (torch.tensor(each).view(1, -1, 1, 1) for each in (found.mean, found.std))
    for name in ("satlas", "ssl4eo-s12"):
        inputs = BACKBONES[name].contract.sentinel2
        again = inputs.normalise((images - mean) / std, found, standardised=True)
        assert torch.allclose(again, inputs.normalise(images, found), atol=1e-4)


def test_a_band_that_is_filled_holds_its_mean():
    inputs = BACKBONES["ssl4eo-s12"].contract.sentinel2
    channels = inputs.normalise(_images(SENSORS["sentinel2"], 4), SENSORS["sentinel2"])
    assert channels.shape[1] == 13
    assert torch.allclose(channels[:, [0, 9, 10]].mean((0, 2, 3)), torch.tensor([0.16129, 0.08377, 0.0022]))


@pytest.mark.parametrize(
    ("name", "sensor", "named"),
    [("croma", "sentinel2", "B1, B9"), ("satlas", "sentinel2-rgb", "B5, B6"), ("satlas", "rgb", "8-bit")],
)
def test_bands_that_a_network_lacks_are_named(name, sensor, named):
    entry = BACKBONES[name]
    with pytest.raises(BrewError, match=named):
        entry.contract.prepare(_images(SENSORS[sensor], 4), sensor, name)
    assert named in entry.lacking(sensor)
    assert entry.lacking("sentinel2") == "" or name == "croma"


def test_a_student_normalises_as_its_contract_says():
    student = StudentBackbone("student", build_student("swin-nano"))
    for sensor in ("sentinel2", "rgb"):
        images = _images(SENSORS[sensor])
        prepared, bands = BACKBONES["deo-swin-b"].contract.prepare(images, sensor, "student")
        assert tuple(band.name for band in bands) == SENSORS[sensor].band_names
        assert torch.allclose(
            student.pooled(images, sensor), student.pooled(prepared, sensor, standardised=True), atol=1e-4
        )


@pytest.mark.parametrize("sensor", ["sentinel2", "rgb"])
def test_the_imagenet_network_sees_what_its_contract_says(sensor):
    found, images, seen = BACKBONES["imagenet"].load(), _images(SENSORS[sensor], 128), []
    found.teacher.network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    found.pooled(images, sensor)
    prepared, bands = BACKBONES["imagenet"].contract.prepare(images, sensor, "imagenet")
    assert len(bands) == 3
    assert torch.allclose(seen[0], prepared, atol=1e-5)


def test_torchgeos_bands_and_numbers_are_the_contracts():
    satlas, ssl4eo = (BACKBONES[name].contract.sentinel2 for name in ("satlas", "ssl4eo-s12"))
    weights = torchgeo.Swin_V2_B_Weights.SENTINEL2_SI_MS_SATLAS
    assert [band.replace("B0", "B") for band in weights.meta["bands"]] == list(satlas.bands)
    eight_bit = torch.tensor([255 / 3558] * 3 + [1.0] * 6)  # torchgeo takes the true-colour image in 8 bits
    assert torch.allclose(torch.tensor(weights.transforms[1].std).float(), torch.tensor(satlas.white) * eight_bit)
    weights = torchgeo.ViTSmall16_Weights.SENTINEL2_ALL_DINO
    assert [band.upper() for band in weights.meta["bands"]] == list(ssl4eo.bands)
    assert set(ssl4eo.white) == set(weights.transforms[2].std) and set(weights.transforms[2].mean) == {0}
    means = dict(zip(weights.meta["bands"], resnet._ssl4eo_s12_transforms_s2_stats[2].mean, strict=True))
    assert ssl4eo.fill == {band: pytest.approx(means[band]) for band in ("B1", "B9", "B10")}
    scale, colour = torchgeo.ScaleMAELarge16_Weights.FMOW_RGB.transforms
    ours = BACKBONES["scale-mae"].contract.rgb
    assert (set(scale.std), tuple(colour.mean), tuple(colour.std)) == (set(ours.white), ours.mean, ours.std)


class _Small(nn.Module):
    """The part of a transformer that a tapped backbone asks for: blocks that add one to every token."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(_PlusOne() for _ in range(8))

    def forward_features(self, images: Tensor) -> Tensor:
        tokens = torch.nn.functional.avg_pool2d(images, 16).flatten(2).transpose(1, 2)
        tokens = torch.cat([torch.full_like(tokens[:, :1], -99.0), tokens], dim=1)
        for block in self.blocks:
            tokens = block(tokens)
        return tokens


class _PlusOne(nn.Module):
    def forward(self, tokens: Tensor) -> Tensor:
        return tokens + 1


def test_maps_are_the_patches_after_the_quarters_of_the_depth():
    found = TappedBackbone("small", _Small(), BACKBONES["dinov3-b"].contract, networks.DINOV3)
    maps = found.pyramid(torch.full((1, 3, 224, 224), 255 * 0.485), "rgb")
    base = maps[0][0, 0].mean() - 2
    for level, blocks in zip(maps, (2, 4, 6, 8), strict=True):
        assert torch.allclose(level[0, 0], base + blocks, atol=1e-4)  # the class token, -99, is in no map


def test_a_network_is_told_what_a_resized_pixel_spans():
    seen: list[View] = []

    def look(net: nn.Module, view: View) -> Tensor:
        seen.append(view)
        return view.images.mean((2, 3))

    found = TappedBackbone(
        "small", nn.Identity(), BACKBONES["scale-mae"].contract, Architecture(look, lambda net: [], 16, size=224)
    )
    found.pooled(_images(SENSORS["sentinel2"], 56), "sentinel2")
    assert seen[0].metres == pytest.approx(2.5)
    assert seen[0].images.shape == (1, 3, 224, 224)


@pytest.mark.parametrize("name", [name for name, entry in BACKBONES.items() if entry.weights and name not in _RUN_HERE])
def test_absent_weights_are_named_and_never_replaced(name, hub, monkeypatch):
    monkeypatch.setattr("brew.evaluation.zoo.weights.try_to_load_from_cache", lambda *_: None)
    entry = BACKBONES[name]
    assert "\n" not in entry.needs() and str(hub) not in entry.needs() != ""
    with pytest.raises(BackboneUnavailable):
        entry.load()


def test_a_files_hash_is_checked(hub):
    content = b"weights"
    name = f"net-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    file = HubFile(name, "somewhere", "source", "licence")
    (hub / name).write_bytes(content)
    assert file.file() == hub / name
    (hub / name).write_bytes(b"truncated")
    with pytest.raises(BrewError, match="SHA-256"):
        file.file()


@dataclass
class _Given:
    """One of torchgeo's weights, as its builders ask for it."""

    url: str
    meta: dict[str, int]

    def get_state_dict(self, **options: bool) -> dict[str, Tensor]:
        assert options["weights_only"]
        return torch.hub.load_state_dict_from_url(self.url, **options)


def test_torchgeos_builder_reads_the_file_in_the_hub(hub, monkeypatch):
    trained = networks.ssl4eo_s12(None)
    torch.save(trained.state_dict(), hub / "new")
    name = f"vit-{hashlib.sha256((hub / 'new').read_bytes()).hexdigest()[:8]}.pth"
    (hub / "new").rename(hub / name)
    monkeypatch.setattr(TorchgeoFile, "weights", lambda _: _Given(f"https://nowhere.invalid/{name}", {"in_chans": 13}))
    entry = BACKBONES["ssl4eo-s12"]
    assert entry.needs() == "" and len(entry.identity()) == 64
    images = _images(SENSORS["sentinel2"])
    expected = TappedBackbone("expected", trained, entry.contract, networks.SSL4EO_S12).pooled(images, "sentinel2")
    assert torch.equal(entry.load().pooled(images, "sentinel2"), expected)


def test_a_file_of_the_cache_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr("brew.evaluation.zoo.weights.try_to_load_from_cache", lambda *_: str(tmp_path / "m"))
    assert CacheFile("timm/some", "source", "licence").file() == tmp_path / "m"


def test_a_released_student_is_read_from_its_file(hub, monkeypatch):
    seen: list[Path] = []
    student = build_student("swin-nano")
    monkeypatch.setattr("brew.evaluation.zoo.table.load_student", lambda path: seen.append(path) or student)
    (hub / "DEO_swin_b.pth").write_bytes(b"released")
    found = BACKBONES["deo-swin-b"].load()
    assert seen == [hub / "DEO_swin_b.pth"]
    assert isinstance(found, StudentBackbone) and found.student is student


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(BrewError, match="imagenet"):
        backbone("imagnet")
