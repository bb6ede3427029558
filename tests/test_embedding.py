"""A scene's features: on its own grid, without seams, whatever the order of its bands."""

import importlib
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
import xarray as xr

import brew
from brew.errors import BrewError
from brew.models.student import Student, build_student
from brew.sensors import SENSORS

NAMES = SENSORS["sentinel2"].band_names


@pytest.fixture(scope="module")
def student() -> Student:
    return build_student("swin-nano", seed=0).eval()


def scene(height: int, width: int, names: tuple[str, ...] = NAMES) -> xr.DataArray:
    values = np.random.default_rng(0).integers(200, 4000, (10, height, width), dtype=np.uint16)
    ordered = np.stack([values[NAMES.index(name)] for name in names])
    y, x = 5_000_000 - 10 * np.arange(height), 400_000 + 10 * np.arange(width)
    return xr.DataArray(ordered, dims=("band", "y", "x"), coords={"band": list(names), "y": y, "x": x})


def test_the_function_keeps_its_name_whatever_was_imported_before() -> None:
    importlib.import_module("brew.compendium.scene_features")
    assert callable(brew.embed) and not hasattr(brew.embed, "__path__")


def test_one_tile_is_what_the_student_gives(student: Student) -> None:
    image = scene(64, 96)
    found = brew.embed(image, student)["features"]
    with torch.no_grad():
        expected = student(torch.from_numpy(image.values.astype(np.float32))[None]).maps["stride4"][0]
    assert found.dims == ("feature", "y", "x")
    np.testing.assert_allclose(found.values, expected.numpy(), atol=1e-5)


@pytest.mark.parametrize(("height", "width"), [(33, 70), (100, 40), (161, 129)])
@pytest.mark.parametrize("stride", [4, 32])
def test_every_size_is_covered_and_keeps_its_place(student: Student, height: int, width: int, stride: int) -> None:
    image = scene(height, width)
    found = brew.embed(image, student, stride=stride, tile=64, overlap=32)
    assert found["features"].shape == (student.channels[f"stride{stride}"], -(-height // stride), -(-width // stride))
    assert np.isfinite(found["features"].values).all()
    # A cell's centre is the mean of its pixels' centres.
    assert found["x"].values[0] == pytest.approx(float(image["x"][:stride].mean()))
    assert found["y"].values[1 if stride == 4 else 0] == pytest.approx(
        float(image["y"][stride : 2 * stride].mean() if stride == 4 else image["y"][:stride].mean())
    )


def test_a_constant_scene_shows_no_seam(student: Student) -> None:
    image = scene(160, 160)
    image.values[:] = 1500
    found = brew.embed(image, student, tile=96, overlap=64, stride=32)["features"].values
    alone = brew.embed(image[:, :96, :96], student, tile=96, overlap=64, stride=32)["features"].values
    assert np.abs(found[:, 0, 0] - alone[:, 0, 0]).max() < 1e-4


@pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")  # rasterio's own
def test_bands_are_found_by_name_in_a_geotiff(student: Student, tmp_path: Path) -> None:
    names = ("B12", "B2", "B3", "B4", "B1", "B5", "B6", "B7", "B8", "B8A", "B11")
    image = scene(64, 64)
    path = tmp_path / "scene.tif"
    profile = {
        "driver": "GTiff", "height": 64, "width": 64, "count": len(names), "dtype": "uint16", "crs": "EPSG:32632",
        "transform": rasterio.transform.from_origin(399_995, 5_000_005, 10, 10),
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as file:
        for number, name in enumerate(names, 1):
            band = image.sel(band=name).values if name in NAMES else np.full((64, 64), 7, dtype=np.uint16)
            file.write(band, number)
            file.set_band_description(number, name if name != "B4" else "B04")
    found = brew.embed(path, student)
    expected = brew.embed(image, student)
    np.testing.assert_allclose(found["features"].values, expected["features"].values, atol=1e-6)
    np.testing.assert_allclose(found["x"].values, expected["x"].values)
    assert found.rio.crs.to_epsg() == 32632
    found["features"].rio.to_raster(tmp_path / "features.tif")
    with rasterio.open(tmp_path / "features.tif") as file:
        assert file.transform.a == 40 and file.crs.to_epsg() == 32632
        assert (file.transform.c, file.transform.f) == (399_995, 5_000_005)


@pytest.mark.parametrize(
    ("image", "options", "message"),
    [
        (scene(64, 64, NAMES[:8]), {}, "band B11, B12 missing; found B4, B3"),
        (scene(64, 64).isel(band=0), {}, "expected band, y and x"),
        (scene(64, 64).drop_vars("band"), {}, "band B4, .* missing"),
        (scene(64, 64) / 10000, {}, "look like fractions"),
        (scene(64, 64), {"stride": 5}, "no map 'stride5'; did you mean"),
        (scene(64, 64), {"tile": 100}, "expected multiples of 32"),
        (scene(64, 64), {"sensor": "rgb"}, "band red, green, blue missing"),
    ],
)
def test_unsound_input_is_refused(student: Student, image: xr.DataArray, options: dict, message: str) -> None:
    with pytest.raises(BrewError, match=message):
        brew.embed(image, student, **options)
