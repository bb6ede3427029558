"""fMoW-Sentinel's lists: names from rows, faults by row, choices and sides by key."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brew.data.sources.fmow.fmow_rows import (
    CATEGORIES,
    NO_TIME,
    ROW,
    choose,
    held_out,
    name_of,
    place_of,
    read_rows,
    seen_on,
    with_other_dates,
)
from brew.errors import BrewError
from tests.data.sources.fmow.fmow_tree import Tree, wkt


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path)


def rows_of(tree: Tree, split="train", **options) -> np.ndarray:
    tree.lists()
    return read_rows(tree.root / f"{split}.csv", split, **options)


def test_names_put_the_location_before_the_image_whatever_image_path_says(tree):
    tree.row(0, 6, image_path="wrong/airport_6_0.tif")
    row = rows_of(tree)[0]
    assert name_of(row) == "train/airport/airport_0/airport_0_6" and place_of(row) == "train/airport/airport_0"
    assert name_of(row, 104) == "train/airport/airport_0/airport_0_104"


def test_rows_are_sorted_and_times_lose_their_fractions(tree):
    tree.row(10, 101, timestamp="2017-01-01T00:00:00.25Z")
    tree.row(9, 6, timestamp="2016-03-01T10:30:00Z", category="multi-unit_residential")
    tree.row(10, 7)
    rows = rows_of(tree)
    names = [name_of(row).rpartition("/")[2] for row in rows]
    assert names == ["airport_10_7", "airport_10_101", "multi-unit_residential_9_6"]
    assert rows["time"].tolist() == [1456828200, 1483228800, 1456828200]


@pytest.mark.parametrize("text", ["wkt", "pairs"])
def test_the_order_of_corners_shows_by_the_range_of_all_rows(tree, text):
    written = {"wkt": wkt, "pairs": lambda b: str([[b[1], b[0]], [b[1], b[2]], [b[3], b[2]], [b[3], b[0]]])}[text]
    for location, bounds in enumerate([(100, 10, 101, 11), (20, 30, 21, 31)]):
        tree.row(location, polygon=written(bounds))
    assert rows_of(tree)["bounds"].tolist() == [[100, 10, 101, 11], [20, 30, 21, 31]]


def test_corners_whose_range_does_not_tell_are_as_stated(tree):
    tree.row(polygon=wkt((20, 30, 21, 31)))
    assert rows_of(tree)["bounds"].tolist() == [[20, 30, 21, 31]]
    assert rows_of(tree, latitude_first=True)["bounds"].tolist() == [[30, 20, 31, 21]]


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"category": "17"}, r"row 2: category 17 is a number; expected a name\. Readers .* number .* differently"),
        ({"category": "airprt"}, r"row 2: category 'airprt' is unknown; did you mean 'airport'"),
        ({"location_id": "1.0"}, r"row 2: location_id '1\.0'; expected a whole number"),
        ({"timestamp": "2016"}, r"row 2: timestamp '2016'; expected a time"),
        ({"timestamp": "2016-13-01T10:30:00Z"}, r"row 2: timestamp '2016-13.*; expected a time"),
        ({"polygon": "somewhere"}, r"row 2: polygon 'somewhere'; expected the corners"),
        ({"polygon": wkt((200, 1, 201, 2))}, r"beyond 180; expected longitudes and latitudes"),
        ({"location_id": "0", "image_id": "6"}, r"names train/airport/airport_0/airport_0_6 twice"),
    ],
)
def test_faults_name_their_row(tree, changes, match):
    tree.row(0, 6)
    tree.row(1, 6, **changes)
    with pytest.raises(BrewError, match=match):
        rows_of(tree)


@pytest.mark.parametrize("missing", ["polygon", "image_id"])
def test_a_missing_column_is_named(tree, missing):
    tree.row()
    del tree.rows["train"][0][missing]
    with pytest.raises(BrewError, match=rf"train\.csv lacks the column {missing}; found .*fMoW-Sentinel release"):
        rows_of(tree)


def test_a_list_of_optical_images_needs_names_alone(tree):
    tree.list("train", [{"category": "zoo", "location_id": "3", "image_id": "2"}])
    row = read_rows(tree.root / "train.csv", "train", dated=False)[0]
    assert name_of(row) == "train/zoo/zoo_3/zoo_3_2" and row["time"] == NO_TIME and np.isnan(row["bounds"]).all()


def test_absent_and_empty_lists(tree, tmp_path):
    with pytest.raises(BrewError, match=r"does not exist; .*make data BENCHMARK=fmow"):
        read_rows(tmp_path / "train.csv", "train")
    (tmp_path / "train.csv").write_text(",category,location_id,image_id,timestamp,polygon\n")
    with pytest.raises(BrewError, match="names no image"):
        read_rows(tmp_path / "train.csv", "train")
    with pytest.raises(BrewError, match="fMoW's split 'test' is unknown; did you mean 'test_gt'"):
        read_rows(tmp_path / "train.csv", "test")


def test_choices_grow_and_places_stay_whole(tree):
    for location in range(20):
        for image in range(3):
            tree.row(location, image, category=CATEGORIES[location % 2])
    rows = rows_of(tree)
    names = [{name_of(row) for row in choose(rows, count=count)} for count in (10, 25)]
    assert [len(each) for each in names] == [10, 25] and names[0] < names[1]
    hangars = choose(rows, ["airport_hangar"])
    assert {place_of(row).split("/")[1] for row in hangars} == {"airport_hangar"} and len(hangars) == 30
    out = held_out(rows, 0.3)
    sides = [{place_of(row) for row in rows[side]} for side in (out, ~out)]
    assert sides[0] and not sides[0] & sides[1]
    with pytest.raises(BrewError, match=r"61 images asked for; expected .* up to the 60"):
        choose(rows, count=61)
    with pytest.raises(BrewError, match="category 'airoport' is unknown; did you mean"):
        choose(rows, ["airoport"])


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 120)), min_size=1, unique=True), st.integers(1, 4))
def test_a_chosen_row_comes_first_and_other_dates_of_its_place_follow(images, dates):
    rows = np.zeros(len(images), ROW)
    rows["location"], rows["image"] = np.array(sorted(images)).T
    chosen = rows[seen_on(rows, dates)]
    counts = {location: sum(place == location for place, _ in images) for location, _ in images}
    assert set(chosen["location"].tolist()) == {location for location, count in counts.items() if count >= dates}
    if not len(chosen):
        return
    found = with_other_dates(chosen, rows, dates)
    assert found.shape == (len(chosen), dates) and (found[:, 0] == chosen).all()
    for sample in found:
        assert len(set(sample["image"].tolist())) == dates and len(set(sample["location"].tolist())) == 1
        assert set(zip(sample["location"].tolist(), sample["image"].tolist(), strict=True)) <= set(images)
    reversed_rows = with_other_dates(chosen, rows[::-1], dates)
    assert (reversed_rows == found).all(), "a draw depends on the order of the list"


def test_there_are_62_categories_in_the_order_of_the_alphabet():
    assert len(CATEGORIES) == 62 and list(CATEGORIES) == sorted(CATEGORIES)
