"""SSL4EO-S12 v1.1: its zipped Zarr of format 2, the offset in it, and faults by place."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr

from brew.compendium.fetching import main
from brew.data.sources import ssl4eo
from brew.data.sources.ssl4eo import Ssl4eoSettings, file_name, numbers
from brew.data.store import open_store
from brew.errors import BrewError

NAMES = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")
SIDE = 24


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Files of two places of few pixels: of 64 a file has 116 MB a season."""
    monkeypatch.setattr(ssl4eo, "SIDE", SIDE)
    monkeypatch.setattr(ssl4eo, "PLACES", 2)


def written(root: Path, number=1, split="train", change=None) -> Path:
    """As xarray writes the format: band n of season t at place p holds 1100 + 100 p + 20 t + n, B10 little more than
    the offset."""
    path = root / file_name(split, number)
    path.parent.mkdir(parents=True, exist_ok=True)
    bands = 1100 + np.arange(13)[:, None, None] + np.zeros((2, 4, 13, SIDE, SIDE))
    bands += 100 * np.arange(2)[:, None, None, None, None] + 20 * np.arange(4)[:, None, None, None]
    bands[:, :, 10] = 1010
    times = np.datetime64("2020-03-01T10:30:00", "ns") + 90 * np.arange(4) * np.timedelta64(1, "D")
    dataset = xr.Dataset(
        {
            "bands": (("sample", "time", "band", "y", "x"), bands.astype(np.int16)),
            "center_lat": ("sample", [42.5, -3.0]), "center_lon": ("sample", [125.0, 9.0]),
            "crs": ("sample", [32651, 32732]), "time_": (("sample", "time"), np.stack([times, times])),
        },
        {"band": list(NAMES), "sample": [f"{number:03d}0717", f"{number:03d}0573"], "time": np.arange(4)},
    )  # fmt: skip
    dataset = change(dataset) if change else dataset
    path.unlink(missing_ok=True)
    with zarr.storage.ZipStore(path, mode="w") as store:
        dataset.to_zarr(store, zarr_format=2, consolidated=True, encoding={"bands": {"chunks": (2, 1, 13, SIDE, SIDE)}})
    return path


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_seasons_are_dates_and_the_offset_is_taken_off(tmp_path):
    written(tmp_path)
    written(tmp_path, split="val")
    ssl4eo.build(tmp_path, tmp_path / "store.zarr", Ssl4eoSettings(train=1, val=1, size=16))
    dataset = open_store(tmp_path / "store.zarr")
    assert dataset["multispectral"].shape == (4, 4, 10, 16, 16)
    for band, place in {"B4": 3, "B2": 1, "B8": 7, "B8A": 8, "B11": 11}.items():
        expected = 100 + place + 100 * np.arange(2)[:, None] + 20 * np.arange(4)
        assert (dataset["multispectral"].sel(band=band).values[:2, :, 0, 0] == expected).all(), band
    assert dataset["origin"].values.tolist() == ["train/0010717", "train/0010573", "val/0010717", "val/0010573"]
    assert dataset["split"].values.tolist() == ["pretrain"] * 2 + ["validation"] * 2
    assert dataset["date"].values[0, 1] - dataset["date"].values[0, 0] == 90 * 86400
    assert dataset["latitude"].values[1] == -3 and dataset["crs"].values[1] == 32732
    assert len(set(dataset["hash"].values[:2].ravel())) == 8


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_bad_place_and_a_bad_file_are_listed_and_the_rest_kept(tmp_path):
    def empty(dataset):
        dataset["bands"][1, 2] = 0
        dataset["bands"][1, 2, 10] = 1010
        return dataset

    written(tmp_path, 1, change=empty)
    written(tmp_path, 2).write_bytes(b"PK no archive")
    with pytest.raises(BrewError, match=r"2 problems in the files, and 2 of 4 places"):
        ssl4eo.build(tmp_path, tmp_path / "store.zarr", Ssl4eoSettings(train=2, size=SIDE))
    ssl4eo.build(tmp_path, tmp_path / "store.zarr", Ssl4eoSettings(train=2, size=SIDE, failures=3))
    dataset = open_store(tmp_path / "store.zarr")
    assert dataset["origin"].values.tolist() == ["train/0010717"]
    assert dataset.attrs["left_out"] == ["train/0010573", file_name("train", 2)]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda data: data.drop_vars("time_"), "no array time_; expected a file of SSL4EO"),
        (lambda data: data.isel(band=[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12]), "expected four seasons of the 13 bands"),
        (lambda data: data.isel(time=[0, 1]), "expected four seasons"),
        (lambda data: data.assign(bands=data["bands"] - 1000), "the offset of 1000 is taken off already"),
    ],
)
def test_files_of_another_form(tmp_path, change, match):
    written(tmp_path, change=change)
    with pytest.raises(BrewError, match=match):
        ssl4eo.build(tmp_path, tmp_path / "store.zarr", Ssl4eoSettings(size=SIDE))


def test_what_is_darker_than_the_offset_is_no_pixel_without_a_value(tmp_path):
    stored = np.full((11, SIDE, SIDE), 990, np.int16)
    stored[:-1, 0, 0] = 0
    found = numbers(stored, SIDE, tmp_path)
    assert (found[:, 0, 0] == 0).all() and (found[:, 1:] == 1).all()


def test_absent_files_settings_and_fetching_without_a_count(tmp_path, monkeypatch):
    with pytest.raises(BrewError, match=r"000001\.zarr\.zip does not exist"):
        ssl4eo.build(tmp_path, tmp_path / "store.zarr", Ssl4eoSettings(size=SIDE))
    for wrong in ({"train": 0}, {"train": 4000}, {"size": 500}):
        with pytest.raises(BrewError, match="expected 1"):
            Ssl4eoSettings(**wrong)
    monkeypatch.setenv("BREW_DATA", str(tmp_path))
    with pytest.raises(BrewError, match=r"expected a number of places\. Say COUNT=640"):
        main(["ssl4eo"])
