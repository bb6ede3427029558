"""RSSCN7 and HOT buildings: splits that share neither images nor ground, sound chips, bad ones named."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from brew.data.manifest import write_manifest
from brew.data.sources import hot_buildings, rsscn7
from brew.data.sources.chips import read_chip, read_splits
from brew.data.sources.fingerprints import TOLERANCE, difference, fingerprint
from brew.data.sources.hot_buildings import LEFT_OUT, MapTile, split_by_ground
from brew.data.sources.rsscn7 import split_by_hash
from brew.data.store import image_hashes, open_store
from brew.errors import BrewError
from brew.files import sha256

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


def chip(path: Path, seed: int, size: int, black=False) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8) * (not black)
    if path.suffix == ".tif":
        tif(path, values.transpose(2, 0, 1))
    else:
        Image.fromarray(values).save(path)
    return path


def scene(path: Path, seed: int) -> None:
    """A picture of 128 x 128 with coarse structure, as scenes have it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(values).resize((128, 128), Image.Resampling.BICUBIC).save(path, quality=90)


def tif(path: Path, values: np.ndarray):
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(
        path, "w", driver="GTiff", height=values.shape[1], width=values.shape[2], count=len(values), dtype=values.dtype
    ) as file:
        file.write(values)


@given(st.dictionaries(st.text("0123456789abcdef", min_size=4, max_size=8), st.sampled_from("abc"), max_size=200))
def test_splits_by_hash_are_stratified_and_ignore_order(keys):
    shares = {"train": 0.6, "validation": 0.2, "test": 0.2}
    splits = split_by_hash(keys, shares)
    assert splits == split_by_hash(dict(reversed(keys.items())), shares) and splits.keys() == keys.keys()
    for label in "abc":
        members = [key for key in keys if keys[key] == label]
        counts = Counter(splits[key] for key in members)
        assert all(abs(counts[split] - share * len(members)) <= 1 for split, share in shares.items())


def test_a_map_tile_covers_its_quarters():
    tile = MapTile(3, 5, 19)
    assert tile.covers(MapTile(7, 10, 20)) and tile.covers(MapTile(12, 23, 21)) and tile.covers(tile)
    assert not tile.covers(MapTile(8, 10, 20)) and not MapTile(7, 10, 20).covers(tile)
    assert MapTile.of(Path("OAM-12-23-21.tif")) == MapTile(12, 23, 21)
    with pytest.raises(BrewError, match=r"chip7\.tif: name without a map tile"):
        MapTile.of(Path("chip7.tif"))


def test_chips_that_share_ground_or_content_with_the_test_are_left_out():
    test = {MapTile(12, 20, 21): "t"}
    train = {
        MapTile(3, 5, 19): "covers the tested ground",
        MapTile(12, 21, 21): "its neighbour",
        MapTile(48, 80, 23): "part of the tested ground",
        MapTile(90, 90, 21): "t",
    }
    splits = split_by_ground(train, test)
    assert [tile for tile, split in splits.items() if split == LEFT_OUT] == [
        MapTile(3, 5, 19), MapTile(48, 80, 23), MapTile(90, 90, 21),
    ]  # fmt: skip
    assert splits[MapTile(12, 20, 21)] == "test"


