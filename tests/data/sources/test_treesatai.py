"""TreeSatAI: true pixels out of the enlarged cut, bands by name, and the order that the pixels show."""

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio

from brew.data.sources import treesatai
from brew.data.sources.treesatai import AERIAL_BANDS, SENTINEL2_ORDER
from brew.data.store import open_store
from brew.errors import BrewError
from brew.sensors import SENSORS

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


def tif(path: Path, values: np.ndarray):
    with rasterio.open(
        path, "w", driver="GTiff", height=values.shape[1], width=values.shape[2], count=len(values), dtype=values.dtype
    ) as file:
        file.write(values)


@pytest.fixture
def root(tmp_path) -> Path:
    """One place: band n of the Sentinel-2 cut holds 100 n + 10 row + column; band n of the aerial image holds n."""
    root = tmp_path / "treesatai"
    root.mkdir()
    (root / "meta.json").write_text(json.dumps([{"tortilla:id": "a", "tortilla:data_split": "train"}]))
    nearest = np.arange(304) * 6 // 304
    pixels = 1000 + 100 * np.arange(12)[:, None, None] + 10 * np.arange(6)[:, None] + np.arange(6)
    tif(root / "a__s2.tif", pixels[:, nearest][:, :, nearest].astype(np.uint16))
    tif(root / "a__aerial.tif", np.broadcast_to(np.arange(1, 5)[:, None, None], (4, 304, 304)).astype(np.uint8))
    return root


def test_bands_and_pixels(root, tmp_path):
    treesatai.build(root, tmp_path / "store.zarr")
    dataset = open_store(tmp_path / "store.zarr")
    assert dataset["multispectral"].shape == (1, 1, 10, 6, 6) and dataset["optical"].shape == (1, 1, 3, 300, 300)
    for band in SENSORS["sentinel2"].band_names:
        expected = 1000 + 100 * SENTINEL2_ORDER.index(band) + 10 * np.arange(6)[:, None] + np.arange(6)
        assert (dataset["multispectral"].sel(band=band).values == expected).all()
    for colour in ("red", "green", "blue"):
        assert (dataset["optical"].sel(optical_band=colour).values == AERIAL_BANDS.index(colour) + 1).all()


def test_bad_files_are_named(root, tmp_path):
    def refused(match):
        with pytest.raises(BrewError, match=match):
            treesatai.build(root, tmp_path / "store.zarr")

    noise = np.random.default_rng(0).integers(1, 9999, (12, 304, 304)).astype(np.uint16)
    tif(root / "a__s2.tif", noise)
    refused(r"a__s2\.tif, band B4: not 6 x 6 repeated pixels")
    tif(root / "a__s2.tif", noise[:10])
    refused(r"a__s2\.tif has 10 bands; expected 12")
    tif(root / "a__s2.tif", np.full((12, 304, 304), 500, np.uint16))
    tif(root / "a__aerial.tif", np.zeros((4, 304, 304), np.uint8))
    refused(r"a__aerial\.tif, band red: all black")
    (root / "a__aerial.tif").unlink()
    refused(r"a__aerial\.tif does not exist")
    (root / "meta.json").unlink()
    refused(r"meta\.json does not exist")


def test_the_pixels_show_the_order_of_the_aerial_bands(brew_data):
    """Crowns are greenest in every place, and the bare soil of two cleared places is red, then green, then blue."""
    crowns, soils = {}, {}
    for path in sorted((brew_data / "treesatai").glob("*__aerial.tif")):
        with rasterio.open(path) as file:
            bands = dict(zip(AERIAL_BANDS, file.read().astype(float), strict=True))
        visible = (bands["red"] + bands["green"] + bands["blue"]) / 3
        vegetation = (bands["near infrared"] - visible) / (bands["near infrared"] + visible + 1)
        lit = visible > np.percentile(visible, 40)
        name = path.stem.removesuffix("__aerial")
        for found, chosen in (
            (crowns, vegetation > np.percentile(vegetation[lit], 80)),
            (soils, vegetation < np.percentile(vegetation[lit], 5)),
        ):
            found[name] = {band: values[lit & chosen].mean() for band, values in bands.items()}
    assert len(crowns) == 9
    for name, crown in crowns.items():
        assert crown["green"] == max(crown["red"], crown["green"], crown["blue"]), name
        assert crown["near infrared"] > crown["green"], name
    for name in ("sample_1632", "sample_3386"):  # a track, a clearing
        assert soils[name]["red"] > soils[name]["green"] > soils[name]["blue"]


def test_the_published_pairs(brew_data, tmp_path):
    treesatai.build(brew_data / "treesatai", tmp_path / "store.zarr")
    dataset = open_store(tmp_path / "store.zarr")
    assert dataset.sizes["sample"] == 9 and set(dataset["split"].values) == {"train", "validation", "test"}
    means = dataset["multispectral"].mean(("sample", "time", "y", "x"))
    assert means.sel(band="B8") > 5 * means.sel(band="B4")  # a forest in summer
    assert means.sel(band="B8A") > means.sel(band="B6") > means.sel(band="B5") > means.sel(band="B4")
