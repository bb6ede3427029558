"""The student: native units in, named features out; sensors find their stem; files are read back exactly or refused."""

import functools
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from brew.errors import BrewError
from brew.models.routes import find_route
from brew.models.student import TRUNKS, Route, Student, build_student, load_student, save_student
from brew.sensors import PATHS, SENSORS, Band, Sensor

DTYPES = (torch.uint16, torch.int16, torch.int32, torch.float32, torch.float64, torch.bfloat16)


@functools.cache
def student(trained_paths: tuple[str, ...] = tuple(PATHS)) -> Student:
    return build_student("swin-nano", trained_paths, seed=0).eval()


def image(sensor: str, size: int = 32, batch: int = 2) -> Tensor:
    """Values that bfloat16 holds exactly, so that every type holds the same image."""
    source = SENSORS[sensor]
    generator = torch.Generator().manual_seed(0)
    values = torch.randint(0, 255, (batch, len(source), size, size), generator=generator)
    return {"uint16": 16 * values, "uint8": values, "float32": -values // 8}[source.dtype]


def normalise(images: Tensor, sensor: str) -> Tensor:
    mean, std = (torch.tensor(each).view(-1, 1, 1) for each in (SENSORS[sensor].mean, SENSORS[sensor].std))
    return (images.float() - mean) / std


@pytest.mark.parametrize("trunk", TRUNKS)
def test_every_trunk_keeps_the_contract(trunk: str) -> None:
    """On the meta device: shapes without numbers."""
    with torch.device("meta"):
        built = build_student(trunk, tuple(PATHS))
        trunk = built.trunk
        for path, channels in PATHS.items():
            drop = torch.rand(2, 2 * trunk.blocks)
            features = built.encode(torch.rand(2, channels, 96, 128), path, drop)
            shapes = {name: tuple(each.shape) for name, each in features.maps.items()}
            assert shapes == {
                f"stride{s}": (2, channels, 96 // s, 128 // s)
                for s, channels in zip((4, 8, 16, 32), trunk.channels, strict=True)
            }
            assert built.channels == {name: shape[1] for name, shape in shapes.items()}
            assert features.pooled.shape == (2, built.width)
            assert features.late.shape[1] == built.late_width
            assert features.middle.shape[1] == built.middle_width


@pytest.mark.parametrize("sensor", SENSORS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_native_units_of_any_type_are_normalised_inside(sensor: str, dtype: torch.dtype) -> None:
    images = image(sensor)
    if images.min() < 0 and not dtype.is_signed:
        pytest.skip("values below zero")
    with torch.no_grad():
        expected = student().encode(normalise(images, sensor), SENSORS[sensor].path)
        found = student()(images.to(dtype), sensor=sensor)
        again = student()(normalise(images, sensor), sensor=sensor, normalised=True)
    torch.testing.assert_close(found.pooled, expected.pooled)
    torch.testing.assert_close(found.maps, expected.maps)
    torch.testing.assert_close(again.pooled, expected.pooled)


def test_sentinel2_is_the_default_sensor() -> None:
    torch.testing.assert_close(student()(image("sentinel2")).pooled, student()(image("sentinel2"), "sentinel2").pooled)


def test_both_stems_share_a_pass_through_the_trunk() -> None:
    multispectral, optical = torch.randn(2, 10, 32, 32), torch.randn(3, 3, 32, 32)
    tokens = [student().tokens(multispectral, "multispectral"), student().tokens(optical, "optical")]
    first, second = student().trunk(torch.cat(tokens)).split([2, 3])
    torch.testing.assert_close(first.pooled, student().encode(multispectral, "multispectral").pooled)
    torch.testing.assert_close(second.maps, student().encode(optical, "optical").maps)


def test_without_an_optical_stem_rgb_takes_the_multispectral_one() -> None:
    alone = student(("multispectral",))
    route = alone.route("rgb")
    assert (route.path, route.channels[:3], route.unused) == ("multispectral", (0, 1, 2), ())
    assert route.absent == ("B5", "B6", "B7", "B8", "B8A", "B11", "B12")
    images = image("rgb")
    expected = torch.cat([normalise(images, "rgb"), torch.zeros(2, 7, 32, 32)], 1)
    torch.testing.assert_close(alone(images, "rgb").pooled, alone.encode(expected, "multispectral").pooled)


def test_without_a_multispectral_stem_its_true_colour_bands_take_the_optical_one() -> None:
    alone = student(("optical",))
    route = alone.route("sentinel2")
    assert (route.path, route.channels, route.absent) == ("optical", (0, 1, 2), ())
    assert route.unused == ("B5", "B6", "B7", "B8", "B8A", "B11", "B12")
    images = image("sentinel2")
    torch.testing.assert_close(alone(images).pooled, alone(images[:, :3], "sentinel2-rgb").pooled)


def test_a_trained_stem_is_the_sensor_s_own() -> None:
    assert student().route("rgb") == Route("optical", (0, 1, 2))
    assert student().route("sentinel2") == Route("multispectral", tuple(range(10)))
    with pytest.raises(BrewError, match=r"no trained stem.*trained: none.*expected the stem 'optical'"):
        student(()).route("rgb")


def sensor_with(*wavelengths_um: float) -> Sensor:
    bands = tuple(Band(f"band{i}", wavelength, 10.0) for i, wavelength in enumerate(wavelengths_um))
    return replace(SENSORS["rgb"], name="camera", path="camera", bands=bands)


def test_a_band_stands_in_for_one_band_of_about_its_wavelength() -> None:
    route = find_route(sensor_with(10.8, 0.84), ["optical", "multispectral"])
    stem = SENSORS["sentinel2"].band_names
    assert [(stem[i], band) for i, band in enumerate(route.channels) if band is not None] == [("B8", 1)]
    assert (route.path, route.unused) == ("multispectral", ("band0",))
    with pytest.raises(BrewError, match="no trained stem of this student reads any band of sensor 'camera'"):
        find_route(sensor_with(10.8, 0.84), ["optical"])


def bad(**changes: float) -> Tensor:
    images = image("sentinel2").float()
    for band, value in changes.items():
        images[1, SENSORS["sentinel2"].band_names.index(band), 3, 4] = value
    return images


@pytest.mark.parametrize(
    ("images", "sensor", "message"),
    [
        (torch.ones(1, 9, 32, 32), "sentinel2", r"shape \(1, 9, 32, 32\); expected \(batch, 10, y, x\).*B4 B3 B2 B5"),
        (torch.ones(1, 13, 32, 32), "sentinel2", r"expected \(batch, 10"),
        (torch.ones(1, 10, 32, 32), "rgb", r"expected \(batch, 3, y, x\).*red green blue"),
        (torch.ones(10, 32, 32), "sentinel2", r"shape \(10, 32, 32\)"),
        (torch.ones(1, 10, 32, 3), "sentinel2", "at least one image of 4 x 4 px"),
        (torch.ones(0, 10, 32, 32), "sentinel2", "at least one image"),
        (torch.rand(1, 10, 32, 32), "sentinel2", "look like fractions.*expected digital number"),
        (torch.rand(1, 3, 32, 32), "rgb", r"look like fractions.*expected 8-bit brightness \(0-255\)"),
        (bad(B8A=float("nan")), "sentinel2", "band B8A: NaN or infinite"),
        (bad(B11=float("inf")), "sentinel2", "band B11: NaN or infinite"),
        (bad(B2=-9999.0), "sentinel2", "band B2: values from -9999 to .*expected digital number.*from 0 to 65534"),
        (bad(B5=65535.0), "sentinel2", "band B5: values from 0 to 65535"),
        (image("sentinel2")[:, :3], "rgb", "band red: values from 0 to 4064; expected 8-bit"),
        (torch.ones(1, 10, 32, 32), "sentinel-2", "did you mean 'sentinel2'"),
    ],
)
def test_unsound_images_are_refused(images: Tensor, sensor: str, message: str) -> None:
    with pytest.raises(BrewError, match=message):
        student()(images, sensor)


def test_normalised_images_are_checked_for_shape_and_finiteness_alone() -> None:
    student()(torch.randn(1, 10, 32, 32), normalised=True)
    with pytest.raises(BrewError, match="band B4: NaN"):
        student()(torch.full((1, 10, 32, 32), float("nan")), normalised=True)
    with pytest.raises(BrewError, match="expected"):
        student()(torch.randn(1, 3, 32, 32), normalised=True)


def test_a_black_image_is_sound() -> None:
    assert student()(torch.zeros(1, 10, 32, 32)).pooled.isfinite().all()


def test_masked_patches_hold_the_mask_token() -> None:
    maskable = build_student("swin-nano", maskable=True, seed=0)
    assert maskable.mask_token is not None
    torch.nn.init.constant_(maskable.mask_token, 3.0)
    images, mask = torch.randn(2, 10, 32, 32), torch.zeros(2, 8, 8, dtype=torch.bool)
    mask[1, 2:4] = True
    tokens, plain = maskable.tokens(images, "multispectral", mask), maskable.tokens(images, "multispectral")
    assert (tokens[mask] == 3).all()
    assert torch.equal(tokens[~mask], plain[~mask])
    with pytest.raises(BrewError, match="maskable=True"):
        student().tokens(images, "multispectral", mask)


def test_a_seed_gives_the_same_weights_and_leaves_the_generator_alone() -> None:
    before = torch.random.get_rng_state()
    first, second, other = (build_student("swin-nano", seed=seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["stems.optical.proj.weight"], other["stems.optical.proj.weight"])


def test_unknown_names_are_refused_with_the_nearest() -> None:
    with pytest.raises(BrewError, match="did you mean 'swin-micro'"):
        build_student("swin_micro")
    with pytest.raises(BrewError, match="did you mean 'optical'"):
        build_student("swin-nano", ["optcal"])
    with pytest.raises(BrewError, match="path 'sar' has no stem"):
        student(("optical",)).tokens(torch.randn(1, 2, 32, 32), "sar")


# Files.


def saved(folder: Path) -> Path:
    path = folder / "student.pt"
    save_student(path, student(("multispectral",)), {"arm": "ms-only", "seed": 3})
    return path


@pytest.mark.parametrize("trunk", ["swin-nano", "vit-micro"])
def test_a_file_gives_the_same_student_back(trunk: str, tmp_path: Path) -> None:
    built = build_student(trunk, ["optical"], stochastic_depth=0.3, maskable=True, seed=0)
    save_student(tmp_path / "a.pt", built, {"arm": "deo"})
    state = torch.random.get_rng_state()
    read = load_student(tmp_path / "a.pt")
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not read.training
    assert (read.trunk_size, read.trained_paths, read.provenance) == (trunk, ("optical",), {"arm": "deo"})
    assert read.trunk.stochastic_depth == 0.3
    images = image("rgb", 64)
    torch.testing.assert_close(read(images, "rgb").pooled, built(images, "rgb").pooled, rtol=0, atol=0)
    save_student(tmp_path / "b.pt", read)
    assert (tmp_path / "b.pt").read_bytes() == (tmp_path / "a.pt").read_bytes()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.pt", "b.pt"]


@settings(max_examples=25, deadline=None)
@given(part=st.floats(0, 1, exclude_max=True))
def test_a_truncated_file_is_refused(part: float, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = saved(tmp_path_factory.mktemp("truncated"))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(part * len(whole))])
    with pytest.raises(BrewError, match=r"student\.pt \([\d,]+ bytes\) cannot be read.*download or copy it again"):
        load_student(path)


@settings(max_examples=25, deadline=None)
@given(part=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_never_changes_a_weight_silently(
    part: float, bit: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = saved(tmp_path_factory.mktemp("damaged"))
    content = bytearray(path.read_bytes())
    content[int(part * len(content))] ^= 1 << bit
    path.write_bytes(bytes(content))
    try:
        read = load_student(path)
    except BrewError:
        return
    expected = student(("multispectral",)).state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in read.state_dict().items())


class Intruder:
    def __reduce__(self):  # type: ignore[no-untyped-def]
        return (print, ("code ran",))


def test_a_file_cannot_run_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"student": Intruder()}, tmp_path / "a.pt")
    (tmp_path / "b.pt").write_bytes(pickle.dumps(Intruder()))
    for name in ("a.pt", "b.pt"):
        with pytest.raises(BrewError, match="only tensors and plain values"):
            load_student(tmp_path / name)
    assert "code ran" not in capsys.readouterr().out


def test_an_absent_file_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.pt", tmp_path):
        with pytest.raises(BrewError, match="is no file"):
            load_student(path)


def test_a_file_of_another_trunk_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path)
    content = torch.load(path)
    torch.save(content | {"backbone": "swin-micro"}, path)
    with pytest.raises(BrewError, match=r"does not fit 'swin-micro'.*misfits"):
        load_student(path)
    torch.save(content | {"backbone": "swin-nan"}, path)
    with pytest.raises(BrewError, match="did you mean 'swin-nano'"):
        load_student(path)
    torch.save(content | {"state": content["state"] | {"extra": torch.ones(1)}}, path)
    with pytest.raises(BrewError, match="extra is unknown"):
        load_student(path)
