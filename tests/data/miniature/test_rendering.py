"""The procedural Earth: same bytes however it is asked for, plausible spectra, and tasks that need what they claim."""

import hashlib
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from brew.data.miniature import backscatter, materials
from brew.data.miniature.legends import CHANGES, CROPS, GROUPS, IGNORE, ROOFS, SCENES
from brew.data.miniature.legends import MATERIALS as LEGEND
from brew.data.miniature.materials import MATERIALS, PUBLISHED, reflectance
from brew.data.miniature.rendering import PRODUCTS, render
from brew.errors import BrewError
from brew.sensors import SENSORS

SENSOR = SENSORS["sentinel2"]
SEED = 5


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Small images: threads cost more than they bring where cores are few or busy."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def world(one_thread: None) -> dict[str, torch.Tensor]:
    return render(torch.arange(40), SEED, size=32)


def band(name: str) -> int:
    return SENSOR.band_names.index(name)


# --- spectra


@given(
    st.sampled_from(sorted(MATERIALS)),
    st.floats(0, 1),
    st.floats(0, 1),
    st.lists(st.floats(0.35, 2.5), min_size=1, max_size=20),
)
@settings(max_examples=150, deadline=None)
def test_reflectance_is_a_share_of_the_light(material: str, vigour: float, moisture: float, um: list[float]) -> None:
    values = reflectance(material, um, vigour, moisture)
    assert values.shape == (len(um),)
    assert np.all((values >= 0) & (values <= 1))


@pytest.mark.parametrize("material", sorted(PUBLISHED))
def test_a_typical_spectrum_lies_in_the_published_ranges(material: str) -> None:
    for entry in PUBLISHED[material]:
        value = float(reflectance(material, entry.wavelength_um))
        assert entry.low <= value <= entry.high, f"{material} reflects {value:.3f} in the {entry.region}"


@pytest.mark.parametrize("plant", [name for name, m in MATERIALS.items() if isinstance(m.recipe, materials.Vegetation)])
def test_leaves_have_green_bump_red_edge_and_water_bands(plant: str) -> None:
    blue, green, red, near, short_1, valley, short_2 = reflectance(plant, [0.45, 0.555, 0.67, 0.84, 1.61, 1.94, 2.20])
    assert green > blue and green > red
    assert near > 3 * red
    assert near > short_1 > short_2 > valley


def test_water_darkens_soil_and_sediment_brightens_water() -> None:
    um = np.linspace(0.4, 2.4, 50)
    assert np.all(reflectance("dry bare soil", um, moisture=1.0) < reflectance("dry bare soil", um, moisture=0.0))
    assert reflectance("turbid water", 0.56, vigour=1.0) > 2 * reflectance("turbid water", 0.56, vigour=0.0)
    clay, beside = reflectance("dry bare soil", [2.205, 2.10])
    assert clay < beside


def test_crops_coincide_in_visible_light_and_differ_beyond_it() -> None:
    curves = np.stack([reflectance(name, SENSOR.wavelengths_um) for name in CROPS])
    spread = np.ptp(curves, axis=0) / curves.mean(0)
    assert all(spread[band(name)] < 0.10 for name in ("B2", "B3", "B4", "B8"))
    assert all(spread[band(name)] > 0.2 for name in ("B5", "B11", "B12"))


def test_a_wrong_material_wavelength_or_state_is_named() -> None:
    with pytest.raises(BrewError, match="did you mean 'maize'"):
        reflectance("maise", 0.5)
    with pytest.raises(BrewError, match="micrometres"):
        reflectance("maize", 560.0)
    with pytest.raises(BrewError, match="vigour is 2"):
        reflectance("maize", 0.5, vigour=2.0)


# --- bytes


def test_a_scene_does_not_depend_on_its_batch(world: dict[str, torch.Tensor]) -> None:
    for ids in ([7], [39, 7, 0]):
        some = render(torch.tensor(ids), SEED, size=32)
        for name in PRODUCTS:
            assert torch.equal(some[name], world[name][ids]), name


def test_a_pair_of_dates_has_the_bytes_that_it_had_before_there_was_a_year(world: dict[str, torch.Tensor]) -> None:
    digest = hashlib.sha256()
    for name in sorted(world):
        digest.update(name.encode() + world[name][:8].numpy().tobytes())
    assert digest.hexdigest() == "d2f9efe421acf8e5b19f023ec044bbc52b5c65cbb21a9dfc59ad61a4bee8897b"


def test_a_product_does_not_depend_on_the_others(world: dict[str, torch.Tensor]) -> None:
    for name in PRODUCTS:
        assert torch.equal(render(torch.arange(3), SEED, (name,), size=32)[name], world[name][:3]), name


def test_the_first_date_alone_equals_the_first_of_two(world: dict[str, torch.Tensor]) -> None:
    products = tuple(name for name in PRODUCTS if name != "change")
    alone = render(torch.arange(3), SEED, products, size=32, dates=1)
    for name in ("multispectral", "optical"):
        assert torch.equal(alone[name], world[name][:3, :1]), name
    assert torch.equal(alone["materials"], world["materials"][:3])