@given(st.sets(st.tuples(st.integers(0, 7), st.integers(0, 7)), min_size=5, max_size=40))
def test_one_ground_stays_on_one_side(places):
    train = {MapTile(x, y, 21): f"{x}{y}" for x, y in places}
    train |= {MapTile(x // 4, y // 4, 19): f"coarse {x // 4}{y // 4}" for x, y in places if (x // 4, y // 4) != (0, 0)}
    splits = split_by_ground(train, {MapTile(100, 100, 21): "t"})
    for tile in train:
        for other in train:
            if tile.covers(other):
                assert splits[tile] == splits[other]
    assert Counter(splits.values())["validation"] <= round(0.2 * len(train))


@pytest.mark.parametrize("suffix", [".jpg", ".tif", ".png"])
def test_bad_chips_are_named(tmp_path, suffix):
    good = chip(tmp_path / f"good{suffix}", 1, 32)
    assert read_chip(good, 32).image.shape == (3, 32, 32)
    with pytest.raises(BrewError, match=rf"good{suffix}: \(3, 32, 32\) of uint8; expected \(3, 64, 64\)"):
        read_chip(good, 64)
    with pytest.raises(BrewError, match=rf"black{suffix}: all black"):
        read_chip(chip(tmp_path / f"black{suffix}", 1, 32, black=True), 32)
    cut = tmp_path / f"cut{suffix}"
    cut.write_bytes(good.read_bytes()[: good.stat().st_size // 3])
    with pytest.raises(BrewError, match=rf"cut{suffix}.* cannot be (read|opened).*truncated"):
        read_chip(cut, 32)


def test_grey_and_four_band_chips_are_refused(tmp_path):
    Image.fromarray(np.full((8, 8), 9, np.uint8)).save(tmp_path / "grey.jpg")
    with pytest.raises(BrewError, match=r"grey\.jpg: mode L; expected RGB"):
        read_chip(tmp_path / "grey.jpg", 8)
    tif(tmp_path / "four.tif", np.full((4, 8, 8), 9, np.uint8))
    with pytest.raises(BrewError, match=r"four\.tif has 4 bands; expected red, green and blue"):
        read_chip(tmp_path / "four.tif", 8)


@pytest.fixture
def pictures(tmp_path, monkeypatch) -> Path:
    """Ten pictures per class, one of them twice."""
    root = tmp_path / "rsscn7"
    for number, label in enumerate(rsscn7.CLASSES):
        for place in range(10):
            scene(root / label / f"{place}.jpg", number * 10 + place)
    (root / "field" / "again.jpg").write_bytes((root / "field" / "0.jpg").read_bytes())
    monkeypatch.setattr(rsscn7, "SPLITS", tmp_path / "rsscn7.csv")
    rsscn7.fix_splits(root, rsscn7.SPLITS)
    return root


def test_rsscn7_keeps_a_doubled_picture_once(pictures, tmp_path):
    rsscn7.build(pictures, tmp_path / "store.zarr")
    dataset = open_store(tmp_path / "store.zarr")
    assert dataset.sizes["sample"] == 70 and Counter(dataset["split"].values.tolist())["train"] == 42
    assert Counter(dataset["scene"].values.tolist()) == dict.fromkeys(range(7), 10)
    sides = [image_hashes(tmp_path / "store.zarr", [split]) for split in ("train", "validation", "test")]
    assert sum(map(len, sides)) == len(set.union(*sides)) == 70


def originals(root: Path, pictures: Path) -> Path:
    """The same pictures as the authors' archive has them: 400 x 400, in folders of the authors' names, and one more."""
    for label, folder in rsscn7.FOLDERS.items():
        (root / folder).mkdir(parents=True)
        for file in (pictures / label).iterdir():
            Image.open(file).resize((400, 400), Image.Resampling.BICUBIC).save(root / folder / file.name, quality=95)
    chip(root / "aGrass" / "further.jpg", 998, 400)
    return root


def test_the_authors_pictures_give_the_same_samples_and_splits(pictures, tmp_path):
    manifest = tmp_path / "rsscn7.yaml"
    write_manifest(manifest, pictures, ("*/*.jpg",), "CC0", "ask")
    root = originals(tmp_path / "originals", pictures)
    assert rsscn7.check(manifest, pictures) != rsscn7.check(manifest, root)
    rsscn7.build(pictures, tmp_path / "reduced.zarr")
    rsscn7.build(root, tmp_path / "originals.zarr")
    one, other = (open_store(tmp_path / f"{name}.zarr") for name in ("reduced", "originals"))
    for name in ("split", "scene"):
        assert one[name].values.tolist() == other[name].values.tolist()
    assert other["optical"].shape == one["optical"].shape == (70, 1, 3, 128, 128)
    for sample in range(70):
        prints = [fingerprint(dataset["optical"].values[sample, 0]) for dataset in (one, other)]
        assert difference(*prints) <= TOLERANCE


def test_the_manifest_identifies_the_copy_that_it_describes(pictures, tmp_path):
    (pictures / "field" / "again.jpg").unlink()
    write_manifest(tmp_path / "rsscn7.yaml", pictures, ("*/*.jpg",), "CC0", "ask")
    assert rsscn7.check(tmp_path / "rsscn7.yaml", pictures) == sha256(tmp_path / "rsscn7.yaml")


def test_other_pictures_are_refused(pictures, tmp_path):
    write_manifest(tmp_path / "rsscn7.yaml", pictures, ("*/*.jpg",), "CC0", "ask")

    def refused(match: str) -> None:
        with pytest.raises(BrewError, match=match):
            rsscn7.check(tmp_path / "rsscn7.yaml", pictures)

    scene(pictures / "grass" / "3.jpg", 999)
    refused(r"grass/3\.jpg: another picture than rsscn7\.csv means, .* expected 1\.5 at most\. .*aGrass")
    chip(pictures / "grass" / "3.jpg", 999, 200)
    refused(r"grass/3\.jpg: 200 x 200 pixels; expected 400 x 400 .* or 128 x 128")
    (pictures / "grass" / "3.jpg").unlink()
    refused(r"grass/3\.jpg is missing; expected what .*aGrass")
    (pictures / "aGrass").mkdir()
    refused(r"holds 2 folders of the class grass; expected one, aGrass")
    (pictures / "field").rename(pictures / "meadow")
    refused(r"holds 0 folders of the class field; expected one, bField")


@pytest.mark.parametrize("filtered", Image.Resampling)
def test_a_fingerprint_survives_reduction_and_compression_and_tells_pictures_apart(tmp_path, filtered):
    noise = np.random.default_rng(5).integers(0, 256, (2, 25, 25, 3), dtype=np.uint8)
    one, other = (Image.fromarray(each).resize((400, 400), Image.Resampling.BICUBIC) for each in noise)
    one.resize((128, 128), filtered).save(tmp_path / "reduced.jpg", quality=75)
    prints = [fingerprint(np.asarray(each).transpose(2, 0, 1)) for each in (one, Image.open(tmp_path / "reduced.jpg"))]
    assert difference(*prints) <= TOLERANCE
    assert difference(prints[0], fingerprint(np.asarray(other).transpose(2, 0, 1))) > 10 * TOLERANCE


def test_an_image_in_two_splits_is_an_error(tmp_path):
    (tmp_path / "splits.csv").write_text("sha256,class,split\naa,field,train\nab,field,test\naa,grass,test\n")
    with pytest.raises(BrewError, match=r"splits\.csv: image 'aa' stands in splits 'train' and 'test'"):
        read_splits(tmp_path / "splits.csv")


@pytest.fixture
def hot(tmp_path, monkeypatch) -> Path:
    root = tmp_path / "hot"
    for seed, (part, tile) in enumerate([*(("train", f"{x}-0-21") for x in range(10)), ("val", "40-0-21")]):
        chip(root / part / "images" / f"OAM-{tile}.tif", seed, 256)
        tif(
            root / part / "masks" / f"OAM-{tile}.tif", (np.arange(65536).reshape(1, 256, 256) % 3 == 0).astype(np.uint8)
        )
    monkeypatch.setattr(hot_buildings, "SPLITS", tmp_path / "hot.csv")
    hot_buildings.fix_splits(root, hot_buildings.SPLITS)
    return root


def test_hot_buildings(hot, tmp_path):
    hot_buildings.build(hot, tmp_path / "store.zarr")
    dataset = open_store(tmp_path / "store.zarr")
    assert Counter(dataset["split"].values.tolist()) == {"train": 8, "validation": 2, "test": 1}
    assert dataset["buildings"].shape == (11, 256, 256) and set(np.unique(dataset["buildings"])) == {0, 1}


def test_a_bad_mask_is_named(hot, tmp_path):
    tif(hot / "train" / "masks" / "OAM-3-0-21.tif", np.full((1, 256, 256), 255, np.uint8))
    with pytest.raises(BrewError, match=r"masks/OAM-3-0-21\.tif: mask of \(256, 256\) with values \[255\]"):
        hot_buildings.build(hot, tmp_path / "store.zarr")
    (hot / "train" / "masks" / "OAM-3-0-21.tif").unlink()
    with pytest.raises(BrewError, match=r"masks/OAM-3-0-21\.tif does not exist"):
        hot_buildings.build(hot, tmp_path / "store.zarr")


def test_the_published_chips(brew_data, tmp_path):
    """The splits in git are those of the files, and no image of one side is shown on another, in or between sources."""
    sides: dict[str, set[str]] = {"train": set(), "validation": set(), "test": set()}
    for name, build in (("rsscn7", rsscn7.build), ("hot_buildings", hot_buildings.build)):
        build(brew_data / name, tmp_path / f"{name}.zarr")
        for split, hashes in sides.items():
            hashes |= image_hashes(tmp_path / f"{name}.zarr", [split])
    assert [len(hashes) for hashes in sides.values()] == [1050 + 90, 350 + 22, 350 + 29]
    assert len(set.union(*sides.values())) == 1750 + 141
    rsscn7.fix_splits(brew_data / "rsscn7", tmp_path / "rsscn7.csv")
    hot_buildings.fix_splits(brew_data / "hot_buildings", tmp_path / "hot_buildings.csv")
    for fixed in (rsscn7.SPLITS, hot_buildings.SPLITS):
        assert (tmp_path / fixed.name).read_bytes() == fixed.read_bytes()
