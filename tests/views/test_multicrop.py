"""Views against torchvision with the same parameters, sample by sample, and what must hold whatever is drawn."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as tv

from brew import randomness
from brew.errors import BrewError
from brew.sensors import SENSORS
from brew.views import View, ViewSettings, draw_view_parameters, make_views
from brew.views import geometry as geo
from brew.views import optical as opt

SMALL = ViewSettings(global_size=24, local_size=12, locals=2, blur_kernel=7)
PLAIN = replace(SMALL, optical_augmentation=False)
WHITE = SENSORS["sentinel2"].white


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def digital_numbers(batch: int, size: int = 32) -> Tensor:
    return (random(batch, 10, size, size) * 5000).to(torch.uint16)


def aerial(batch: int, size: int = 128) -> Tensor:
    return (random(batch, 3, size, size, seed=1) * 255).to(torch.uint8)


def statistics(sensor: str) -> tuple[Tensor, Tensor]:
    return tuple(torch.tensor(values)[:, None, None] for values in (SENSORS[sensor].mean, SENSORS[sensor].std))


def views_of(multispectral, optical=None, has_optical=None, *, settings=SMALL, samples=None, seed=0, epoch=0):
    size = len(multispectral if multispectral is not None else optical)
    ids = torch.arange(size) if samples is None else samples
    return make_views(multispectral, optical, has_optical, samples=ids, seed=seed, epoch=epoch, settings=settings)


def tensors(view: View) -> list[Tensor]:
    return [tensor for tensor in (view.multispectral, view.optical, view.display) if tensor is not None]


def assert_views_equal(first: list[View], second: list[View]) -> None:
    for one, other in zip(first, second, strict=True):
        assert one.name == other.name
        for a, b in zip(tensors(one), tensors(other), strict=True):
            torch.testing.assert_close(a, b, atol=1e-5, rtol=0)


# Geometry


def cropped(images: Tensor, geometry: geo.Geometry, size: int) -> Tensor:
    return geo.crop_and_resize(geo.rows_first(images), geometry, torch.empty(*images.shape[:2], size, size))


def crop_like_torchvision(image: Tensor, geometry: geo.Geometry, index: int, size: int) -> Tensor:
    """In float64: torch's own float32 weights are up to 2e-5 off for crops of some hundred pixels."""
    box = [int(getattr(geometry, side)[index]) for side in ("top", "left", "height", "width")]
    out = tv.resized_crop(image.double(), *box, [size, size], InterpolationMode.BICUBIC, antialias=True)
    return (tv.horizontal_flip(out) if geometry.flip[index] else out).float()


@given(rows=st.integers(4, 70), columns=st.integers(4, 70), size=st.integers(1, 80), seed=st.integers(0, 999))
@settings(max_examples=60, deadline=None)
def test_crops_equal_torchvision(rows: int, columns: int, size: int, seed: int) -> None:
    images = random(3, 2, rows, columns, seed=seed)
    geometry = geo.draw_geometry(seed, 0, torch.arange(3), "any", (rows, columns), (0.05, 1.0))
    found = cropped(images, geometry, size)
    for index, image in enumerate(images):
        torch.testing.assert_close(found[index], crop_like_torchvision(image, geometry, index, size), atol=2e-6, rtol=0)


@pytest.mark.parametrize(("pixels", "size"), [(224, 224), (512, 96), (60, 224)])
def test_sizes_of_the_paper_equal_torchvision(pixels: int, size: int) -> None:
    geometry = geo.draw_geometry(1, 0, torch.arange(2), "any", (pixels, pixels), (0.4, 1.0))
    images = random(2, 3, pixels, pixels)
    found = cropped(images, geometry, size)
    for index, image in enumerate(images):
        torch.testing.assert_close(found[index], crop_like_torchvision(image, geometry, index, size), atol=2e-6, rtol=0)


@pytest.mark.parametrize(("pixels", "size"), [(48, 96), (96, 24), (256, 96)])
def test_sums_of_taps_equal_dense_products(monkeypatch: pytest.MonkeyPatch, pixels: int, size: int) -> None:
    geometry = geo.draw_geometry(2, 0, torch.arange(4), "any", (pixels, pixels), (0.05, 1.0))
    images = random(4, 3, pixels, pixels)
    monkeypatch.setattr(geo, "_DENSE_PIXELS", pixels**2)
    dense = cropped(images, geometry, size)
    monkeypatch.setattr(geo, "_DENSE_PIXELS", 0)
    torch.testing.assert_close(cropped(images, geometry, size), dense, atol=1e-6, rtol=0)


