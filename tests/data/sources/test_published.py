"""Readers of published layouts: small copies written here, and others' own fixtures where they are at hand.

``BREW_FIXTURES`` names a folder of torchgeo's test files (tests/data of its repository).
"""

import json
import os
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.transform import Affine

from brew.data.sources import bigearthnet_v2, levir_cd, pastis, sen1floods11, spacenet1
from brew.data.sources.spacenet1 import Counts
from brew.data.sources.stores import build_store
from brew.data.store import open_store
from brew.errors import BrewError
from brew.sensors import SENSORS, SENTINEL2_BANDS

pytestmark = [
    pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:torchgeo"),
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning:rasterio"),
]
ORDER = SENSORS["sentinel2"].band_names
SIZE = 8


def random(*shape: int, seed: int = 0, top: int = 9999) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).integers(1, top, shape)


def tif(path: Path, values: np.ndarray, **profile):
    path.parent.mkdir(parents=True, exist_ok=True)
    bands, height, width = values.shape
    with rasterio.open(
        path, "w", driver="GTiff", count=bands, height=height, width=width, dtype=values.dtype, **profile
    ) as file:
        file.write(values)


def cut(file: Path):
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


@pytest.fixture
def refused(tmp_path):
    def refuse(build, root: Path, match: str, *args):
        with pytest.raises(BrewError, match=match):
            build(root, tmp_path / "store.zarr", *args)
        assert not list(tmp_path.glob("*store.zarr"))

    return refuse


# --- Sen1Floods11 ---

FLOODS = replace(sen1floods11.FORM, size=SIZE)
CHIPS = {"train": ("Ghana_1", "Ghana_2"), "validation": ("India_1",), "test": ("Spain_1",)}


def flood(root: Path, chip: str, seed: int, bands: int = 13) -> tuple[np.ndarray, np.ndarray]:
    image, label = (root / file for file in sen1floods11.files(chip))
    pixels = random(bands, SIZE, SIZE, seed=seed).astype(np.int16)
    tif(image, pixels)
    labels = np.random.default_rng(seed).integers(-1, 2, (1, SIZE, SIZE)).astype(np.int16)
    tif(label, labels)
    return pixels, labels[0]


@pytest.fixture
def floods(tmp_path) -> Path:
    root = tmp_path / "sen1floods11"
    for split, chips in CHIPS.items():
        file = root / sen1floods11.LISTS[split]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(f"{chip}_S1Hand.tif,{chip}_LabelHand.tif\n" for chip in chips))
        for chip in chips:
            flood(root, chip, sum(chip.encode()))
    return root


def test_floods_have_their_bands_by_name_and_labels_from_zero(floods, tmp_path):
    sen1floods11.build(floods, tmp_path / "store.zarr", FLOODS)
    dataset = open_store(tmp_path / "store.zarr")
    assert dataset["origin"].values.tolist() == ["Ghana_1", "Ghana_2", "India_1", "Spain_1"]
    assert dataset["split"].values.tolist() == ["train", "train", "validation", "test"]
    pixels, labels = flood(tmp_path / "again", "Spain_1", sum(b"Spain_1"))
    for band, held in zip(ORDER, dataset["multispectral"].values[3, 0], strict=True):
        np.testing.assert_array_equal(held, pixels[list(SENTINEL2_BANDS).index(band)])
    np.testing.assert_array_equal(dataset["label"].values[3], labels + 1)
    assert dataset.attrs["classes"] == ["no data", "dry", "water"]


def test_pixels_without_a_value_become_zero(floods):
    image, _ = (floods / file for file in sen1floods11.files("Spain_1"))
    pixels = random(13, SIZE, SIZE).astype(np.float32)
    pixels[:, 0, 0] = np.nan
    tif(image, pixels)
    found = sen1floods11.read_chip(floods, "Spain_1").image
    assert (found[0, :, 0, 0] == 0).all() and (found[0, :, 1:, 1:] > 0).all()


