"""fMoW as a store: pairs, ground, what is kept beside pixels, and each fault that the published files have."""

import csv
import json

import numpy as np
import pytest
from distributed import LocalCluster
from PIL import Image

from brew.compendium import schema
from brew.data.batches import Batches
from brew.data.sources.catalogue import SOURCES
from brew.data.sources.clusters import LOCAL
from brew.data.sources.fmow import fmow_store
from brew.data.sources.fmow.fmow_images import read_multispectral, read_optical
from brew.data.sources.fmow.fmow_metadata import read_metadata
from brew.data.sources.fmow.fmow_samples import FmowSettings
from brew.data.sources.fmow.footprints import box, common, extent, shown
from brew.data.store import open_store
from brew.errors import BrewError
from brew.views import ViewSettings, make_views
from tests.data.sources.fmow.fmow_tree import DEGREE, Tree, bands, wkt

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
SMALL = {"size": 12, "zoom": 4}


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path / "fmow")


def build(tree, name="store", **settings):
    tree.lists()
    path = tree.root.parent / f"{name}.zarr"
    fmow_store.build(tree.root, path, FmowSettings(**{**SMALL, **settings}))
    return open_store(path)


def problems(tree, name="store") -> list[dict[str, str]]:
    with (tree.root.parent / f"{name}.zarr.problems.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def contents(store):
    return {path.relative_to(store).as_posix(): path.read_bytes() for path in store.rglob("*") if path.is_file()}


# A sample and what is kept of it


def test_a_pair_and_what_is_kept_of_it(tree):
    bounds = tree.pair()
    dataset = build(tree)
    assert dataset["multispectral"].shape == (1, 1, 10, 12, 12) and dataset["optical"].shape == (1, 1, 3, 48, 48)
    for band, place in {"B4": 4, "B2": 2, "B5": 5, "B8": 8, "B8A": 9, "B11": 12, "B12": 13}.items():
        assert (dataset["multispectral"].sel(band=band) == 1000 + place).all(), band
    assert np.abs(dataset["optical"].values[0, 0].mean((1, 2)) - (200, 100, 50)).max() < 3
    kept = {name: dataset[name].values[0] for name in ("origin", "location", "category", "pair", "split", "image")}
    assert kept == {
        "origin": "train/airport/airport_0/airport_0_6", "location": "train/airport/airport_0",
        "category": "airport", "pair": "exact", "split": "pretrain", "image": 6,
    }  # fmt: skip
    assert dataset["date"].values[0] == 1456828200 and dataset["optical_date"].values[0] == 1455964200
    assert dataset["place"].values[0] == pytest.approx(bounds) and dataset["optical_metres"].values[0] == 1
    assert dataset["metres"].values[0] == pytest.approx((440, 500), rel=1e-4)
    assert dataset["original_size"].values[0].tolist() == [44, 50]
    assert dataset["optical_original_size"].values[0].tolist() == [440, 500]
    assert dataset["object_box"].values[0] == pytest.approx((0.2, 0.25, 0.4, 0.5))
    assert dataset.attrs["policy"] == "whole" and dataset.attrs["left_out"] == [] and "Copernicus" in dataset.licence


def test_either_half_alone(tree):
    tree.pair()
    tree.row(0, 104)
    tree.tif(bands((44, 50)), 0, 104)
    sentinel = build(tree, "sentinel", images="multispectral")
    assert sentinel["image"].values.tolist() == [6, 104] and "optical" not in sentinel and "pair" not in sentinel
    tree.rows["train"] = [{"category": "airport", "location_id": "0", "image_id": "6"}]
    optical = build(tree, "optical", images="optical")
    assert optical["image"].values.tolist() == [6] and "multispectral" not in optical
    assert optical["optical_date"].values[0] == 1455964200


def test_pairs_by_location_take_the_nearest_date_and_say_so(tree):
    bounds = tree.pair(0, 6)
    for image, time in ((2, "2009-01-01T00:00:00Z"), (3, "2018-01-01T00:00:00Z")):
        tree.jpg(np.full((110, 125, 3), 10 * image, np.uint8), 0, image,
                 metadata={"raw_location": wkt(bounds), "timestamp": time})  # fmt: skip
    tree.row(0, 104, timestamp="2018-06-01T00:00:00Z")
    tree.tif(bands((44, 50)), 0, 104)
    assert build(tree, "exact")["image"].values.tolist() == [6]
    dataset = build(tree, "location", pairs="location")
    assert dataset["image"].values.tolist() == [6, 104] and dataset["pair"].values.tolist() == ["exact", "location"]
    assert np.abs(dataset["optical"].values[1].astype(int) - 30).max() < 3


def test_dates_of_a_place_stand_in_their_order_beside_one_optical_image(tree):
    ground = tree.pair(0, 6, level=3000)
    for image, year, level in ((104, 2018, 4000), (103, 2014, 1000), (102, 2015, 2000)):
        tree.row(0, image, timestamp=f"{year}-06-01T00:00:00Z")
        tree.tif(bands((44, 50), level), 0, image)
    tree.pair(1, 6)  # a place of one date
    assert build(tree, "one", count=1).sizes["time"] == 1
    dataset = build(tree, "all", dates=4)
    assert dataset["origin"].values.tolist() == ["train/airport/airport_0/airport_0_6"]
    assert dataset["image"].values[0].tolist() == [103, 102, 6, 104]
    assert dataset["multispectral"].values[0, :, 0, 0, 0].tolist() == [1004, 2004, 3004, 4004]
    assert (np.diff(dataset["date"].values[0]) > 0).all()
    assert dataset["place"].values[0] == pytest.approx(ground)
    assert dataset["optical"].dims == ("sample", "optical_band", "optical_y", "optical_x")
    assert dataset["original_size"].shape == (1, 4, 2) and dataset.attrs["dates"] == 4
    with pytest.raises(BrewError, match="no image is left of those chosen, of places with 5 dates"):
        build(tree, "more", dates=5)


def test_dates_show_the_ground_that_all_of_them_show(tree):
    tree.pair(0, 6)
    other = tree.row(0, 104, corner=(100.0 + 10 * DEGREE, 0.1), timestamp="2018-06-01T00:00:00Z")
    columns = np.broadcast_to(np.arange(50) + 1000, (13, 44, 50)).astype(np.uint16)
    tree.tif(columns, 0, 104)
    tree.tif(columns - 10, 0, 6)  # where the same ground lies ten columns further on
    dataset = build(tree, dates=2, size=40)
    place, pixels = dataset["place"].values[0], dataset["multispectral"].values[0, :, 0, 0].astype(int)
    assert place[0] == pytest.approx(other[0]) and place[2] == pytest.approx(100.0 + 50 * DEGREE)
    assert np.abs(pixels[0] - pixels[1]).max() <= 1
    assert np.abs(pixels[1] - (1000 + np.arange(40))).max() <= 1
    tree.rows["train"][1]["polygon"] = wkt((100.1, 0.1, 100.2, 0.2))
    with pytest.raises(BrewError, match="all 1 images failed"):
        build(tree, "apart", dates=2, failures=1)
    assert "share 0% of their ground" in problems(tree, "apart")[0]["error"]


def test_a_feed_pairs_the_dates_and_reads_the_optical_image_once(tree):
    for location in range(4):
        tree.pair(location, 6, level=1000)
        corner = (100.0 + location, 0.1)
        tree.row(location, 104, corner=corner, timestamp="2018-06-01T00:00:00Z")
        tree.tif(bands((44, 50), 2000), location, 104)
    build(tree, dates=2)
    store, variables = tree.root.parent / "store.zarr", ("multispectral", "optical")
    (batch,) = Batches("fmow", store, variables, ("pretrain",), 4, seed=0, pairs="any").epoch(0)
    first, second = (each["multispectral"][:, 0, 0, 0].tolist() for each in (batch.arrays, batch.later))
    assert {frozenset(pair) for pair in zip(first, second, strict=True)} == {frozenset({1004, 2004})}
    assert batch.arrays["optical"].shape == (4, 3, 48, 48) and "optical" not in batch.later


def test_splits_and_sides_are_by_place(tree):
    for location in range(6):
        for image in (1, 2):
            tree.pair(location, image)
    tree.pair(0, 1, split="val")
    dataset = build(tree, splits=("train", "val"), held_out=0.5)
    sides = {
        name: set(dataset["location"].values[dataset["split"].values == name]) for name in ("pretrain", "validation")
    }
    assert sides["pretrain"] and not sides["pretrain"] & sides["validation"]
    assert "val/airport/airport_0" in sides["validation"] and len(dataset["sample"]) == 13


def test_images_of_the_test_places_lie_where_the_ground_truth_says(tree):
    tree.pair(0, 6, split="test_gt")
    labelled = tree.stem("fmow-rgb", 0, 6, "test_gt").with_name("airport_0_6_rgb.jpg")
    hidden = tree.root / "fmow-rgb" / "test" / "0011978" / "0011978_6_rgb.jpg"
    hidden.parent.mkdir(parents=True)
    labelled.rename(hidden)
    with pytest.raises(BrewError, match=r"airport_0_6_rgb\.jpg does not exist"):
        build(tree, splits=("test_gt",))
    mapping = [{"input": "test_gt/airport/airport_0", "output": "test/0011978"}]
    tree.root = tree.root.rename(tree.root.with_name("whole"))  # what was read of the first is remembered
    (tree.root / "fmow-rgb" / "test_gt_mapping.json").write_text(json.dumps(mapping))
    assert build(tree, "mapped", splits=("test_gt",))["split"].values.tolist() == ["test"]


# Geometry


@pytest.mark.parametrize("policy", ["whole", "centre"])
@pytest.mark.parametrize("size", [(40, 80), (80, 40)])
def test_a_marked_pixel_lands_on_the_same_ground_in_both_images(tree, policy, size):
    """The mark lies at 5/8 of the height and 9/16 of the width: in the squares of both policies."""
    height, width = size
    row, column = height * 5 // 8, width * 9 // 16
    bounds = tree.row(size=size)
    values = bands(size).copy()
    values[:, row, column] = 9000
    tree.tif(values)
    pixels = np.full((height * 10, width * 10, 3), 20, np.uint8)
    pixels[row * 10 : row * 10 + 10, column * 10 : column * 10 + 10] = 250
    tree.jpg(pixels, metadata={"raw_location": wkt(bounds)})
    dataset = build(tree, policy=policy, size=40, zoom=4)
    y, x = (row + 0.5) / height, (column + 0.5) / width
    if policy == "centre":
        y, x = ((share - 0.5) * max(1, side / min(size)) + 0.5 for share, side in ((y, height), (x, width)))
    for name, side in (("multispectral", 40), ("optical", 160)):
        image = dataset[name].values[0, 0, 0].astype(float)
        weight = image - np.median(image)
        assert (weight * np.arange(side)[:, None]).sum() / weight.sum() + 0.5 == pytest.approx(y * side, abs=0.3), name
        assert (weight * np.arange(side)).sum() / weight.sum() + 0.5 == pytest.approx(x * side, abs=0.3), name
    metres = (400, 400) if policy == "centre" else (10 * height, 10 * width)
    assert dataset["metres"].values[0] == pytest.approx(metres, rel=1e-4)


def test_images_of_other_ground_are_cut_to_what_they_share(tree):
    """The optical image shows the eastern half and as much again beyond; its mark is the western edge."""
    west, south, east, north = tree.row(0, 104, size=(40, 40))
    values = bands((40, 40)).copy()
    values[:, :, 20:] += 500
    tree.tif(values, 0, 104)
    pixels = np.full((400, 400, 3), 20, np.uint8)
    pixels[:, :200] = 250
    middle = (west + east) / 2
    tree.jpg(pixels, 0, 2, metadata={"raw_location": wkt((middle, south, middle + east - west, north))})
    dataset = build(tree, pairs="location")
    assert (dataset["multispectral"].values[0, 0, 0, :, 1:] == 1504).all()
    assert (dataset["optical"].values > 240).all()
    assert dataset["place"].values[0] == pytest.approx((middle, south, east, north))


def test_ground_that_is_not_shared_or_not_known_is_refused(tree):
    bounds = tree.row(0, 104)
    tree.tif(bands((44, 50)), 0, 104)
    far = [each + shift for each, shift in zip(bounds, (0.1, 0, 0.1, 0), strict=True)]
    picture = tree.jpg(np.full((44, 50, 3), 9, np.uint8), 0, 2, metadata={"raw_location": wkt(far)})
    with pytest.raises(BrewError, match="share 0% of their ground"):
        build(tree, pairs="location")
    exchanged = wkt([bounds[each] for each in (1, 0, 3, 2)])
    beside, told = picture.with_suffix(".json"), {"timestamp": "2016-01-01T00:00:00Z"}
    beside.write_text(json.dumps(told | {"raw_location": exchanged}))
    with pytest.raises(BrewError, match=r"raw_location .*expected a polygon of longitudes"):
        build(tree, pairs="location")
    beside.write_text(json.dumps(told))
    with pytest.raises(BrewError, match="has no raw_location, and the image is of another date"):
        build(tree, pairs="location")
    assert build(tree, pairs="location", same_ground=True)["pair"].values.tolist() == ["location"]


def test_the_square_of_ground_and_its_edges():
    bounds = (10.0, 60.0, 10.02, 60.005)
    height, width = extent(bounds)
    assert width / height == pytest.approx(2, rel=1e-3)
    square = shown(bounds, "centre")
    assert extent(square) == pytest.approx((height, height)) and shown(bounds, "whole") == bounds
    assert box(bounds, square, 200, 100) == pytest.approx((50, 0, 150, 100), abs=0.1)
    with pytest.raises(BrewError, match=r"exchanged .*latitude_first"):
        common(bounds, (60.0, 10.0, 60.005, 10.02))


# Faults of the published files


def test_what_is_in_no_list_is_never_read(tree):
    """Empty files of failed downloads, and coarser twins of the optical images, lie beside those that are named."""
    tree.pair()
    tree.tif(np.zeros((1, 40, 40), np.uint16), 0, 7)
    tree.jpg(np.full((20, 20, 3), 255, np.uint8), 0, 6, twin=True)
    (tree.root / "fmow-sentinel" / "train" / "airport" / "airport_1").mkdir()
    dataset = build(tree)
    assert dataset["origin"].values.tolist() == ["train/airport/airport_0/airport_0_6"]
    assert dataset["optical"].values[0, 0, 0].mean() == pytest.approx(200, abs=3)


def test_a_twin_is_no_partner(tree):
    tree.pair()
    file = tree.stem("fmow-rgb", 0, 6).with_name("airport_0_6_rgb.jpg")
    file.rename(file.with_name("airport_0_6_msrgb.jpg"))
    with pytest.raises(BrewError, match=r"airport_0_6_rgb\.jpg does not exist"):
        build(tree)


@pytest.mark.parametrize(
    ("values", "match"),
    [
        (np.zeros((1, 40, 40), np.uint16), "one empty band, which is what a failed download left"),
        (bands((40, 40))[:12], "12 bands; expected the 13"),
        (bands((40, 40), dtype=np.int32), "type int32; expected uint16, int16 or float32"),
        (bands((40, 40), dtype=np.float32) + np.float32(0.5), "values with fractions"),
        (bands((40, 40), dtype=np.float32) / np.float32(1e4), "look like reflectance"),
        (bands((40, 40), dtype=np.float32) * np.float32(np.nan), "NaN or infinite"),
        (bands((40, 40), -1010, np.int16), "values -1008 to -997"),
        (bands((17, 40)), r"\(17, 40\) pixels; expected 18 to 2048"),
        (bands((40, 40)) * np.uint16(0), "all black"),
    ],
)
def test_files_that_are_no_image_of_thirteen_bands(tree, values, match):
    with pytest.raises(BrewError, match=rf"airport_0_6\.tif.*{match}"):
        read_multispectral(tree.tif(values))


@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.float32])
@pytest.mark.parametrize("interleave", ["pixel", "band"])
def test_types_and_layouts_that_readers_met(tree, dtype, interleave):
    values = read_multispectral(tree.tif(bands((18, 30), dtype=dtype), interleave=interleave))
    assert values.dtype == np.uint16
    assert (values[:, 0, 0] - 1000).tolist() == [4, 3, 2, 5, 6, 7, 8, 9, 12, 13]


