"""Bands by any dialect, in any order, by any chunks: the same numbers."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from brew.data.images import open_image
from brew.errors import BrewError
from brew.sensors import SENSORS

TEN = SENSORS["sentinel2"].band_names
WAVELENGTH = dict(zip(TEN, (665, 560, 490, 705, 740, 783, 842, 865, 1610, 2190), strict=True))
STAC = dict(
    zip(
        TEN,
        ["red", "green", "blue", "rededge1", "rededge2", "rededge3", "nir", "nir08", "swir16", "swir22"],
        strict=True,
    )
)
#: How tools spell each band.
SPELLINGS = {
    "plain": lambda band: band,
    "two digits": lambda band: f"B{band[1:].zfill(2)}",
    "small": lambda band: f"b{band[1:].lower().zfill(2)}",
    "GDAL": lambda band: f"{band}, central wavelength {WAVELENGTH[band]} nm",
    "ESA": lambda band: f"T32TPS_20230701T101031_B{band[1:].zfill(2)}_10m",
    "Sentinel Hub": lambda band: f"2023-07-01-00:00_2023-07-01-23:59_Sentinel-2_L2A_B{band[1:].zfill(2)}_(Raw)",
    "Earth Engine": lambda band: f"{band}_median",
    "STAC": STAC.get,
    "xarray-eopf": lambda band: {"B5": "rededge071", "B6": "rededge075", "B7": "rededge078"}.get(band, STAC[band]),
    "FORCE": lambda band: {"B8": "BROADNIR", "B8A": "NIR", "B11": "SWIR1", "B12": "SWIR2"}.get(
        band, STAC[band].upper()
    ),
    "Open Data Cube": lambda band: {"B8": "nir_1", "B8A": "nir_2", "B11": "swir_1"}.get(band, STAC[band]),
    "Australia": lambda band: "nbart_" + {"B8": "nir_1", "B8A": "nir_2", "B11": "swir_2", "B12": "swir_3"}.get(
        band, STAC[band].replace("rededge", "red_edge_")
    ),
}  # fmt: skip


@settings(max_examples=16, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(sorted(SPELLINGS)),
    st.permutations(range(10)),
    st.integers(16, 48),
    st.integers(0, 40),
    st.integers(1, 48),
)
def test_any_spelling_any_order_and_any_chunks_give_the_same_numbers(scene, spelling, order, chunk, start, size):
    array = scene.array(names=[SPELLINGS[spelling](band) for band in TEN])[list(order)]
    image = open_image(array.chunk({"band": 3, "y": chunk, "x": chunk}))
    rows = slice(start, min(48, start + size))
    values, valid = image.read(rows, slice(0, 48))
    assert valid.all() and (values == scene.ten[:, rows]).all()


@pytest.mark.parametrize(
    ("names", "match"),
    [
        ([*(STAC[band] for band in TEN[:6]), "nir", "x", "swir16", "swir22"], "'nir' alone may be B8 or B8A"),
        ([*TEN[:9], "B11"], "band B12 missing"),
        ([*TEN[:9], "B12_stdDev"], "band B12 missing"),
        ([f"Band {number}" for number in range(1, 11)], r'missing.*`bands=\["B2", ...\]`'),
        ([f"{number}" for number in range(1, 11)], r'missing.*`bands=\["B2", ...\]`'),
    ],
)  # fmt: skip
def test_names_that_do_not_tell_all_bands(scene, names, match):
    with pytest.raises(BrewError, match=match):
        open_image(scene.array(names=names))


def test_a_band_that_stands_twice(scene):
    array = scene.array(names=TEN)
    with pytest.raises(BrewError, match="band B4 doubled"):
        open_image(array.isel(band=[*range(10), 0]))


@pytest.mark.parametrize(
    "given", [list(TEN), [STAC[band] for band in TEN], {band: f"lyr.{number}" for number, band in enumerate(TEN, 1)}]
)
def test_bands_as_the_caller_says(scene, given):
    image = open_image(scene.array(names=[f"lyr.{number}" for number in range(1, 11)]), bands=given)
    assert (image.read(slice(0, 9), slice(0, 9))[0] == scene.ten[:, :9, :9]).all()
    assert image.record["dialect"] == "as the caller says"


def test_names_in_rioxarrays_long_name(scene):
    array = scene.array(names=range(1, 11))
    array.attrs["long_name"] = TEN
    assert (open_image(array).read(slice(0, 9), slice(0, 9))[0] == scene.ten[:, :9, :9]).all()


def test_what_is_no_band_is_left_out_and_named(scene, tmp_path):
    order = [*TEN, "B9", "B1"]
    path = scene.tif(tmp_path / "a.tif", names=[*TEN, "SCL", "QA60"], order=order)
    image = open_image(path)
    assert image.record["left_out"] == ["SCL", "QA60"] and np.array_equal(
        image.read(slice(0, 5), slice(0, 5))[0], scene.ten[:, :5, :5]
    )