@pytest.mark.parametrize("declared", [None, -9999, -1])
def test_floods_have_no_value_and_no_label_beside_the_swath(floods, declared):
    """Chips of int16 hold -9999 there, declared or not; bands of one pixel share its fate."""
    image, label = (floods / file for file in sen1floods11.files("Spain_1"))
    pixels = random(13, SIZE, SIZE).astype(np.int16)
    pixels[:, :2] = -9999
    pixels[4, 3, 3] = -9999
    tif(image, pixels, nodata=declared if declared != -1 else None)
    tif(label, np.ones((1, SIZE, SIZE), np.int16), nodata=declared)
    found = sen1floods11.read_chip(floods, "Spain_1")
    hole = np.zeros((SIZE, SIZE), bool)
    hole[:2], hole[3, 3] = True, True
    assert (found.image[0][:, hole] == 0).all() and (found.image[0][:, ~hole] > 0).all()
    assert (found.label == np.where(hole, 0, 2)).all()


@pytest.mark.parametrize("value", [-5, -32768])
def test_negative_digital_numbers_are_no_bright_ones(value, floods, covers):
    """65531 and 32768 if int16 were read as uint16."""
    image, _ = (floods / file for file in sen1floods11.files("Spain_1"))
    pixels = random(13, SIZE, SIZE).astype(np.int16)
    pixels[3, 0, 0] = value
    tif(image, pixels)
    with pytest.raises(BrewError, match=rf"Spain_1_S2Hand\.tif: all bands: values from {value} to"):
        sen1floods11.read_chip(floods, "Spain_1")
    tif(covers / "sample_0__s2.tif", pixels[:12])
    with pytest.raises(BrewError, match=rf"sample_0__s2\.tif: values from {value} to"):
        bigearthnet_v2.read_patch(covers, {"sample_0": []}, "sample_0")


def test_bad_floods_are_named(floods, refused):
    image, label = (floods / file for file in sen1floods11.files("India_1"))
    flood(floods, "India_1", 1, bands=12)
    refused(sen1floods11.build, floods, r"India_1_S2Hand\.tif has 12 bands; expected 13", FLOODS)
    flood(floods, "India_1", 1)
    tif(label, np.full((1, SIZE, SIZE), 2, np.int16))
    refused(sen1floods11.build, floods, r"India_1_LabelHand\.tif: labels \[2\]; expected -1, 0 and 1", FLOODS)
    flood(floods, "India_1", sum(b"Ghana_2"))
    refused(sen1floods11.build, floods, r"Ghana_2 \(train\) and India_1 \(validation\) hold the same image", FLOODS)
    cut(image)
    refused(sen1floods11.build, floods, r"India_1_S2Hand\.tif.* cannot be (read|opened)", FLOODS)
    image.unlink()
    refused(sen1floods11.build, floods, r"India_1_S2Hand\.tif does not exist", FLOODS)
    file = floods / sen1floods11.LISTS["validation"]
    file.write_text("")
    refused(sen1floods11.build, floods, "the validation split is empty", FLOODS)
    file.write_text("Ghana_1_S1Hand.tif,x\n")
    refused(sen1floods11.build, floods, "'Ghana_1' stands in splits 'train' and 'validation'", FLOODS)
    file.write_text("image,label\n")
    refused(sen1floods11.build, floods, r"flood_valid_data\.csv: 'image,label'", FLOODS)
    file.unlink()
    refused(sen1floods11.build, floods, r"flood_valid_data\.csv does not exist", FLOODS)


# --- PASTIS ---

PATCHES = replace(pastis.FORM, size=SIZE)
FILE_ORDER = ("B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B11", "B12")


@pytest.fixture
def patches(tmp_path) -> Path:
    """Five patches, one per fold, of three or four dates."""
    root = tmp_path / "pastis"
    for folder in ("DATA_S2", "ANNOTATIONS"):
        (root / "PASTIS-R" / folder).mkdir(parents=True)
    features = []
    for fold in range(1, 6):
        patch = 10000 + fold
        series = random(3 + fold % 2, 10, SIZE, SIZE, seed=fold).astype(np.int16)
        np.save(root / "PASTIS-R" / "DATA_S2" / f"S2_{patch}.npy", series)
        np.save(root / "PASTIS-R" / "ANNOTATIONS" / f"TARGET_{patch}.npy", random(3, SIZE, SIZE, seed=fold, top=20))
        shape = {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]}
        days = {str(date): int(day) for date, day in enumerate((20180917, 20181002, 20181007, 20190930)[: len(series)])}
        facts = {"ID_PATCH": patch, "Fold": fold, "dates-S2": days if fold % 2 else json.dumps(days)}
        features.append({"type": "Feature", "properties": facts, "geometry": shape, "id": str(patch)})
    collection = {"type": "FeatureCollection", "features": features}
    (root / "PASTIS-R" / "metadata.geojson").write_text(json.dumps(collection))
    return root


