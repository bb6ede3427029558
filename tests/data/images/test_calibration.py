"""Unit and offset: whoever speaks first is believed, pixels have a veto, and every hint leads to the right numbers."""

import re

import numpy as np
import pytest
import rasterio

from brew.data.images import open_image
from brew.errors import BrewError

ALL = slice(0, None)


def read(source, **options):
    image = open_image(source, **options)
    return image, *image.read(ALL, ALL)


#: What was done to the pixels, the type that keeps them, the question, and the answer that its hint names.
WRONG = {
    "offset left in": (lambda v: v + 1000, "uint16", "look as if 1000 had been added", {"offset": -1000}),
    "fractions": (lambda v: v / 1e4, "float32", "look like fractions", {"unit": "reflectance"}),
    "percent": (lambda v: v / 100, "float32", "99 % of the pixels are below", {"unit": "percent"}),
    "8 bit": (lambda v: v * 255 / 5000, "uint8", "stretched to 8 bit", {"scale": 0.5 / 255}),
    "offset taken off twice": (lambda v: v - 1000, "int16", "taken off twice", {"offset": 1000}),
    "reflectance with the offset": (
        lambda v: (v + 1000) / 1e4, "float32", "look like fractions", {"unit": "reflectance", "offset": -0.1}
    ),
    "percent packed": (
        lambda v: v * 100, "uint32", "99 % of the pixels are below", {"unit": "percent", "scale": 1e-4}
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_unit_is_asked_about_and_the_answer_gives_the_right_numbers(scene, tmp_path, kind):
    change, dtype, question, answer = WRONG[kind]
    path = scene.tif(tmp_path / "a.tif", change=change, dtype=dtype)
    with pytest.raises(BrewError, match=question) as error:
        open_image(path)
    if "offset" in answer and len(answer) == 1:
        assert f"`offset={answer['offset']:g}`" in str(error.value)
    _, values, valid = read(path, **answer)
    step = 5000 / 255 if dtype == "uint8" else 0.01
    assert valid.all() and np.abs(values - scene.ten).max() <= step


def test_reflectance_with_the_offset_is_asked_about_in_its_own_unit(scene, tmp_path):
    path = scene.tif(tmp_path / "a.tif", change=lambda v: (v + 1000) / 1e4, dtype="float32")
    with pytest.raises(BrewError, match=r"Pass `offset=-0\.1` if it was added, `offset=0`"):
        open_image(path, unit="reflectance")


def test_an_offset_taken_off_twice_and_cut_at_zero_is_not_silent(scene, tmp_path):
    path = scene.tif(tmp_path / "a.tif", change=lambda v: (v - 1000).clip(0))
    with pytest.raises(BrewError, match=r"no blue .*taken off twice"):
        open_image(path)


def test_an_offset_that_wrapped_around_is_not_silent(scene, tmp_path):
    path = scene.tif(tmp_path / "a.tif", change=lambda v: (v - 1000) % 65536)
    with pytest.raises(BrewError, match="expected digital numbers up to 28000"):
        open_image(path)


@pytest.mark.parametrize("options", [{"offset": -1000}, {"unit": "digital numbers", "offset": -1000}])
def test_an_offset_is_not_taken_off_pixels_without_it(scene, tmp_path, options):
    with pytest.raises(BrewError, match="taken off already: pass `offset=0`"):
        open_image(scene.tif(tmp_path / "a.tif"), **options)
    assert (read(tmp_path / "a.tif", offset=0)[1] == scene.ten).all()


def test_an_offset_is_not_added(scene, tmp_path):
    with pytest.raises(BrewError, match="pass `offset=-1000` or `offset=0`"):
        open_image(scene.tif(tmp_path / "a.tif"), offset=1000)


def shifted(values):
    return values + 1000


@pytest.mark.parametrize("said", ["packing", "tag", "name", "attribute", "caller"])
def test_everyone_who_says_the_offset_is_believed(scene, tmp_path, said):
    name = "S2A_MSIL2A_20230701T101031_N0509_R022_T32TPS_20230701T141600.tif" if said == "name" else "a.tif"
    path = scene.tif(tmp_path / name, change=shifted, packing=(1e-4, -0.1) if said == "packing" else None)
    with rasterio.open(path, "r+") as file:
        if said == "tag":
            for index in file.indexes:
                file.update_tags(index, BOA_ADD_OFFSET="-1000")
        if said == "attribute":
            file.update_tags(**{"processing_baseline": "05.09"})
    image, values, _ = read(path, **({"offset": -1000} if said == "caller" else {}))
    assert (values == scene.ten).all() and image.record["offset"] == -1000
    words = {"packing": "scale and offset of the file", "tag": "BOA_ADD_OFFSET", "name": "N0509", "attribute": "05.09"}
    assert words.get(said, "the caller") in image.record["offset_by"]


@pytest.mark.parametrize("said", ["packing", "tag", "name"])
def test_pixels_overrule_an_offset_that_was_taken_off_already(scene, tmp_path, said):
    name = "S2A_MSIL2A_20230701T101031_N0509_R022_T32TPS_20230701T141600.tif" if said == "name" else "a.tif"
    path = scene.tif(tmp_path / name, packing=(1e-4, -0.1) if said == "packing" else None)
    if said == "tag":
        with rasterio.open(path, "r+") as file:
            for index in file.indexes:
                file.update_tags(index, BOA_ADD_OFFSET="-1000")
    with pytest.raises(BrewError, match="taken off already: pass `offset=0`"):
        open_image(path)
    assert (read(path, offset=0)[1] == scene.ten).all()


def test_the_caller_comes_first(scene, tmp_path):
    path = scene.tif(tmp_path / "a.tif", packing=(1e-4, -0.1), change=lambda v: v + 1000)
    image, values, _ = read(path, unit="digital numbers", offset=-900)
    assert (values == scene.ten + 100).all() and image.record["unit_by"] == "the caller"


def test_each_band_has_its_own_scale(scene, tmp_path):
    path = scene.tif(tmp_path / "a.tif", change=lambda v: v * np.arange(1, 11)[:, None, None], dtype="uint32")
    with rasterio.open(path, "r+") as file:
        file.scales, file.offsets = [1e-4 / number for number in range(1, 11)], (0.0,) * 10
    assert np.abs(read(path)[1] - scene.ten).max() < 1e-2


def test_a_bright_place_is_confirmed(scene, tmp_path):
    path = scene.tif(tmp_path / "a.tif", change=lambda v: v + 1000)
    assert (read(path, offset=0)[1] == scene.ten + 1000).all()


def test_negative_and_saturated_numbers_are_clipped_and_counted(scene, tmp_path):
    def change(values):
        values = values.copy()
        values[0, 3, 4], values[6, 5, 6], values[0, 7, :2] = -20, 65535, -20
        return values

    image, values, valid = read(scene.tif(tmp_path / "a.tif", change=change, dtype="int32"))
    assert valid.all() and values[0, 3, 4] == 0 and values[6, 5, 6] == 65534
    counts = image.record["read"]
    assert (counts["negative"], counts["saturated"], counts["pixels"]) == (3, 1, 48 * 48)


def test_thirteen_bands_in_another_order_are_found_by_the_cirrus_band(scene, tmp_path):
    order = [*(f"B{number}" for number in range(1, 13)), "B8A"]
    path = scene.tif(tmp_path / "a.tif", names=None, order=order)
    with pytest.raises(BrewError, match='`bands="L1C-13"` or `bands="EuroSAT-13"`'):
        open_image(path)
    with pytest.raises(BrewError, match='pass `bands="EuroSAT-13"`'):
        open_image(path, bands="L1C-13")
    assert (read(path, bands="EuroSAT-13")[1] == scene.ten).all()


@pytest.mark.parametrize("options", [{"unit": "furlongs"}, {"scale": -1.0}, {"offset": float("nan")}, {"bands": "L3"}])
def test_options_that_are_none(scene, tmp_path, options):
    with pytest.raises(BrewError, match=re.escape(str(next(iter(options.values()))))):
        open_image(scene.tif(tmp_path / "a.tif"), **options)
