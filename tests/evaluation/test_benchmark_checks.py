"""A store that is not what its benchmark declares is refused when it is opened, under the benchmark's name."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from brew.data.rasters import content_hash
from brew.data.store import IMAGES
from brew.errors import BrewError
from brew.evaluation.benchmark_checks import check_benchmark
from brew.evaluation.benchmarks import Benchmark
from brew.evaluation.frozen_features import InMemory
from brew.evaluation.splits import NAMES
from brew.sensors import SENSORS

BENCHMARK = Benchmark(
    "orchards", "segmentation", "orchards", "multispectral", "label", "sentinel2", ("other", "orchard"), "iou",
    "orchards", ignore=9,
)  # fmt: skip
MULTILABEL = replace(
    BENCHMARK, task="classification", classes=("bare", "field", "forest"), multilabel=True, ignore=None
)
CHANGE = replace(BENCHMARK, task="change", ignore=None)
SPLIT = np.repeat(NAMES, 2)


def _images(dates: int = 1) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 9999, (6, dates, 10, 4, 4)).astype(np.uint16)


def _check(
    benchmark: Benchmark = BENCHMARK,
    images: np.ndarray | None = None,
    labels: np.ndarray | None = None,
    split: np.ndarray = SPLIT,
    attributes: dict[str, list[str]] | None = None,
    without: tuple[str, ...] = (),
) -> None:
    """Of a store of six samples, two per split."""
    images = _images() if images is None else images
    labels = np.arange(96).reshape(6, 4, 4) % 2 if labels is None else labels
    dataset = xr.Dataset(
        {
            "multispectral": (IMAGES["multispectral"][1], images),
            "label": (("sample", "row", "column")[: labels.ndim], labels),
            "split": ("sample", split),
            "hash": ("sample", np.array([content_hash(image) for image in images])),
        },
        {"band": list(SENSORS["sentinel2"].band_names)[: images.shape[2]]},
        attributes or {},
    )
    check_benchmark(benchmark, dataset.drop_vars(list(without)), InMemory(images))


def test_a_sound_store_is_accepted() -> None:
    _check()
    labels = np.zeros((6, 4, 4), int)
    labels[3] = 9
    _check(labels=labels)
    _check(MULTILABEL, labels=np.eye(3, dtype=np.uint8)[[0, 1, 2, 0, 1, 2]])
    _check(CHANGE, _images(2))
    _check(CHANGE, _images(2), labels=labels // 3, attributes={"changes": ["none", "flood", "fire", "roof"]})


def test_labels_of_samples_outside_the_splits_may_be_anything() -> None:
    labels = np.zeros((6, 4, 4), int)
    labels[1] = 77
    _check(labels=labels, split=np.where(np.arange(6) == 1, "pretrain", SPLIT))


@pytest.mark.parametrize("name", ["label", "split", "hash"])
def test_a_missing_variable_is_named(name: str) -> None:
    with pytest.raises(BrewError, match=f"no variable {name!r}.*known: .*multispectral"):
        _check(without=(name,))


@pytest.mark.parametrize("split", NAMES)
def test_an_empty_split_is_named_with_what_there_is(split: str) -> None:
    with pytest.raises(BrewError, match=rf"the {split} split is empty \(samples: .*'unused': 2.*; expected some"):
        _check(split=np.where(split == SPLIT, "unused", SPLIT))


@pytest.mark.parametrize(("sensor", "expected"), [("rgb", "expected the 3 of"), ("sentinel2", "expected the 10 of")])
def test_bands_are_those_of_the_sensor(sensor: str, expected: str) -> None:
    with pytest.raises(BrewError, match=rf"9 bands \(B4, .*\); {expected} sensor {sensor!r}"):
        _check(replace(BENCHMARK, sensor=sensor), _images()[:, :, :9])


def test_change_needs_two_dates() -> None:
    with pytest.raises(BrewError, match="1 date per sample; expected 2 for change"):
        _check(CHANGE)


@pytest.mark.parametrize(
    ("benchmark", "value", "match"),
    [
        (BENCHMARK, 2, r"'label' hold the values \[2\]; expected 0 to 1 for 2 classes"),
        (BENCHMARK, -1, r"\[-1\]"),
        (replace(BENCHMARK, ignore=None), 9, r"\[9\]"),
        (CHANGE, 2, r"\[2\]"),
    ],
)
def test_labels_outside_the_classes_are_named(benchmark: Benchmark, value: int, match: str) -> None:
    labels = np.zeros((6, 4, 4), int)
    labels[4, 1, 1] = value
    with pytest.raises(BrewError, match=match):
        _check(benchmark, _images(2), labels)


def test_many_labels_are_one_0_or_1_per_class() -> None:
    with pytest.raises(BrewError, match=r"\(6, 4\); expected \(sample, 3\)"):
        _check(MULTILABEL, labels=np.ones((6, 4), int))
    with pytest.raises(BrewError, match=r"\[2\]"):
        _check(MULTILABEL, labels=np.full((6, 3), 2))
    with pytest.raises(BrewError, match="float64; expected whole numbers"):
        _check(labels=np.full((6, 4, 4), np.nan))


def test_an_image_in_two_splits_is_refused_unless_it_shows_nothing() -> None:
    images = _images()
    images[1] = images[0]
    _check(images=images)
    images[5] = images[0]
    with pytest.raises(BrewError, match=f"{content_hash(images[0])!r} stands in splits 'train' and 'test'"):
        _check(images=images)
    images[[0, 1, 3, 5]] = 0
    _check(images=images)