def test_exchanged_ids_are_told(tree):
    tree.row(location=6, image=0)
    tree.tif(bands((44, 50)), 0, 6)
    with pytest.raises(BrewError, match=r"airport_6_0\.tif does not exist.*location_id and image_id are exchanged"):
        build(tree, images="multispectral")


def test_forms_of_metadata(tree):
    box_entry = {"ID": 1, "category": "airport", "box": [1, 2, 30, 40]}
    place = {"ID": -1, "raw_location": wkt((1, 2, 3, 4)), "raw_category": "airport"}

    def metadata(**changes):
        path = tree.jpg(np.full((8, 8, 3), 9, np.uint8), metadata=changes).with_suffix(".json")
        written = json.loads(path.read_text())
        del written["abs_cal_factors"]
        path.write_text(json.dumps(written))
        return read_metadata(path)

    assert metadata(bounding_boxes=box_entry).boxes == ((1, 2, 30, 40),)
    truth = metadata(bounding_boxes=[place, {"ID": 2, "category": "airport", "box": [5, 5, 2, 9]}, box_entry])
    assert truth.boxes == ((1, 2, 30, 40),) and truth.bounds == (1, 2, 3, 4)
    assert metadata().bounds is None and metadata(timestamp="2016-02-20T10:30:00Z").time == 1455964200
    with pytest.raises(BrewError, match=r"airport_0_6_rgb\.json: timestamp '20 May'"):
        metadata(timestamp="20 May")
    with pytest.raises(BrewError, match=r"airport_0_6_rgb\.json: bounding_boxes"):
        metadata(bounding_boxes="none")