def test_threads_change_no_byte(world: dict[str, torch.Tensor]) -> None:
    try:
        torch.set_num_threads(2)
        other = render(torch.arange(3), SEED, ("multispectral", "optical"), size=32)
    finally:
        torch.set_num_threads(1)
    assert all(torch.equal(other[name], world[name][:3]) for name in other)


def test_another_seed_is_another_world(world: dict[str, torch.Tensor]) -> None:
    other = render(torch.arange(3), SEED + 1, ("optical",), size=32)["optical"]
    assert (other != world["optical"][:3]).float().mean() > 0.9


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_the_device_changes_no_byte(world: dict[str, torch.Tensor]) -> None:
    other = render(torch.arange(8), SEED, size=32, device="cuda")
    for name in PRODUCTS:
        assert torch.equal(other[name].cpu(), world[name][:8]), name


# --- what the images hold


@pytest.mark.parametrize("ratio", [2, 4, 8])
def test_shapes_types_and_legends(ratio: int) -> None:
    batch, size = 2, 16
    products = render(torch.arange(batch), SEED, size=size, optical_ratio=ratio)
    fine = size * ratio
    expected = {
        "multispectral": ((batch, 2, len(SENSOR), size, size), torch.uint16),
        "optical": ((batch, 2, 3, fine, fine), torch.uint8),
        "sar": ((batch, 2, 2, size, size), torch.float32),
        "materials": ((batch, size, size), torch.uint8),
        "roofs": ((batch, fine, fine), torch.uint8),
        "crops": ((batch, size, size), torch.uint8),
        "change": ((batch, size, size), torch.uint8),
        "scene": ((batch,), torch.int64),
        "scene_labels": ((batch, len(GROUPS)), torch.uint8),
    }
    assert {name: (tuple(value.shape), value.dtype) for name, value in products.items()} == expected


def test_labels_stay_in_their_legends(world: dict[str, torch.Tensor]) -> None:
    assert set(world["materials"].unique().tolist()) <= set(range(len(LEGEND)))
    assert set(world["crops"].unique().tolist()) <= {*range(len(CROPS)), IGNORE}
    assert set(world["roofs"].unique().tolist()) <= set(range(len(ROOFS)))
    assert set(world["change"].unique().tolist()) <= set(range(len(CHANGES)))
    assert set(world["scene"].tolist()) == set(range(len(SCENES)))


def test_crops_lie_on_crop_materials(world: dict[str, torch.Tensor]) -> None:
    crops, cover = world["crops"], world["materials"]
    names = torch.tensor([LEGEND.index(name) for name in CROPS])
    known = crops != IGNORE
    assert 0.02 < known.float().mean() < 0.6
    assert (names[crops[known].long()] == cover[known]).all()


def test_values_are_sound_digital_numbers(world: dict[str, torch.Tensor]) -> None:
    image = world["multispectral"].to(torch.float32)
    assert image.min() >= 1 and image.max() < 12000
    # Within a factor of two of the archive that the student is normalised by.
    ratio = image.mean((0, 1, 3, 4)) / torch.tensor(SENSOR.mean)
    assert ((ratio > 0.5) & (ratio < 2)).all()


def test_the_optical_image_and_the_multispectral_one_show_the_same_scene(world: dict[str, torch.Tensor]) -> None:
    fine = world["optical"].to(torch.float32)
    coarse = torch.nn.functional.avg_pool2d(fine.flatten(0, 1), 4).view(*fine.shape[:3], 32, 32)
    seen = world["multispectral"][:, :, :3].to(torch.float32) * (255 / SENSOR.white)
    assert (coarse - seen).abs().median() < 2
    assert torch.corrcoef(torch.stack([coarse.flatten(), seen.flatten()]))[0, 1] > 0.97


def test_bands_of_twenty_metres_hold_no_finer_detail(world: dict[str, torch.Tensor]) -> None:
    image = world["multispectral"].to(torch.float32)

    def detail(name: str) -> float:
        plane = image[:, :, band(name)]
        return float((plane[..., 2:] - 2 * plane[..., 1:-1] + plane[..., :-2]).square().mean() / plane.var())

    assert detail("B8A") < 0.35 * detail("B8")


def test_vegetation_is_bright_beyond_the_red_edge_and_water_dark(world: dict[str, torch.Tensor]) -> None:
    image, cover = world["multispectral"][:, 0].to(torch.float32), world["materials"]

    def ndvi(*names: str) -> torch.Tensor:
        where = torch.isin(cover, torch.tensor([LEGEND.index(name) for name in names], dtype=torch.uint8))
        near, red = image[:, band("B8")][where], image[:, band("B4")][where]
        return ((near - red) / (near + red)).median()

    assert ndvi(*CROPS) > 0.55
    assert ndvi("broadleaf forest") > 0.5
    assert ndvi("clear water", "turbid water") < 0
    assert abs(ndvi("asphalt", "grey roof")) < 0.35