def test_pastis_is_the_years_median_with_its_bands_by_name(patches, tmp_path):
    pastis.build(patches, tmp_path / "store.zarr", PATCHES)
    dataset = open_store(tmp_path / "store.zarr")
    assert dataset["origin"].values.tolist() == [str(10000 + fold) for fold in range(1, 6)]
    assert dataset["split"].values.tolist() == ["train"] * 3 + ["validation", "test"]
    series = np.load(patches / "PASTIS-R" / "DATA_S2" / "S2_10005.npy")
    assert len(series) == 4  # the lower of the middle two counts
    for band, held in zip(ORDER, dataset["multispectral"].values[4, 0], strict=True):
        np.testing.assert_array_equal(held, np.sort(series[:, FILE_ORDER.index(band)], axis=0)[1])
    target = np.load(patches / "PASTIS-R" / "ANNOTATIONS" / "TARGET_10005.npy")
    np.testing.assert_array_equal(dataset["label"].values[4], target[0])


def test_a_year_of_pastis_is_a_median_a_month_or_the_nearest_month_s(patches, tmp_path):
    pastis.build_year(patches, tmp_path / "store.zarr", replace(pastis.YEAR, size=SIZE))
    images = open_store(tmp_path / "store.zarr")["multispectral"].values
    assert images.shape == (5, len(pastis.MONTHS), len(ORDER), SIZE, SIZE)
    series = np.load(patches / "PASTIS-R" / "DATA_S2" / "S2_10005.npy")[:, [FILE_ORDER.index(band) for band in ORDER]]
    september, october, next_autumn = series[0], series[1:3].min(0), series[3]
    expected = [september, *[october] * 6, *[next_autumn] * 8]
    for month, (held, wanted) in enumerate(zip(images[4], expected, strict=True)):
        np.testing.assert_array_equal(held, wanted, err_msg=str(pastis.MONTHS[month]))


def test_bad_dates_of_pastis_are_named(patches, refused):
    form, metadata = replace(pastis.YEAR, size=SIZE), patches / "PASTIS-R" / "metadata.geojson"
    content = json.loads(metadata.read_text())
    for days, why in (
        ({"0": 20180917, "1": 20181002}, r"S2_10005.npy: 4 dates, and 2 in the metadata"),
        ({"0": 20250930}, r"metadata.geojson: date 2025-09-30; expected 2018-09 to 2019-11"),
        ({"0": 20181402}, r"metadata.geojson cannot be read"),
    ):
        content["features"][4]["properties"]["dates-S2"] = days
        metadata.write_text(json.dumps(content))
        refused(pastis.build_year, patches, why, form)