def test_large_pictures_cost_what_is_stated(tree):
    """A picture of 10,001 pixels is decoded at an eighth; one that libjpeg holds whole is refused."""
    pixels = np.zeros((1201, 10_001, 3), np.uint8)
    pixels[600:900, 5000:7500] = 200
    limit = 3 * 2**20
    plain = tree.jpg(pixels)
    image, size = read_optical(plain, whole, 96, limit)
    assert size == (1201, 10_001)
    assert (image[:, 50:70, 50:70] > 190).all() and (image[:, :46] < 10).all() and (image[:, :, 73:] < 10).all()
    Image.fromarray(pixels).save(plain, progressive=True)
    with pytest.raises(BrewError, match=r"a progressive JPEG of 10001 x 1201 pixels takes 69 MiB .*expected 3 at most"):
        read_optical(plain, whole, 96, limit)


def whole(width, height):
    """The edges of a whole picture."""
    return 0.0, 0.0, float(width), float(height)


@pytest.mark.parametrize("fault", ["cut", "grey", "black", "absent"])
def test_pictures_that_are_none(tree, fault):
    path = tree.jpg(np.full((400, 400, 3), 0 if fault == "black" else 90, np.uint8))
    if fault == "cut":
        path.write_bytes(path.read_bytes()[:700])
    if fault == "grey":
        Image.fromarray(np.full((40, 40), 90, np.uint8)).save(path)
    if fault == "absent":
        path.unlink()
    said = {"cut": "cannot be read", "grey": "mode L; expected RGB", "black": "all black", "absent": "does not exist"}
    with pytest.raises(BrewError, match=rf"airport_0_6_rgb\.jpg.*{said[fault]}"):
        read_optical(path, whole, 48, 2**30)


