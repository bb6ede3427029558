"""Features of what people bring: the right ones, or an error whose hint, taken at its word, leads to them."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import torch
import xarray as xr
from rasterio.enums import Resampling
from rasterio.transform import Affine
from rasterio.vrt import WarpedVRT
from rasterio.warp import reproject

import brew
from brew.errors import BrewError
from brew.models.student import Student, build_student
from brew.sensors import SENSORS, SENTINEL2_BANDS
from tests.data.images.safe import write_safe

TEN = SENSORS["sentinel2"].band_names
COARSE = [band for band in TEN if SENTINEL2_BANDS[band].resolution_m > 10]
EUROSAT = [*(f"B{number}" for number in range(1, 13)), "B8A"]
LEFT, TOP, SIZE = 600_000, 5_100_000, 48
#: Mean cosine distance to the right features: of the same pixels, and beside a hole or after a resampling.
EXACT, NEAR = 1e-3, 0.03


@pytest.fixture(scope="module")
def student() -> Student:
    return build_student("swin-nano", seed=0).eval()


@pytest.fixture(scope="module")
def right(scene: Any, student: Student) -> xr.Dataset:
    return brew.embed(scene.array(), student)


class Believed:
    """An image whose numbers nobody doubts."""

    crs, record = "EPSG:32632", {"source": "made here"}

    def __init__(self, values: np.ndarray):
        self.values, self.shape = values.astype(np.float32).clip(0, 65534), values.shape[1:]
        self.y, self.x = TOP - 5 - 10.0 * np.arange(SIZE), LEFT + 5 + 10.0 * np.arange(SIZE)

    def read(self, rows: slice, columns: slice) -> tuple[np.ndarray, np.ndarray]:
        return self.values[:, rows, columns], np.ones(self.shape, bool)[rows, columns]


@pytest.fixture(scope="module")
def bilinear(scene: Any, student: Student) -> xr.Dataset:
    """Right features if 20 m bands come to 10 m bilinearly, as GDAL does it."""
    fine, coarse = (Affine(pixel, 0, LEFT, 0, -pixel, TOP) for pixel in (10, 20))
    grids = {"src_transform": coarse, "dst_transform": fine, "src_crs": "EPSG:32632", "dst_crs": "EPSG:32632"}
    values = scene.ten.astype(np.float32)
    for number, band in enumerate(TEN):
        if band in COARSE:
            reproject(values[number, ::2, ::2].copy(), values[number], resampling=Resampling.bilinear, **grids)
    return brew.embed(Believed(values), student)


def distance(found: xr.Dataset, expected: xr.Dataset) -> float:
    """Mean cosine distance where both have features; the places have to agree."""
    assert (found["x"].values == expected["x"].values).all() and (found["y"].values == expected["y"].values).all()
    pair = [torch.from_numpy(each["features"].values).double() for each in (found, expected)]
    return float((1 - torch.cosine_similarity(*pair, 0)).nanmean())


def hints(error: BrewError) -> list[dict[str, Any]]:
    """The options that a message names between backticks."""
    found = re.findall(r"`((?:bands|unit|scale|offset|pixel|date)=[^`]+)`", str(error))
    return [eval(f"dict({each})", {}) for each in found if "..." not in each]


def advised(source: Any, student: Student, follow: list[int]) -> xr.Dataset:
    """Features by the hints of one error after the other; `follow` numbers the one that is taken of each."""
    options: dict[str, Any] = {}
    for number in follow:
        with pytest.raises(BrewError) as error:
            brew.embed(source, student, **options)
        options |= hints(error.value)[number]
    return brew.embed(source, student, **options)


#: What is wrong: what was done to the numbers, how the file is made, and which hint of each error is followed.
WRONG: dict[str, tuple[Callable[[np.ndarray], np.ndarray], dict[str, Any], list[int]]] = {
    "1000 left in": (lambda v: v + 1000, {}, [0]),
    "1000 taken off twice": (lambda v: v - 1000, {"dtype": "int16"}, [0]),
    "percent": (lambda v: v / 100, {"dtype": "float32"}, [0]),
    "fractions": (lambda v: v / 1e4, {"dtype": "float32"}, [0]),
    "8 bit": (lambda v: (v / 4000 * 255).clip(0, 255), {"dtype": "uint8"}, [1]),
    "16 bit of Sentinel Hub": (lambda v: np.rint(v * 6.5535), {}, [0]),
}  # fmt: skip


@pytest.mark.parametrize("kind", WRONG)
def test_no_wrong_unit_passes_and_the_hint_leads_to_the_right_features(scene, student, right, tmp_path, kind):
    change, made, follow = WRONG[kind]
    stored = change(scene.ten).astype(made.get("dtype", "uint16"))
    if stored.max() > 1:  # a student refuses fractions by itself
        assert distance(brew.embed(Believed(stored), student), right) > NEAR  # so silence would be wrong
    expected = brew.embed(Believed(stored * np.float32(4000 / 255)), student) if kind == "8 bit" else right
    assert distance(advised(scene.tif(tmp_path / "a.tif", change=change, **made), student, follow), expected) <= EXACT


def test_an_offset_that_is_declared_and_not_there(scene, student, right, tmp_path):
    path = scene.tif(tmp_path / "a.tif", packing=(1e-4, -0.1))
    assert distance(advised(path, student, [0]), right) <= EXACT


def test_thirteen_bands_in_eurosats_order(scene, student, right, tmp_path):
    """Both orders are offered; the wrong one is an error that names the other."""
    path = scene.tif(tmp_path / "a.tif", names=None, order=EUROSAT)
    assert distance(advised(path, student, [0, 0]), right) <= EXACT
    assert distance(advised(path, student, [1]), right) <= EXACT


@pytest.mark.parametrize("options", [{}, {"unit": "reflectance"}, {"unit": "digital numbers"}])
def test_normalised_values_cannot_be_led_back(scene, student, options):
    array = scene.array(change=lambda v: (v - v.mean((1, 2), keepdims=True)) / v.std((1, 2), keepdims=True))
    with pytest.raises(BrewError, match=r"as if they were normalised; .*Give the image before that"):
        brew.embed(array, student, **options)


def test_zeros_beside_the_swath_are_no_dark_ground(scene, student, right):
    numbers = scene.ten
    numbers[:, :, :17] = 0
    features = brew.embed(scene.array(change=lambda v: numbers), student)
    assert np.isnan(features["features"].values[:, :, :4]).all()
    assert (features["valid"].values[:, :4] == 0).all() and (features["valid"].values[:, 4] == 0.75).all()
    assert distance(features.isel(x=slice(5, None)), right.isel(x=slice(5, None))) <= NEAR


def test_one_nan_costs_no_scene(scene, student, right):
    numbers = scene.ten
    numbers[3, 20, 20] = np.nan
    features = brew.embed(scene.array(change=lambda v: numbers), student)
    assert features["valid"].values[5, 5] == 15 / 16 and np.isfinite(features["features"].values).all()
    assert distance(features, right) <= EXACT


def test_small_negatives_of_a_right_correction(scene, student, right):
    def change(values: np.ndarray) -> np.ndarray:
        values[0, ::7, ::7] = -15
        return values

    array = scene.array(change=change).astype(np.int16)
    zero = scene.array(change=change).clip(0, None)
    assert distance(brew.embed(array, student), brew.embed(zero, student)) <= EXACT


def test_stackstacs_corners_keep_the_place(scene, student, right):
    array = scene.array(centres=False)
    array.attrs["transform"] = Affine(10, 0, LEFT, 0, -10, TOP)
    assert distance(brew.embed(array, student), right) <= EXACT


def test_a_dataset(scene, student, right):
    assert distance(brew.embed(scene.array().to_dataset(dim="band"), student), right) <= EXACT


def one_file_per_band(scene: Any, folder: Path, pixel: int) -> Path:
    """Bands of 20 m as they are, the others on `pixel` metres, and a classification beside them."""
    folder.mkdir()
    for band in [*TEN, "SCL"]:
        step = 2 if band in COARSE or band == "SCL" or pixel == 20 else 1
        values = scene.numbers[band if band in TEN else "B5"][::step, ::step].astype(np.uint16)
        place = {"crs": "EPSG:32632", "transform": Affine(10 * step, 0, LEFT, 0, -10 * step, TOP), "dtype": "uint16"}
        shape = {"count": 1, "height": len(values), "width": len(values), "driver": "GTiff"}
        with rasterio.open(folder / f"{band}.tif", "w", **place, **shape) as file:
            file.write(values, 1)
    return folder


def test_a_classification_beside_the_bands(scene, student, bilinear, tmp_path):
    features = brew.embed(one_file_per_band(scene, tmp_path / "bands", 10), student)
    assert distance(features, bilinear) <= EXACT and "SCL" in features.attrs["left_out"]


def test_a_folder_of_20_m_files_is_said_to_be_one(scene, student, tmp_path):
    folder = one_file_per_band(scene, tmp_path / "bands", 20)
    coarse = scene.array()[:, ::2, ::2].assign_coords(
        x=LEFT + 10 + 20 * np.arange(SIZE // 2), y=TOP - 10 - 20 * np.arange(SIZE // 2)
    )
    assert distance(advised(folder, student, [0]), brew.embed(coarse, student, pixel=20)) <= EXACT


def test_a_product_as_folder_zip_and_xml(scene, student, bilinear, tmp_path):
    """Its offset is in its tags, its 20 m bands come to 10 m, and its corner has no value."""
    folder = write_safe(tmp_path, scene.numbers, LEFT, TOP, corner=8)
    archive = shutil.make_archive(str(tmp_path / "product"), "zip", tmp_path, folder.name)
    found = [brew.embed(each, student) for each in (folder, archive, folder / "MTD_MSIL2A.xml")]
    assert np.isnan(found[0]["features"].values[:, :2, :2]).all()
    away = found[0].isel(y=slice(4, None), x=slice(4, None)), bilinear.isel(y=slice(4, None), x=slice(4, None))
    assert distance(*away) <= EXACT
    for other in found[1:]:
        xr.testing.assert_equal(found[0].drop_attrs(), other.drop_attrs())


def test_a_turned_grid_after_the_tool_that_its_error_names(scene, student, right, tmp_path):
    """gdalwarp with those arguments is what rasterio's warp does here."""
    place = Affine(10, 0, LEFT, 0, -10, TOP)
    turned = scene.tif(tmp_path / "turned.tif", transform=place @ Affine.rotation(90))
    with pytest.raises(BrewError, match=r"gdalwarp -tr 10 10 -r bilinear turned\.tif upright\.tif"):
        brew.embed(turned, student)
    with rasterio.open(turned) as file, WarpedVRT(file, crs=file.crs, resampling=1) as upright:
        upright_file = tmp_path / "upright.tif"
        with rasterio.open(upright_file, "w", **{**upright.profile, "driver": "GTiff"}) as out:
            out.write(upright.read())
            out.descriptions = TEN
    features = brew.embed(upright_file, student)
    expected = brew.embed(scene.array(change=lambda v: np.rot90(v, -1, axes=(1, 2))), student)
    pair = [torch.from_numpy(each["features"].values).double() for each in (features, expected)]
    assert float((1 - torch.cosine_similarity(*pair, 0)).mean()) <= NEAR