def box_like_torchvision(rows: int, columns: int, area: tuple[float, float], drawn: list[float]) -> tuple[int, ...]:
    """`RandomResizedCrop.make_params`, with its draws given."""
    for attempt in range(10):
        target = rows * columns * (area[0] + drawn[3 + 2 * attempt] * (area[1] - area[0]))
        low, high = math.log(3 / 4), math.log(4 / 3)
        ratio = math.exp(low + drawn[4 + 2 * attempt] * (high - low))
        width, height = round(math.sqrt(target * ratio)), round(math.sqrt(target / ratio))
        if 0 < width <= columns and 0 < height <= rows:
            return (
                math.floor(drawn[1] * (rows - height + 1)),
                math.floor(drawn[2] * (columns - width + 1)),
                height,
                width,
            )
    height, width = rows, columns
    if columns / rows < 3 / 4:
        height = round(columns / (3 / 4))
    elif columns / rows > 4 / 3:
        width = round(rows * (4 / 3))
    return (rows - height) // 2, (columns - width) // 2, height, width


@pytest.mark.parametrize("grid", [(32, 32), (96, 64), (200, 10), (10, 200)])
@pytest.mark.parametrize("area", [(0.4, 1.0), (0.05, 0.4)])
def test_boxes_follow_torchvision(grid: tuple[int, int], area: tuple[float, float]) -> None:
    ids = torch.arange(50)
    geometry = geo.draw_geometry(0, 0, ids, "global0", grid, area)
    drawn = randomness.uniform(0, 0, ids, "view/global0/geometry", 23).tolist()
    boxes = torch.stack([geometry.top, geometry.left, geometry.height, geometry.width], 1).tolist()
    assert [tuple(box) for box in boxes] == [box_like_torchvision(*grid, area, row) for row in drawn]
    assert geometry.flip.tolist() == [row[0] < 0.5 for row in drawn]


def test_a_ramp_stays_aligned_between_grids() -> None:
    # The value is the position on the ground along x (then y), the same for both images: so it must be in every view.
    for factor in (2, 4):
        coarse, fine = (torch.arange(size) + 0.5 for size in (32, 32 * factor))
        for transpose in (False, True):
            ramp = coarse.expand(8, 10, 32, 32) * 50
            detailed = (fine / factor).expand(8, 3, 32 * factor, 32 * factor) * 50 * 255 / WHITE
            if transpose:
                ramp, detailed = ramp.mT, detailed.mT
            for view in views_of(ramp, detailed, settings=PLAIN):
                mean, std = statistics("sentinel2")
                bands = (view.multispectral * std + mean)[:, 3:]
                mean, std = statistics("rgb")
                shown = (view.optical * std + mean) / 255 * WHITE
                # Antialiasing is cut off at the crop's border, on the finer grid later.
                inside = (..., slice(4, -4), slice(4, -4))
                expected = bands[:, :1].expand_as(shown)
                torch.testing.assert_close(shown[inside], expected[inside], atol=2.5, rtol=0)  # 1/20 of a pixel
                assert (bands - bands[:, :1]).abs().max() < 1e-2


# Optical augmentation


@pytest.fixture
def pictures() -> Tensor:
    images = random(8, 3, 20, 28, seed=3)
    images[0] = images[0, :1]  # grey: no hue
    images[1] = (images[1] * 2).floor() / 2  # ties between channels
    images[2] = 0
    return images


@pytest.mark.parametrize("factor", [0.0, 0.6, 1.0, 1.4])
@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation"])
def test_blends_equal_torchvision(pictures: Tensor, name: str, factor: float) -> None:
    found = getattr(opt, name)(pictures, torch.full((8,), factor))
    torch.testing.assert_close(found, getattr(tv, f"adjust_{name}")(pictures, factor), atol=1e-5, rtol=0)