def test_failures_are_listed_and_as_many_as_stated_are_left_out(tree):
    for location in range(4):
        tree.pair(location, 6, level=1000 + 100 * location)
    tree.tif(np.zeros((1, 40, 40), np.uint16), 1, 6)
    tree.stem("fmow-rgb", 2, 6).with_name("airport_2_6_rgb.jpg").unlink()
    with pytest.raises(BrewError, match=r"2 problems in the files, and 2 of 4 samples could not be read.*kept"):
        build(tree)
    assert [row["scene"].rpartition("/")[2] for row in problems(tree)] == ["airport_1_6", "airport_2_6"]
    assert [row["file"].rpartition("/")[2] for row in problems(tree)] == ["airport_1_6.tif", "airport_2_6_rgb.jpg"]
    dataset = build(tree, failures=2)
    assert dataset["origin"].values.tolist() == [f"train/airport/airport_{each}/airport_{each}_6" for each in (0, 3)]
    assert dataset["multispectral"].values[:, 0, 0, 0, 0].tolist() == [1004, 1304]
    assert dataset.attrs["left_out"] == [f"train/airport/airport_{each}/airport_{each}_6" for each in (1, 2)]
    assert len(problems(tree)) == 2  # the list stays beside the store


def test_what_is_damaged_as_published_is_left_out_and_said(tree):
    tree.pair(0, 6)
    tree.pair(373, 3, category="helipad")
    tree.stem("fmow-rgb", 373, 3, category="helipad").with_name("helipad_373_3_rgb.jpg").write_bytes(b"damaged")
    dataset = build(tree)
    assert dataset["category"].values.tolist() == ["airport"]
    assert dataset.attrs["left_out"] == ["train/helipad/helipad_373/helipad_373_3"]
    assert "the published copy of this image is known to be damaged" in problems(tree)[0]["error"]