def test_bad_pastis_is_named(patches, refused):
    folder = patches / "PASTIS-R"
    np.save(folder / "DATA_S2" / "S2_10004.npy", random(3, 9, SIZE, SIZE).astype(np.int16))
    refused(pastis.build, patches, r"S2_10004\.npy: \(3, 9, 8, 8\) of int16; expected .*\(date, 10, y, x\)", PATCHES)
    np.save(folder / "DATA_S2" / "S2_10004.npy", random(3, 11, SIZE, SIZE).astype(np.int16))
    refused(pastis.build, patches, r"S2_10004\.npy: \(3, 11, 8, 8\)", PATCHES)
    np.save(folder / "DATA_S2" / "S2_10004.npy", np.zeros((0, 10, SIZE, SIZE), np.int16))
    refused(pastis.build, patches, r"S2_10004\.npy: \(0, 10, 8, 8\) .*one date at least", PATCHES)
    np.save(folder / "DATA_S2" / "S2_10004.npy", np.array([{}]))
    refused(pastis.build, patches, r"S2_10004\.npy cannot be read .*allow_pickle", PATCHES)
    (folder / "DATA_S2" / "S2_10004.npy").write_bytes(b"PK\3\4" + bytes(100))
    refused(pastis.build, patches, r"S2_10004\.npy cannot be read .*magic", PATCHES)
    cut(folder / "DATA_S2" / "S2_10004.npy")
    refused(pastis.build, patches, r"S2_10004\.npy cannot be read", PATCHES)
    np.save(folder / "DATA_S2" / "S2_10004.npy", random(3, 10, SIZE, SIZE).astype(np.int16))
    np.save(folder / "ANNOTATIONS" / "TARGET_10004.npy", np.full((3, SIZE, SIZE), 20))
    refused(pastis.build, patches, r"10004: labels \[20\] to 20.*from 0 to 19", PATCHES)
    np.save(folder / "ANNOTATIONS" / "TARGET_10004.npy", np.full((3, SIZE, SIZE), 256))  # 0 if cast to uint8
    refused(pastis.build, patches, r"10004: labels \[256\] to 256", PATCHES)
    np.save(folder / "ANNOTATIONS" / "TARGET_10004.npy", np.zeros((SIZE, SIZE), int))
    refused(pastis.build, patches, r"TARGET_10004\.npy: \(8, 8\); expected maps of \(8, 8\)", PATCHES)
    content = json.loads((folder / "metadata.geojson").read_text())
    content["features"][0]["properties"]["Fold"] = 6
    (folder / "metadata.geojson").write_text(json.dumps(content))
    refused(pastis.build, patches, r"metadata\.geojson: fold 6; expected 1 to 5", PATCHES)
    content["features"][0]["properties"] = content["features"][1]["properties"]
    (folder / "metadata.geojson").write_text(json.dumps(content))
    refused(pastis.build, patches, r"metadata\.geojson: a patch stands there twice", PATCHES)
    (folder / "metadata.geojson").unlink()
    refused(pastis.build, patches, r"metadata\.geojson does not exist; expected PASTIS-R", PATCHES)


# --- SpaceNet 1 ---

ROOFS, FEW = replace(spacenet1.FORM, size=16), Counts(train=3, validation=1, low_data=2)


@pytest.fixture
def roofs(tmp_path) -> Path:
    """Five chips of the published size; a house covers the upper left quarter, and none stands on the fourth."""
    root = tmp_path / "spacenet1"
    train = root / "SN1_buildings" / "train"
    (train / "geojson").mkdir(parents=True)
    step, west, north = 5e-6, -43.77, -22.92
    for number in (1, 2, 3, 4, 10):
        place = Affine(step, 0, west, 0, -step, north)
        pixels = random(3, 406, 439, seed=number, top=255).astype(np.uint8)
        tif(train / "3band" / f"3band_AOI_1_RIO_img{number}.tif", pixels, crs="EPSG:4326", transform=place)
        east, south = west + 219 * step, north - 203 * step
        ring = [[west, north], [east, north], [east, south], [west, south], [west, north]]
        house = {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [ring]}}
        houses = {"type": "FeatureCollection", "features": [] if number == 4 else [house]}
        (train / "geojson" / f"Geo_AOI_1_RIO_img{number}.geojson").write_text(json.dumps(houses))
    return root


def test_spacenet_is_split_by_the_order_of_names(roofs, tmp_path):
    spacenet1.build(roofs, tmp_path / "store.zarr", ROOFS, FEW)
    dataset = open_store(tmp_path / "store.zarr")
    numbers = [name.partition("img")[2].removesuffix(".tif") for name in dataset["origin"].values]
    assert numbers == ["1", "10", "2", "3", "4"]
    assert dataset["split"].values.tolist() == ["train"] * 3 + ["validation", "test"]
    assert dataset["partition_0.10"].values.tolist() == [1, 1, 0, 0, 0]
    label = dataset["label"].values
    assert label[0, :7, :7].all() and not label[0, 9:].any() and not label[0, :, 9:].any()
    assert not label[4].any()
    assert dataset["optical"].dtype == np.uint8 and dataset["optical"].shape == (5, 1, 3, 16, 16)


