"""A benchmark's store is opened as it is declared, under the benchmark's name, and gives training labels in part."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from brew.data.labelled import Labelled, write_labelled
from brew.data.sources.forms import FORMS
from brew.errors import BrewError
from brew.evaluation.benchmark_stores import OpenedBenchmark, open_benchmark, with_label_fraction
from brew.evaluation.benchmarks import BENCHMARKS

EUROSAT, FORM = BENCHMARKS["m-eurosat"], FORMS["m-eurosat"]
TRAINED = 20


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Twenty samples that train, of two classes in turn, and two of either other split."""
    names = {"train": range(TRAINED), "validation": (30, 31), "test": (40, 41)}

    def read(name: str) -> Labelled:
        return Labelled(np.full(FORM.variables[FORM.images].shape, int(name), np.uint16), np.array(int(name) % 2))

    splits = {split: [str(number) for number in members] for split, members in names.items()}
    write_labelled(tmp_path / "store.zarr", FORM, splits, read, {"source": "x"})
    return tmp_path / "store.zarr"


@pytest.fixture
def opened(store: Path) -> OpenedBenchmark:
    return open_benchmark(EUROSAT, store)


def test_an_absent_store_is_refused_under_the_benchmark_s_name(tmp_path: Path) -> None:
    with pytest.raises(BrewError, match=r"^benchmark 'm-eurosat': .* is no store; .*Run `make repro`"):
        open_benchmark(EUROSAT, tmp_path / "absent.zarr")


def test_a_store_of_another_form_is_refused_under_the_benchmark_s_name(store: Path) -> None:
    with pytest.raises(BrewError, match=r"^benchmark 'm-eurosat': .*10 bands .*expected the 3 of sensor 'rgb'"):
        open_benchmark(replace(EUROSAT, sensor="rgb"), store)
    with pytest.raises(BrewError, match=r"^benchmark 'm-eurosat': .*variable 'optical' is unknown"):
        open_benchmark(replace(EUROSAT, images="optical"), store)


def test_the_first_samples_of_each_split_can_be_taken_alone(opened: OpenedBenchmark) -> None:
    assert opened.split().train.tolist() == list(range(TRAINED))
    few = opened.split((3, 1, 2))
    assert [part.tolist() for part in (few.train, few.validation, few.test)] == [[0, 1, 2], [20], [22, 23]]


def test_a_drawn_part_of_the_labels_has_every_class(opened: OpenedBenchmark) -> None:
    split = opened.split()
    drawn = with_label_fraction(opened, split, 0.1, seed=0)
    assert len(drawn.train) == 2 and set(opened.labels[drawn.train]) == {0, 1}
    assert drawn.test is split.test
    assert with_label_fraction(opened, split, 1.0, seed=0) is split


def test_a_part_that_the_data_set_names_is_taken_instead(opened: OpenedBenchmark) -> None:
    member = np.zeros(len(opened.splits), dtype=bool)
    member[3:5] = True
    own = replace(opened, dataset=opened.dataset.assign({"partition_0.10": ("sample", member)}))
    assert with_label_fraction(own, own.split(), 0.1, seed=0).train.tolist() == [3, 4]


def test_one_labelled_image_of_a_dense_task_is_refused(opened: OpenedBenchmark) -> None:
    maps = np.zeros((len(opened.labels), 4, 4), int)
    dense = replace(opened, benchmark=BENCHMARKS["crops"], labels=maps)
    with pytest.raises(BrewError, match=r"'crops': 5 % of its 20 training samples are 1; expected at least 2: raise"):
        with_label_fraction(dense, dense.split(), 0.05, seed=0)
    assert len(with_label_fraction(dense, dense.split(), 0.1, seed=0).train) == 2