@pytest.mark.parametrize("turns", [-0.5, -0.1, 0.0, 0.03, 0.1, 0.5])
def test_hue_equals_torchvision(pictures: Tensor, turns: float) -> None:
    found = opt.hue(pictures, torch.full((8,), turns))
    torch.testing.assert_close(found, tv.adjust_hue(pictures, turns), atol=1e-5, rtol=0)


@pytest.mark.parametrize("sigma", [0.1, 0.7, 2.0])
@pytest.mark.parametrize("kernel", [1, 3, 23, 39])
def test_blur_equals_torchvision(pictures: Tensor, kernel: int, sigma: float) -> None:
    found = opt.blur(pictures, torch.full((8,), sigma), kernel)
    expected = tv.gaussian_blur(pictures, [kernel, kernel], [sigma, sigma])
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_grey_and_solarise_equal_torchvision(pictures: Tensor) -> None:
    torch.testing.assert_close(opt.greyscale(pictures), tv.rgb_to_grayscale(pictures, 3), atol=1e-6, rtol=0)
    assert torch.equal(opt.solarise(pictures, 0.5), tv.solarize(pictures, 0.5))


def test_draws_follow_the_stated_probabilities() -> None:
    ids = torch.arange(4000)
    parameters = draw_view_parameters(ids, (32, 32), seed=0, epoch=0, settings=SMALL)
    for index, view in enumerate(parameters):
        colour = view.colour
        blurred = (1.0, 0.1, 0.5, 0.5)[index]
        stated = [(colour.jitter, 0.8), (colour.grey, 0.2), (colour.sigma > 0, blurred), (view.geometry.flip, 0.5)]
        for found, expected in [*stated, (colour.solarise, 0.2 if index == 1 else 0.0)]:
            assert found.double().mean() == pytest.approx(expected, abs=5 * (expected * (1 - expected) / 4000) ** 0.5)
        lowest, highest = colour.factors.amin(0).tolist(), colour.factors.amax(0).tolist()
        assert lowest == pytest.approx([0.6, 0.6, 0.8, -0.1], abs=0.01)
        assert highest == pytest.approx([1.4, 1.4, 1.2, 0.1], abs=0.01)
        assert len(colour.order.unique(dim=0)) == 24
        sigma = colour.sigma[colour.sigma > 0]
        assert sigma.min() >= 0.1 and sigma.max() < 2
    # Views do not share draws.
    assert (parameters[0].geometry.flip != parameters[1].geometry.flip).float().mean() > 0.4


# Views


@given(seed=st.integers(0, 99), first=st.integers(0, 5))
@settings(max_examples=10, deadline=None)
def test_a_sample_sees_the_same_views_in_any_batch(seed: int, first: int) -> None:
    native, detailed, ids = digital_numbers(6), aerial(6), torch.tensor([3, 99, 7, 12, 2**40, 0])
    has_optical = torch.tensor([True, False, True, False, False, True])
    whole = views_of(native, detailed, has_optical, samples=ids, seed=seed)
    rows = torch.tensor([first, (first + 2) % 6])
    part = views_of(native[rows], detailed[rows], has_optical[rows], samples=ids[rows], seed=seed)
    for many, few in zip(whole, part, strict=True):
        for a, b in zip(tensors(many), tensors(few), strict=True):
            torch.testing.assert_close(a[rows], b, atol=1e-4, rtol=0)


@pytest.mark.parametrize("high_resolution", ["both", "optical"])
def test_large_views_made_in_parts_and_threads_equal_small_ones(
    monkeypatch: pytest.MonkeyPatch, high_resolution: str
) -> None:
    """Large views are summed by taps, blurred in bands and made a few samples at a time; here small ones too."""
    has_optical = torch.arange(10) % 2 == 0
    arguments = (digital_numbers(10), aerial(10), has_optical)
    changed = replace(SMALL, high_resolution=high_resolution)
    expected = views_of(*arguments, settings=changed)
    monkeypatch.setattr(geo, "_DENSE_PIXELS", 0)
    monkeypatch.setattr(opt, "_BAND", 5)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert_views_equal(views_of(*arguments, settings=changed), expected)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_seed_epoch_and_sample_change_the_views() -> None:
    native = digital_numbers(2)
    base = views_of(native)
    for other in (views_of(native, seed=1), views_of(native, epoch=1), views_of(native, samples=torch.tensor([5, 6]))):
        for one, another in zip(base, other, strict=True):
            assert (one.optical != another.optical).any()
    assert_views_equal(base, views_of(native))