def test_nothing_left_is_an_error(tree):
    tree.row(0, 104)
    with pytest.raises(BrewError, match="no image is left of those chosen"):
        build(tree)
    tree.row(0, 6)
    with pytest.raises(BrewError, match="all 1 images failed"):
        build(tree, failures=1)


@pytest.mark.parametrize(
    "changes", [{"zoom": 0}, {"size": 0}, {"held_out": 1.0}, {"dates": 0}, {"dates": 2, "images": "optical"}]
)
def test_settings_that_cannot_be(changes):
    with pytest.raises(BrewError, match=next(iter(changes))):
        FmowSettings(**changes)


# What reads it


def test_training_takes_views_of_the_store_that_parameters_describe(tree):
    described = {
        "policy": "centre",
        "size": 12,
        "zoom": 2,
        "splits": ["train"],
        "count": 4,
        "tables": {"train": "mine.csv"},
    }
    settings = schema.load(FmowSettings, described, "data.fmow")
    for location in range(5):
        tree.pair(location)
    tree.list("mine", tree.rows["train"])
    fmow_store.build(tree.root, tree.root.parent / "store.zarr", settings)
    feed = Batches("fmow", tree.root.parent / "store.zarr", ("multispectral", "optical"), ("pretrain",), 4, seed=0)
    batch = next(iter(feed.epoch(0)))
    sizes = ViewSettings(global_size=8, local_size=4, locals=1, optical_scale=2, blur_kernel=3)
    views = make_views(
        batch.arrays["multispectral"],
        batch.arrays["optical"],
        None,
        samples=batch.samples,
        seed=0,
        epoch=0,
        settings=sizes,
    )
    assert [view.optical.shape[-1] for view in views] == [16, 16, 8] and views[0].multispectral.shape == (4, 10, 8, 8)