def test_the_published_counts_are_the_default():
    assert Counts() == Counts(train=4999, validation=1000, low_data=499)


def test_bad_spacenet_is_named(roofs, refused):
    folder = roofs / "SN1_buildings" / "train"
    refused(spacenet1.build, roofs, "the validation split is empty", ROOFS)
    cut(folder / "3band" / "3band_AOI_1_RIO_img3.tif")
    refused(spacenet1.build, roofs, r"3band_AOI_1_RIO_img3\.tif cannot be read", ROOFS, FEW)
    tif(folder / "3band" / "3band_AOI_1_RIO_img3.tif", random(4, 406, 439, top=255).astype(np.uint8), crs="EPSG:4326")
    refused(spacenet1.build, roofs, r"img3\.tif: 4 bands; expected red, green and blue", ROOFS, FEW)
    (folder / "3band" / "3band_AOI_1_RIO_img3.tif").unlink()
    refused(spacenet1.build, roofs, "4 chips in 3band and 5 labels in geojson", ROOFS, FEW)
    (folder / "geojson" / "Geo_AOI_1_RIO_img1.geojson").unlink()
    refused(spacenet1.build, roofs, r"chip 'AOI_1_RIO_img1' has an image or a label alone", ROOFS, FEW)


# --- LEVIR-CD ---

SITES, SIDE = replace(levir_cd.FORM, size=SIZE), 2 * SIZE


@pytest.fixture
def sites(tmp_path) -> Path:
    root = tmp_path / "levir-cd"
    for folder in ("A", "B", "label"):
        (root / folder).mkdir(parents=True)
    for seed, name in enumerate(("train_1", "train_2", "val_1", "test_1")):
        for date in "AB":
            pixels = random(SIDE, SIDE, 3, seed=10 * seed + ord(date), top=255).astype(np.uint8)
            Image.fromarray(pixels).save(root / date / f"{name}.png")
        change = np.zeros((SIDE, SIDE), np.uint8)
        change[SIZE:, :SIZE] = 255
        Image.fromarray(change).save(root / "label" / f"{name}.png")
    return root


def test_levir_is_cut_into_tiles_that_make_up_its_pairs(sites, tmp_path):
    levir_cd.build(sites, tmp_path / "store.zarr", SITES, SIDE)
    dataset = open_store(tmp_path / "store.zarr")
    assert dataset["split"].values.tolist() == ["train"] * 8 + ["validation"] * 4 + ["test"] * 4
    assert dataset["origin"].values[-2:].tolist() == ["test_1.png/8-0", "test_1.png/8-8"]
    tiles = dataset["optical"].values[-4:]
    whole = np.concatenate([np.concatenate(tiles[:2], axis=-1), np.concatenate(tiles[2:], axis=-1)], axis=-2)
    for date, found in zip("AB", whole, strict=True):
        np.testing.assert_array_equal(found.transpose(1, 2, 0), np.asarray(Image.open(sites / date / "test_1.png")))
    assert dataset["label"].values[-4:].mean((1, 2)).tolist() == [0, 0, 1, 0]


def test_bad_levir_is_named(sites, refused):
    Image.new("RGB", (SIDE, SIZE)).save(sites / "A" / "val_1.png")
    refused(levir_cd.build, sites, r"A/val_1\.png: \(8, 16\) pixels; expected \(16, 16\)", SITES, SIDE)
    (sites / "A" / "val_1.png").write_bytes((sites / "B" / "val_1.png").read_bytes()[:200])
    refused(levir_cd.build, sites, r"A/val_1\.png cannot be read", SITES, SIDE)
    for mode in ("L", "RGBA", "I;16"):
        Image.new(mode, (SIDE, SIDE)).save(sites / "A" / "val_1.png")
        refused(levir_cd.build, sites, rf"A/val_1\.png: mode {mode}; expected RGB", SITES, SIDE)
    Image.new("RGB", (SIDE, SIDE)).save(sites / "A" / "val_1.png")
    for folder in ("A", "B", "label"):
        Image.new("RGB" if folder != "label" else "L", (SIDE, SIZE)).save(sites / folder / "val_1.png")
    refused(levir_cd.build, sites, r"A/val_1\.png: \(8, 16\) pixels; expected \(16, 16\)", SITES, SIDE)
    (sites / "B" / "train_2.png").unlink()
    refused(levir_cd.build, sites, r"B/train_2\.png does not exist.*Unpack train\.zip", SITES, SIDE)