def test_crops_need_more_than_true_colour() -> None:
    """Nearest class mean on single pixels: chance is 0.2; visible light stays close to it."""
    world = render(torch.arange(96), SEED, ("multispectral", "crops", "scene"), size=32, dates=1)
    image, crops = world["multispectral"][:, 0].to(torch.float32), world["crops"]
    half = len(image) // 2

    def accuracy(bands: list[int]) -> float:
        def pixels(part: slice) -> tuple[np.ndarray, np.ndarray]:
            known = crops[part] != IGNORE
            return image[part][:, bands].movedim(1, -1)[known].double().numpy(), crops[part][known].numpy()

        (x, y), (x_test, y_test) = pixels(slice(0, half)), pixels(slice(half, None))
        means = np.stack([x[y == k].mean(0) for k in range(len(CROPS))])
        within = np.linalg.inv(np.cov((x - means[y]).T))  # Fisher's discriminant: distance in units of the spread
        away = x_test[:, None] - means
        return float((np.einsum("nki,ij,nkj->nk", away, within, away).argmin(1) == y_test).mean())

    assert accuracy([0, 1, 2]) < 0.33
    assert accuracy(list(range(len(SENSOR)))) > 0.55


def test_grey_roofs_share_a_mean_and_differ_in_pattern() -> None:
    world = render(torch.arange(96), SEED, ("optical", "roofs"), size=32, dates=1)
    green, roofs = world["optical"][:, 0, 1].to(torch.float32), world["roofs"]
    grey = [ROOFS.index(name) for name in ROOFS if name.startswith("grey")]
    means = torch.stack([green[roofs == kind].mean() for kind in grey])
    assert (means - means.mean()).abs().max() < 0.15 * means.mean()

    def pattern(kind: int) -> float:
        """Variance within blocks of one roof."""
        whole = torch.nn.functional.avg_pool2d((roofs == kind).float()[:, None], 4)[:, 0] == 1
        mean = torch.nn.functional.avg_pool2d(green[:, None], 4)[:, 0]
        square = torch.nn.functional.avg_pool2d(green[:, None].square(), 4)[:, 0]
        return float((square - mean.square())[whole].mean())

    flat, *patterned = (pattern(kind) for kind in grey)
    assert all(value > 4 * flat for value in patterned)


def test_changes_are_partial_and_most_kinds_happen() -> None:
    change = render(torch.arange(160), SEED, ("change",), size=32)["change"]
    assert 0.01 < (change > 0).float().mean() < 0.2
    assert 0.2 < (change > 0).flatten(1).any(1).float().mean() < 0.8
    assert set(change.unique().tolist()) == set(range(len(CHANGES)))


def test_scene_labels_follow_the_materials(world: dict[str, torch.Tensor]) -> None:
    water = [LEGEND.index(name) for name, entry in MATERIALS.items() if entry.group == "water"]
    share = torch.isin(world["materials"], torch.tensor(water, dtype=torch.uint8)).float().mean((1, 2))
    assert torch.equal(world["scene_labels"][:, GROUPS.index("water")].bool(), share >= 0.02)


# --- refusals


def test_radar_sees_water_dark_woods_in_cross_polarisation_and_buildings_bright() -> None:
    images = render(torch.arange(48), 3, products=("sar", "materials"), size=32, dates=1)
    vv, vh = images["sar"][:, 0].unbind(1)
    labels = images["materials"]

    def level(band: torch.Tensor, *names: str) -> float:
        chosen = torch.isin(labels, torch.tensor([LEGEND.index(name) for name in names], dtype=torch.uint8))
        return float((10 ** (band[chosen] / 10)).mean().log10() * 10)

    assert level(vv, "clear water", "turbid water") < level(vv, "grass") - 4
    assert level(vh, "broadleaf forest") > level(vh, "winter wheat") + 3
    assert level(vv, "grey roof", "tile roof") > level(vv, "grass") + 4


def test_speckle_has_sentinel_1_s_number_of_looks() -> None:
    """Before pixels are mixed: mean 1, variance 1 / looks."""
    table = backscatter.speckle_table()
    assert table.mean().item() == pytest.approx(1, abs=2e-3)
    assert table.var().item() == pytest.approx(1 / backscatter.LOOKS, rel=0.02)


def test_every_material_has_a_backscatter(monkeypatch: pytest.MonkeyPatch) -> None:
    assert backscatter.levels().shape == (len(MATERIALS), 2)
    monkeypatch.delitem(backscatter.LEVELS, "sand")
    with pytest.raises(BrewError, match="no backscatter for sand"):
        backscatter.levels()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"products": ("optic",)}, "did you mean 'optical'"),
        ({"size": 30}, "multiple of 8"),
        ({"optical_ratio": 3}, "2, 4 or 8"),
        ({"dates": 3}, "1 or 2"),
        ({"dates": 1}, "change needs two dates"),
    ],
)
def test_what_cannot_be_rendered_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(BrewError, match=message):
        render(torch.arange(1), SEED, **change)


def test_ids_must_be_int64() -> None:
    with pytest.raises(BrewError, match="int64"):
        render(torch.arange(3, dtype=torch.int32), SEED)