# Many workers


def test_workers_and_a_stop_change_no_byte(tree, monkeypatch):
    monkeypatch.setattr(fmow_store, "LOT", 2)
    for location in range(5):
        tree.pair(location, 6, level=1000 + 100 * location)
    build(tree, "here")
    expected = contents(tree.root.parent / "here.zarr")
    read, seen = fmow_store.read_sample, []

    def stopped(root, rows, settings):
        seen.append(rows["location"][0])
        if len(seen) == 4:
            raise RuntimeError("the machine was switched off")
        return read(root, rows, settings)

    path = tree.root.parent / "cluster.zarr"
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=False, **LOCAL) as local:
        monkeypatch.setattr(fmow_store, "read_sample", stopped)
        with pytest.raises(RuntimeError, match="switched off"):
            fmow_store.build(tree.root, path, FmowSettings(**SMALL), cluster=local.scheduler_address)
        seen[:] = range(10)
        fmow_store.build(tree.root, path, FmowSettings(**SMALL), cluster=local.scheduler_address)
    assert len(seen) - 10 in (2, 3)  # a lot that was whole is not read again
    assert contents(path) == expected


def test_the_command_builds_what_is_below_brew_data(tree, monkeypatch):
    monkeypatch.setenv("BREW_DATA", str(tree.root.parent))
    tree.pair(0, 6)
    tree.pair(1, 6)
    tree.lists()
    path = tree.root.parent / "mine.zarr"
    assert fmow_store.main([str(path), "--size", "12", "--zoom", "4", "--policy", "centre", "--count", "1"]) == 0
    assert open_store(path).attrs["policy"] == "centre" and open_store(path).sizes["sample"] == 1


def test_the_source_is_checked_by_its_lists():
    assert SOURCES["fmow"].patterns == ("train.csv", "val.csv", "test_gt.csv")