def test_autocast_does_not_reach_the_views() -> None:
    native = digital_numbers(2)
    before = native.clone()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = views_of(native)
    assert_views_equal(inside, views_of(native))
    assert all(tensor.dtype == torch.float32 for view in inside for tensor in tensors(view))
    assert torch.equal(native.int(), before.int())


@pytest.mark.parametrize("scale", [1, 2])
def test_shapes_and_names(scale: int) -> None:
    views = views_of(digital_numbers(3), aerial(3), settings=replace(SMALL, optical_scale=scale))
    assert [view.name for view in views] == ["global0", "global1", "local0", "local1"]
    for view in views:
        size = 24 if view.is_global else 12
        assert view.multispectral.shape == (3, 10, size, size)
        assert view.optical.shape == (3, 3, size * scale, size * scale)
        if view.is_global:
            assert view.display.shape == view.optical.shape
            assert view.display.min() >= 0 and view.display.max() <= 1
        else:
            assert view.display is None


def test_bright_ground_survives_without_jitter_and_is_clamped_for_display() -> None:
    clouds = torch.full((2, 10, 32, 32), 9000, dtype=torch.uint16)
    view = views_of(clouds, settings=PLAIN)[0]
    mean, std = statistics("sentinel2")
    torch.testing.assert_close(view.multispectral * std + mean, torch.full((2, 10, 24, 24), 9000.0))
    assert view.display.max() == 1


# Where the high-resolution image goes


HAS = torch.tensor([True, False, True])


@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize("augmentation", [True, False])
def test_both_stems_see_the_high_resolution_image(scale: int, augmentation: bool) -> None:
    chosen = replace(SMALL, optical_scale=scale, optical_augmentation=augmentation)
    alone = views_of(digital_numbers(3), settings=chosen)
    together = views_of(digital_numbers(3), aerial(3), HAS, settings=chosen)
    everywhere = views_of(digital_numbers(3), aerial(3), settings=chosen)
    for own, mixed, pure in zip(alone, together, everywhere, strict=True):
        torch.testing.assert_close(mixed.multispectral[:, 3:], own.multispectral[:, 3:])
        torch.testing.assert_close(mixed.multispectral[~HAS], own.multispectral[~HAS])
        torch.testing.assert_close(mixed.optical[~HAS], own.optical[~HAS])
        torch.testing.assert_close(mixed.optical[HAS], pure.optical[HAS], atol=1e-4, rtol=0)
        assert (mixed.optical[HAS] - own.optical[HAS]).abs().mean() > 0.1
        if scale == 1:
            assert torch.equal(mixed.multispectral[HAS, :3], mixed.optical[HAS])
            torch.testing.assert_close(own.multispectral[:, :3], own.optical)
        else:
            size = mixed.multispectral.shape[-1]
            small = tv.resize(mixed.optical[HAS], [size, size], InterpolationMode.BICUBIC, antialias=True)
            torch.testing.assert_close(mixed.multispectral[HAS, :3], small, atol=1e-5, rtol=0)


@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize("augmentation", [True, False])
def test_only_the_optical_stem_sees_it(scale: int, augmentation: bool) -> None:
    chosen = replace(SMALL, optical_scale=scale, optical_augmentation=augmentation)
    both = views_of(digital_numbers(3), aerial(3), HAS, settings=chosen)
    only = views_of(digital_numbers(3), aerial(3), HAS, settings=replace(chosen, high_resolution="optical"))
    alone = views_of(digital_numbers(3), settings=chosen)
    for view, shared, own in zip(only, both, alone, strict=True):
        assert torch.equal(view.optical, shared.optical)
        torch.testing.assert_close(view.multispectral, own.multispectral, atol=1e-4, rtol=0)


def test_none_leaves_the_high_resolution_image_out() -> None:
    none = views_of(digital_numbers(3), aerial(3), HAS, settings=replace(SMALL, high_resolution="none"))
    assert_views_equal(none, views_of(digital_numbers(3)))


