"""Labelled images of any form become a store that gives them back, and unsound ones leave nothing behind."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brew import files
from brew.data.labelled import Labelled, to_native, write_labelled
from brew.data.sources.forms import FORMS, Form
from brew.data.store import ArrayReader, open_store
from brew.errors import BrewError
from brew.sensors import SENSORS

FEW = {"train": ["a", "b", "c"], "validation": ["d"], "test": ["e", "f"]}
NAMES = [name for names in FEW.values() for name in names]


def sample(form: Form, name: str) -> Labelled:
    """Pixels and labels that depend on the name."""
    generator, sensor = np.random.default_rng(NAMES.index(name)), SENSORS[form.sensor]
    image = generator.integers(1, 255, (form.dates, len(sensor), form.size, form.size)).astype(sensor.dtype)
    shape = {"class": (), "classes": (len(form.classes),), "map": (form.size, form.size)}[form.label]
    top = 2 if form.label == "classes" else len(form.classes)
    return Labelled(image, np.asarray(generator.integers(0, top, shape)))


@settings(max_examples=12)
@given(
    st.sampled_from(["rgb", "sentinel2"]), st.integers(2, 6), st.sampled_from(["class", "classes", "map"]),
    st.integers(2, 5), st.integers(1, 2), st.sets(st.sampled_from(FEW["train"]), min_size=1),
)  # fmt: skip
def test_any_form_comes_back(sensor, size, label, classes, dates, part):
    form = Form(sensor, size, label, tuple(map(str, range(classes))), dates)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.zarr"
        write_labelled(path, form, FEW, lambda name: sample(form, name), {"source": "x"}, {"partition_0.10": part})
        dataset, images = open_store(path), ArrayReader(path, form.images)
        assert dataset["origin"].values.tolist() == NAMES and dataset.attrs["classes"] == list(form.classes)
        assert dataset["partition_0.10"].values.tolist() == [int(name in part) for name in NAMES]
        for place, name in enumerate(NAMES):
            expected = sample(form, name)
            np.testing.assert_array_equal(images.read([place])[0], expected.image)
            np.testing.assert_array_equal(dataset["label"].values[place], expected.label)


FORM = Form("rgb", 4, "map", ("one", "two"))


def test_a_disk_without_room_is_said_before_a_sample_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "free_bytes", lambda path: 100)
    with pytest.raises(BrewError, match=rf"store needs {len(NAMES) * 64} bytes and 100 are free"):
        write_labelled(tmp_path / "store", FORM, FEW, lambda name: pytest.fail("read"), {})


@pytest.mark.parametrize(
    ("image", "label", "match"),
    [
        (np.ones((1, 4, 4, 4), np.uint8), None, r"e: image of \(1, 4, 4, 4\) of uint8; expected \(1, 3, 4, 4\)"),
        (np.ones((1, 3, 4, 4), np.uint16), None, "e: image of .* of uint16; expected .* of uint8"),
        (None, np.zeros((5, 4), int), r"e: label of \(5, 4\); expected \(4, 4\)"),
        (None, np.full((4, 4), 2), r"e: labels \[2\] to 2 .*from 0 to 1"),
        (None, np.full((4, 4), -1), r"e: labels \[-1\] to -1"),
        (None, np.zeros((4, 4)), "e: labels .* of float64; expected whole numbers"),
    ],
)
def test_an_unsound_sample_leaves_no_store(image, label, match, tmp_path):
    def read(name: str) -> Labelled:
        found = sample(FORM, name)
        if name != "e":
            return found
        return Labelled(found.image if image is None else image, found.label if label is None else label)

    with pytest.raises(BrewError, match=match):
        write_labelled(tmp_path / "store.zarr", FORM, FEW, read, {})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("splits", "marks", "match"),
    [
        (FEW | {"test": []}, {}, "the test split is empty"),
        ({"train": ["a"], "validation": ["d"]}, {}, "the test split is empty"),
        (FEW | {"test": ["e", "b"]}, {}, "sample 'b' stands in splits 'train' and 'test'"),
        (FEW | {"test": ["e", "e"]}, {}, "sample 'e' stands in splits 'test' and 'test'"),
        (FEW, {"partition_0.10": {"a", "d"}}, "partition_0.10 holds 'd', which does not train"),
        (FEW, {"partition_0.10": set()}, "partition_0.10 holds no sample"),
    ],
)
def test_lists_that_do_not_fit_are_errors_before_anything_is_read(splits, marks, match, tmp_path):
    with pytest.raises(BrewError, match=match):
        write_labelled(tmp_path / "store.zarr", FORM, splits, lambda name: pytest.fail("was read"), {}, marks)


def test_equal_images_are_an_error_across_splits_unless_they_show_nothing(tmp_path):
    def read(name: str) -> Labelled:
        return Labelled(sample(FORM, "a" if name in ("c", "f") else name).image, sample(FORM, name).label)

    with pytest.raises(BrewError, match=r"a \(train\) and f \(test\) hold the same image"):
        write_labelled(tmp_path / "store.zarr", FORM, FEW, read, {})
    black = Labelled(np.zeros((1, 3, 4, 4), np.uint8), np.zeros((4, 4), int))
    write_labelled(tmp_path / "store.zarr", FORM, FEW, lambda _: black, {})
    assert open_store(tmp_path / "store.zarr").sizes["sample"] == 6


@given(st.lists(st.integers(0, 65534), min_size=1, max_size=9))
def test_units_are_kept_or_converted(numbers):
    of, values = SENSORS["sentinel2"], np.array(numbers)
    np.testing.assert_array_equal(to_native(values.astype(np.uint16), of, "here"), values)
    np.testing.assert_array_equal(to_native((values / 10000).astype(np.float32), of, "here", 10000.0), values)


@pytest.mark.parametrize(
    ("values", "scale", "match"),
    [
        ([1.0, np.nan], 1.0, "here: NaN"), ([70000.0], 1.0, "values from 70000 to 70000"), ([7.0], 10000.0, "to 70000"),
        ([-3.0], 1.0, "from -3 to -3"), ([0.2, 1.1], 1.0, "look like reflectance"),
    ],
)  # fmt: skip
def test_other_units_are_errors(values, scale, match):
    with pytest.raises(BrewError, match=match):
        to_native(np.array(values, np.float32), SENSORS["sentinel2"], "here", scale)


def test_a_form_is_as_large_as_the_authors_input():
    from brew.evaluation.benchmarks import BENCHMARKS

    for name, form in FORMS.items():
        protocol = BENCHMARKS[name].protocol
        assert protocol is None or protocol.size == form.size, name
