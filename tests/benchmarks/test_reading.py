"""Reading and feeding: both sides get the same samples, and nothing warm is called cold. Timings are not tested."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import conventional, feeding, harness, reading, views
from benchmarks.report import KEYS
from brew.errors import BrewError

SIZES = reading.QUICK


@pytest.fixture(autouse=True)
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(harness, "QUICK_RESULTS", tmp_path / "results")
    monkeypatch.setattr(reading, "SCRATCH", tmp_path)
    monkeypatch.setattr(feeding, "SCRATCH", tmp_path)
    return tmp_path / "results"


@pytest.mark.parametrize("compression", [None, "gzip"])
def test_store_and_hdf5_hold_the_same_samples(tmp_path: Path, compression: str | None) -> None:
    data = reading.images(SIZES.samples, SIZES.pixels)
    reading.write_samples(tmp_path / "a.zarr", [data[:7], data[7:]], SIZES.samples, SIZES.pixels)
    conventional.write_hdf5(tmp_path / "a.h5", data, compression)
    samples = conventional.HDF5Samples(tmp_path / "a.h5", lambda image: image)
    seen = []
    for batch in reading.feed(tmp_path / "a.zarr", SIZES.batch).epoch(0):
        expected = torch.stack([samples[index] for index in batch.samples.tolist()])
        assert torch.equal(batch.arrays[reading.VARIABLE], expected)
        seen += batch.samples.tolist()
    assert sorted(seen) == list(range(len(samples))) == list(range(SIZES.samples))


def test_images_compress_about_as_real_scenes_do(tmp_path: Path) -> None:
    data = reading.images(4, 64)
    conventional.write_hdf5(tmp_path / "a.h5", data, "gzip")
    assert 0.4 < (tmp_path / "a.h5").stat().st_size / data.nbytes < 0.8
    assert np.array_equal(data, reading.images(4, 64)) and not np.array_equal(data[0], data[1])


def test_the_loader_yields_stacked_views(tmp_path: Path) -> None:
    conventional.write_hdf5(tmp_path / "a.h5", reading.images(5, 32))
    batches = list(conventional.loader(tmp_path / "a.h5", views.QUICK.settings, batch=2, workers=0))
    assert len(batches) == 2
    assert [tuple(view.shape) for view in batches[0]["multispectral"]] == [(2, 10, 24, 24)] * 2 + [(2, 10, 12, 12)] * 2


def test_pages_in_memory_are_counted(tmp_path: Path) -> None:
    touched, untouched = tmp_path / "touched", tmp_path / "untouched"
    touched.write_bytes(os.urandom(2**20))
    touched.read_bytes()
    with untouched.open("wb") as file:
        file.truncate(2**20)
    assert reading.cached_share([touched]) == 1
    assert reading.cached_share([untouched]) == 0
    assert reading.cached_share([touched, untouched]) == 0.5


@pytest.mark.parametrize(("share", "start"), [(0.0, "cold, "), (0.5, "not cold ")])
def test_a_reading_from_memory_is_not_called_cold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, share: float, start: str
) -> None:
    monkeypatch.setattr(reading, "cached_share", lambda files: share)
    result = reading.cold(tmp_path, SIZES, gigabytes=0.0005, rounds=2)
    assert result.name.startswith(start)
    assert result.record()["settings"]["cached_before"] == share
    assert len(result.ours.seconds) == len(result.conventional.seconds) == 2


def test_dd_without_seconds_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "dd"
    tool.write_text("#!/bin/sh\necho nothing >&2\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(BrewError, match="dd reported 'nothing"):
        reading.cold(tmp_path / "cold", SIZES, gigabytes=0.0005, rounds=1)


def test_one_core_is_given_back() -> None:
    if not hasattr(os, "sched_getaffinity"):
        pytest.skip("the system cannot bind a process to a core")
    before = os.sched_getaffinity(0)
    with reading.one_core() as pinned:
        assert pinned and len(os.sched_getaffinity(0)) == 1
    assert os.sched_getaffinity(0) == before


def test_reading_runs(results: Path) -> None:
    reading.main(["--quick", "--rounds", "1"])
    records = json.loads((results / "reading.json").read_text())
    assert len(records) == 3 and all(set(record) == set(KEYS) for record in records)


# Python warns that forking a process with threads may hang; that is what a DataLoader does.
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_feeding_runs(results: Path) -> None:
    feeding.main(["--quick", "--rounds", "1"])
    (record,) = json.loads((results / "feeding.json").read_text())
    assert set(record) == set(KEYS) and record["settings"]["workers"] == record["settings"]["our_threads"] == 1