def test_high_resolution_stays_sharp() -> None:
    # A period of 8 optical pixels, which is one multispectral pixel.
    stripes = (torch.arange(256) // 4 % 2 * 200).to(torch.uint8).expand(4, 3, 256, 256)
    flat = torch.full((4, 10, 32, 32), 1000, dtype=torch.uint16)
    contrast = {}
    for scale in (1, 4):
        chosen = replace(PLAIN, local_area=(0.05, 0.1), optical_scale=scale)
        *_, local = views_of(flat, stripes, settings=chosen)
        contrast[scale] = local.optical.std(dim=(1, 2, 3)).min().item()
        assert views_of(flat, settings=chosen)[-1].optical[0, 0].std() < 1e-4
    assert contrast[4] > 1.2 > 0.8 > contrast[1]


def test_optical_only_batches() -> None:
    views = views_of(None, aerial(2))
    assert all(view.multispectral is None for view in views)
    assert views[0].optical.shape == (2, 3, 24, 24)


# What cannot work


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((None, None), "neither a multispectral nor an optical image"),
        ((torch.zeros(2, 13, 32, 32), None), "13 multispectral bands; expected 10: B4 B3 B2"),
        ((torch.zeros(2, 10, 32, 32), torch.zeros(2, 3, 100, 100)), "whole multiple"),
        ((torch.zeros(2, 10, 32, 32), torch.zeros(2, 3, 64, 128)), "whole multiple"),
        ((torch.zeros(2, 10, 32, 32), None, torch.tensor([True, False])), "there is no optical image"),
        ((None, torch.zeros(2, 3, 32, 32), torch.tensor([True, False])), "samples without any image"),
    ],
)
def test_images_that_do_not_fit(arguments: tuple, message: str) -> None:
    with pytest.raises(BrewError, match=message):
        make_views(*(*arguments, None)[:3], samples=torch.arange(2), seed=0, epoch=0, settings=SMALL)


def test_optical_only_batches_need_their_optical_image() -> None:
    with pytest.raises(BrewError, match="samples without any image"):
        views_of(None, aerial(2), settings=replace(SMALL, high_resolution="none"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(high_resolution="optic"), "did you mean 'optical'"),
        (dict(blur_kernel=8), "expected an odd number up to 23"),
        (dict(blur_kernel=25), "expected an odd number up to 23"),
        (dict(global_area=(1.0, 0.4)), "smaller one first"),
        (dict(local_area=(0.0, 0.4)), "expected fractions"),
        (dict(local_size=0), "too small"),
    ],
)
def test_settings_that_cannot_work(change: dict, message: str) -> None:
    with pytest.raises(BrewError, match=message):
        replace(SMALL, **change)


# Further sensors


def radar(batch: int, size: int = 32) -> Tensor:
    return random(batch, 2, size, size, seed=2) * 20 - 25


def test_radar_follows_the_geometry_of_the_other_images() -> None:
    """An image that the multispectral one holds too is cut and turned alike; and nothing else changes."""
    pixels = digital_numbers(3)
    plain = make_views(pixels, None, None, samples=torch.arange(3), seed=0, epoch=0, settings=PLAIN)
    views = make_views(
        pixels, None, None, samples=torch.arange(3), seed=0, epoch=0, settings=PLAIN,
        others={"sar": pixels[:, :2].float()},
    )  # fmt: skip
    mean, std = statistics("sentinel1")
    ours, theirs = statistics("sentinel2")
    for view in views:
        assert view.multispectral is not None
        native = view.multispectral[:, :2] * theirs[:2] + ours[:2]
        torch.testing.assert_close(view.others["sar"] * std + mean, native, rtol=1e-4, atol=0.05)
    assert_views_equal(plain, views)


@pytest.mark.parametrize(
    ("others", "message"),
    [
        ({"radar": radar(2)}, "'radar'.*'sar'"),
        ({"sar": radar(2)[:, :1]}, "expected 2 bands .VV VH."),
        ({"sar": radar(2, 24)}, "whole multiple of the 32 x 32 grid"),
    ],
)
def test_images_of_a_further_sensor_that_do_not_fit_are_refused(others: dict[str, Tensor], message: str) -> None:
    with pytest.raises(BrewError, match=message):
        make_views(
            digital_numbers(2), None, None, samples=torch.arange(2), seed=0, epoch=0, settings=SMALL, others=others
        )