# --- BigEarthNet v2 ---

COVERS = replace(bigearthnet_v2.FORM, size=SIZE)


@pytest.fixture
def covers(tmp_path) -> Path:
    root = tmp_path / "bigearthnet_v2"
    patches = []
    for seed, split in enumerate(("train", "validation", "test")):
        tif(root / f"sample_{seed}__s2.tif", random(12, SIZE, SIZE, seed=seed).astype(np.uint16))
        labels = ["Pastures", COVERS.classes[seed]]
        patches.append({"tortilla:id": f"sample_{seed}", "tortilla:data_split": split, "labels": labels})
    (root / "meta.json").write_text(json.dumps(patches))
    return root


def test_bigearthnet_v2_has_its_bands_by_name_and_many_labels(covers, tmp_path):
    bigearthnet_v2.build(covers, tmp_path / "store.zarr", COVERS)
    dataset = open_store(tmp_path / "store.zarr")
    numerical = ["B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B11", "B12"]
    stored = random(12, SIZE, SIZE, seed=2)
    for band, held in zip(ORDER, dataset["multispectral"].values[2, 0], strict=True):
        np.testing.assert_array_equal(held, stored[numerical.index(band)])
    assert dataset["label"].values.sum() == 6 and dataset["label"].values[2].nonzero()[0].tolist() == [2, 4]


def test_bad_bigearthnet_v2_is_named(covers, refused):
    patches = json.loads((covers / "meta.json").read_text())
    (covers / "meta.json").write_text(json.dumps([*patches, patches[0]]))
    refused(bigearthnet_v2.build, covers, r"meta\.json: 'sample_0' stands there twice", COVERS)
    (covers / "meta.json").write_text(json.dumps(patches).replace("validation", "val"))
    refused(bigearthnet_v2.build, covers, r"meta\.json: split 'val' is unknown; known: test", COVERS)
    patches[0]["labels"] = ["Pasture"]
    (covers / "meta.json").write_text(json.dumps(patches))
    refused(bigearthnet_v2.build, covers, "label 'Pasture'; did you mean 'Pastures'", COVERS)
    tif(covers / "sample_0__s2.tif", random(10, SIZE, SIZE).astype(np.uint16))
    patches[0]["labels"] = ["Pastures"]
    (covers / "meta.json").write_text(json.dumps(patches))
    refused(bigearthnet_v2.build, covers, r"sample_0__s2\.tif has 10 bands; expected 12", COVERS)


def test_the_real_patches_of_bigearthnet_v2(brew_data, tmp_path, monkeypatch):
    if not (brew_data / "bigearthnet_v2").is_dir():
        pytest.skip("BREW_DATA has no bigearthnet_v2")
    build_store("bigearthnet-v2", tmp_path / "store.zarr", True)
    dataset = open_store(tmp_path / "store.zarr")
    assert dict(zip(*np.unique(dataset["split"].values, return_counts=True), strict=True)) == {
        "train": 5, "validation": 2, "test": 2,
    }  # fmt: skip
    green = dataset["label"].values[:, COVERS.classes.index("Coniferous forest")] == 1
    infrared = dataset["multispectral"].sel(band="B8").values[green].mean()
    red = dataset["multispectral"].sel(band="B4").values[green].mean()
    assert infrared > 2 * red  # leaves: bands that were mixed up would not show it


# --- torchgeo's classes, which read the same files ---


