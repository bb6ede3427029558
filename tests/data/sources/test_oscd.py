"""OSCD: tiles that cover a city, statistics of each image, splits by city, bad files named."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from brew.data.sources import oscd
from brew.data.sources.catalogue import SOURCES
from brew.data.sources.oscd import OscdSettings, read_splits
from brew.data.sources.stores import check_source
from brew.data.store import image_hashes, open_store
from brew.data.tiles import tile_corners
from brew.errors import BrewError
from brew.sensors import SENSORS

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
FILES = [f"B{n:02d}" for n in range(1, 13)] + ["B8A"]
SETTINGS = OscdSettings(tile=16, stride=8)


def tif(path: Path, values: np.ndarray):
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(
        path, "w", driver="GTiff", height=values.shape[0], width=values.shape[1], count=1, dtype=values.dtype
    ) as file:
        file.write(values, 1)


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    """Two cities of 20 x 30 pixels, one for training and one for testing."""
    generator = np.random.default_rng(0)
    for city, part in (("here", "Train"), ("there", "Test")):
        for date in (1, 2):
            for name in FILES:
                values = generator.integers(1, 9999, (20, 30)).astype(np.uint16)
                tif(band(tmp_path / "oscd", city, date, name), values)
        mask = tmp_path / "oscd" / f"Onera Satellite Change Detection dataset - {part} Labels" / city / "cm" / "cm.png"
        mask.parent.mkdir(parents=True)
        Image.fromarray((generator.random((20, 30)) < 0.3).astype(np.uint8) * 255).save(mask)
    monkeypatch.setattr(oscd, "read_splits", lambda: {"train": ["here"], "validation": [], "test": ["there"]})
    return tmp_path / "oscd"


def band(root: Path, city: str, date: int, name: str) -> Path:
    folder = root / "Onera Satellite Change Detection dataset - Images" / city / f"imgs_{date}_rect"
    return folder / f"{name}.tif"


def refused(root: Path, match: str):
    with pytest.raises(BrewError, match=match):
        oscd.build(root, root.parent / "store.zarr", SETTINGS)
    assert not list(root.parent.glob("*store.zarr"))


@given(st.integers(16, 200), st.integers(16, 200), st.integers(1, 16))
def test_tiles_cover_the_image_and_stay_inside(height, width, stride):
    corners = tile_corners(height, width, 16, stride)
    covered = np.zeros((height, width), bool)
    for y, x in corners:
        assert 0 <= y <= height - 16 and 0 <= x <= width - 16
        covered[y : y + 16, x : x + 16] = True
    assert covered.all() and len(set(corners)) == len(corners)


def test_a_city_can_be_put_together_again(root):
    path = root.parent / "store.zarr"
    oscd.build(root, path, SETTINGS)
    dataset = open_store(path)
    whole = oscd.read_city(root, "there", "test")
    tiles = dataset.isel(sample=np.flatnonzero(dataset["city"].values == "there"))
    images, change = np.zeros_like(whole.images), np.zeros_like(whole.change)
    for tile in range(tiles.sizes["sample"]):
        y, x = int(tiles["row"][tile]), int(tiles["column"][tile])
        images[..., y : y + 16, x : x + 16] = tiles["multispectral"][tile].values
        change[y : y + 16, x : x + 16] = tiles["change"][tile].values
    assert (images == whole.images).all() and (change == whole.change).all()
    assert set(tiles["height"].values) == {20} and set(tiles["width"].values) == {30}
    with rasterio.open(band(root, "there", 2, "B8A")) as file:
        assert (images[1, 7] == file.read(1)).all()


def test_torchgeo_reads_the_same_cities(root):
    torchgeo = pytest.importorskip("torchgeo.datasets")
    for city, split in (("here", "train"), ("there", "test")):
        folder = root / "Onera Satellite Change Detection dataset - Images" / city
        (folder / "dates.txt").write_text("date_1: 20160101\ndate_2: 20170101\n")
        bands = [f"B{name.removeprefix('B').zfill(2)}" for name in SENSORS["sentinel2"].band_names]
        theirs = torchgeo.OSCD(root, split, bands)
        ours = oscd.read_city(root, city, split)
        assert [each["region"] for each in theirs.files] == [city]
        np.testing.assert_array_equal(ours.images, theirs[0]["image"].numpy())
        np.testing.assert_array_equal(ours.change, theirs[0]["mask"].numpy()[0])


def test_statistics_are_those_of_the_whole_image(root):
    path = root.parent / "store.zarr"
    oscd.build(root, path, SETTINGS)
    dataset = open_store(path)
    for city, split in (("here", "train"), ("there", "test")):
        images = oscd.read_city(root, city, split).images.astype(float)
        tile = int(np.flatnonzero(dataset["city"].values == city)[0])
        np.testing.assert_allclose(dataset["scene_mean"][tile], images.mean((2, 3)), rtol=1e-6)
        np.testing.assert_allclose(dataset["scene_std"][tile], images.std((2, 3)), rtol=1e-6)
        assert dataset["split"].values[tile] == split


def test_a_missing_band(root):
    band(root, "there", 2, "B8A").unlink()
    refused(root, r"there/imgs_2_rect: band B8A missing")


def test_a_doubled_band(root):
    tif(band(root, "here", 1, "B4"), np.ones((20, 30), np.uint16))
    refused(root, r"here/imgs_1_rect/B4\.tif, band B4: B04\.tif holds it too")


def test_reflectance(root):
    tif(band(root, "here", 1, "B03"), np.full((20, 30), 0.2, np.float32))
    refused(root, r"here/imgs_1_rect/B03\.tif, band B3: .*look like reflectance")


def test_a_black_tile(root):
    values = np.full((20, 30), 500, np.uint16)
    values[:16, :16] = 0
    tif(band(root, "here", 2, "B12"), values)
    refused(root, r"here/imgs_2_rect, band B12: the tile at row 0, column 0 is all black")


def test_sizes_that_differ(root):
    tif(band(root, "there", 1, "B11"), np.full((20, 29), 500, np.uint16))
    refused(root, r"there/imgs_1_rect/B11\.tif, band B11: \(20, 29\) pixels; expected \(20, 30\)")


def test_a_truncated_band(root):
    path = band(root, "there", 1, "B02")
    path.write_bytes(path.read_bytes()[:500])
    refused(root, r"there/imgs_1_rect/B02\.tif.* cannot be (read|opened)")


def test_a_mask_of_another_size(root):
    mask = next(root.glob("*Train Labels/here/cm/cm.png"))
    Image.fromarray(np.zeros((20, 31), np.uint8)).save(mask)
    refused(root, r"cm\.png: mask of \(20, 31\)")
    mask.unlink()
    refused(root, r"0 change masks for here")


def test_a_city_in_two_splits(tmp_path):
    (tmp_path / "splits.yaml").write_text("train: [rome, oslo]\ntest: [oslo]\n")
    with pytest.raises(BrewError, match=r"city 'oslo' stands in splits 'train' and 'test'"):
        read_splits(tmp_path / "splits.yaml")


def test_the_fixed_splits():
    splits = read_splits()
    assert sorted(len(members) for members in splits.values()) == [4, 10, 10]
    assert set(splits["test"]) == {
        "brasilia", "chongqing", "dubai", "lasvegas", "milano", "montpellier", "norcia", "rio", "saclay_w", "valencia",
    }  # fmt: skip
    assert {"bercy", "paris"} <= set(splits["validation"])  # neighbours


def test_the_published_cities(brew_data, tmp_path, monkeypatch):
    """One city of each split, against its files and the lists that the data set comes with."""
    monkeypatch.setenv("BREW_DATA", str(brew_data))
    root = SOURCES["oscd"].root()
    assert root is not None
    images = root / "Onera Satellite Change Detection dataset - Images"
    splits = read_splits()
    assert set((images / "test.txt").read_text().strip().split(",")) == set(splits["test"])
    trained = {*splits["train"], *splits["validation"]}
    assert set((images / "train.txt").read_text().strip().split(",")) == trained
    few = {"train": ["beihai"], "validation": ["bercy"], "test": ["norcia"]}
    monkeypatch.setattr(oscd, "read_splits", lambda: few)
    oscd.build(root, tmp_path / "oscd.zarr", OscdSettings())
    dataset = open_store(tmp_path / "oscd.zarr")
    assert dataset["multispectral"].shape[1:] == (2, 10, 96, 96)
    assert int(dataset["multispectral"].max()) <= 36017 and 0 < float(dataset["change"].mean()) < 0.1
    hashes = [image_hashes(tmp_path / "oscd.zarr", [split]) for split in few]
    assert [len(each) for each in hashes] == [2, 2, 2] and len(set.union(*hashes)) == 6
    with rasterio.open(images / "norcia" / "imgs_2_rect" / "B08.tif") as file:
        tile = int(np.flatnonzero(dataset["city"].values == "norcia")[0])
        assert (dataset["multispectral"].sel(band="B8")[tile, 1].values == file.read(1)[:96, :96]).all()


@pytest.mark.parametrize("name", ["oscd"])
def test_changed_data_is_refused_before_a_build(name, tmp_path, monkeypatch):
    (tmp_path / name).mkdir()
    monkeypatch.setenv("BREW_DATA", str(tmp_path))
    with pytest.raises(BrewError, match=r"abudhabi/imgs_1_rect/B01\.tif is missing.*To obtain the data"):
        check_source(name, SETTINGS)