def test_torchgeo_and_brew_read_the_same_pastis(patches, tmp_path):
    torchgeo = pytest.importorskip("torchgeo.datasets")
    pastis.build(patches, tmp_path / "store.zarr", PATCHES)
    dataset, theirs = open_store(tmp_path / "store.zarr"), torchgeo.PASTIS(patches)
    assert [str(name) for name in theirs.idxs] == dataset["origin"].values.tolist()
    places = [FILE_ORDER.index(band) for band in ORDER]
    for sample in range(len(theirs)):
        median = theirs[sample]["image"].median(0).values[places]
        np.testing.assert_array_equal(dataset["multispectral"].values[sample, 0], median.numpy())
        np.testing.assert_array_equal(dataset["label"].values[sample], theirs[sample]["mask"].numpy())


@pytest.mark.parametrize(("theirs_of", "ours_of"), [("train", "train"), ("val", "validation"), ("test", "test")])
def test_torchgeo_and_brew_read_the_same_levir(sites, tmp_path, theirs_of, ours_of):
    torchgeo = pytest.importorskip("torchgeo.datasets")
    levir_cd.build(sites, tmp_path / "store.zarr", SITES, SIDE)
    dataset, theirs = open_store(tmp_path / "store.zarr"), torchgeo.LEVIRCD(sites, theirs_of)
    ours = np.flatnonzero(dataset["split"].values == ours_of).reshape(len(theirs), -1)
    for sample, tiles in zip(map(theirs.__getitem__, range(len(theirs))), ours, strict=True):
        for tile in tiles:
            row, column = map(int, dataset["origin"].values[tile].rpartition("/")[2].split("-"))
            ground = slice(row, row + SIZE), slice(column, column + SIZE)
            np.testing.assert_array_equal(dataset["optical"].values[tile], sample["image"].numpy()[..., *ground])
            np.testing.assert_array_equal(dataset["label"].values[tile], sample["mask"].numpy()[0][ground])


def test_torchgeo_and_brew_read_the_same_spacenet(roofs, tmp_path):
    torchgeo = pytest.importorskip("torchgeo.datasets")
    spacenet1.build(roofs, tmp_path / "store.zarr", ROOFS, FEW)
    dataset, whole, small = open_store(tmp_path / "store.zarr"), *(torchgeo.SpaceNet1(roofs) for _ in range(2))
    small.chip_size = {"3band": (ROOFS.size, ROOFS.size)}  # torchgeo resizes images so too, and its masks not
    names = [Path(image).name for image in whole.images]
    for sample, origin in enumerate(dataset["origin"].values.tolist()):
        theirs = next(place for place, name in enumerate(names) if origin.split("_")[-1] == name.split("_")[-1])
        np.testing.assert_array_equal(dataset["optical"].values[sample, 0], small[theirs]["image"].numpy())
        mask = whole[theirs]["mask"].numpy()
        rows, columns = ((np.arange(ROOFS.size) + 0.5) * side / ROOFS.size for side in mask.shape)
        np.testing.assert_array_equal(
            dataset["label"].values[sample], mask[np.ix_(rows.astype(int), columns.astype(int))]
        )


# --- torchgeo's own test files ---


@pytest.fixture
def fixtures(tmp_path) -> Path:
    folder = os.environ.get("BREW_FIXTURES")
    if not folder or not Path(folder).is_dir():
        pytest.skip("BREW_FIXTURES names no folder of torchgeo's test files")
    return Path(folder)


def test_torchgeos_layouts_open(fixtures, tmp_path):
    zipfile.ZipFile(fixtures / "pastis" / "PASTIS-R.zip").extractall(tmp_path / "pastis")
    pastis.build(tmp_path / "pastis", tmp_path / "pastis.zarr", replace(pastis.FORM, size=32))
    assert open_store(tmp_path / "pastis.zarr").sizes["sample"] == 5
    levir_cd.build(fixtures / "levircd", tmp_path / "levir.zarr", replace(levir_cd.FORM, size=16), 32)
    assert open_store(tmp_path / "levir.zarr").sizes["sample"] == 24
    shutil.copytree(fixtures / "spacenet1", tmp_path / "spacenet1")
    with pytest.raises(BrewError, match="hold the same image"):  # all chips of that fixture are one
        spacenet1.build(tmp_path / "spacenet1", tmp_path / "spacenet1.zarr", counts=Counts(2, 1, 1))
