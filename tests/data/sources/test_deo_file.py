"""DEO's own HDF5 file: nothing is guessed, and planes land where their user says they belong."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from brew.data.sources import deo_file
from brew.data.sources.deo_file import DeoFileSettings
from brew.data.store import open_store
from brew.errors import BrewError

ORDER = ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B10", "B11", "B12")
MERGED = ("B1", "blue", "green", "red", *ORDER[4:])


def written(path: Path, images, name="images") -> Path:
    with h5py.File(path, "w") as file:
        file[name] = images
    return path


def images(count=3, dtype=np.float32) -> np.ndarray:
    planes = 1000 + 10 * np.arange(13)[:, None, None] + np.zeros((count, 13, 6, 8))
    return (planes + np.arange(count)[:, None, None, None]).astype(dtype)


def built(tmp_path, stored, **settings):
    file = written(tmp_path / "deo.h5", stored)
    deo_file.build(tmp_path / "store.zarr", DeoFileSettings(file, "own", **settings))
    return open_store(tmp_path / "store.zarr")


@pytest.mark.parametrize("stated", [{}, {"order": ORDER}, {"high_resolution": False}])
def test_what_the_file_does_not_say_cannot_be_guessed(tmp_path, stated):
    with pytest.raises(BrewError, match=r"not set; expected both.*order red and blue both ways.*cannot be guessed"):
        built(tmp_path, images(), **stated)


def test_bands_by_the_order_that_is_stated(tmp_path):
    dataset = built(tmp_path, images(), order=ORDER, high_resolution=False)
    assert dataset["multispectral"].shape == (3, 1, 10, 6, 8) and "optical" not in dataset
    for band in ("B2", "B4", "B8A", "B12"):
        assert (dataset["multispectral"].sel(band=band).values[2] == 1002 + 10 * ORDER.index(band)).all()
    assert set(dataset["split"].values) == {"pretrain"} and dataset["origin"].values[1] == "images[1]"
    assert dataset.attrs["order"] == list(ORDER) and dataset.attrs["high_resolution"] is False


@pytest.mark.parametrize("white", [1.0, 255.0])
def test_aerial_planes_become_the_optical_image(tmp_path, white):
    stored = images()
    stored[:, 1:4] = (np.array([0.2, 0.4, 0.8]) * white)[:, None, None]
    dataset = built(tmp_path, stored, order=MERGED, high_resolution=True, white=white)
    assert dataset["optical"].values[0, 0, :, 0, 0].tolist() == [204, 102, 51]
    assert dataset["multispectral"].values[0, 0, :4, 0, 0].tolist() == [2846, 1423, 712, 1040]


@pytest.mark.parametrize(
    ("stored", "settings", "match"),
    [
        (images()[:, :12], {"order": ORDER[:12]}, r"B12 not once"),
        (images(), {"order": (*ORDER, "")}, r"images of \(3, 13, 6, 8\); expected .*the 14 planes"),
        (images(), {"order": ("B01", *ORDER[1:])}, "plane 'B01' is unknown; did you mean"),
        (images(), {"order": ORDER, "high_resolution": True}, "order names red, green, blue not once"),
        (images(), {"order": MERGED, "high_resolution": True}, r"images\[0\]: optical planes from 1010 to 1030"),
        (images() / 1e4, {"order": ORDER}, r"images\[0\].*all black|look like|digital numbers"),
        (images() * np.nan, {"order": ORDER}, r"images\[0\]: values nan"),
    ],
)
def test_what_does_not_fit_is_said(tmp_path, stored, settings, match):
    with pytest.raises(BrewError, match=match):
        built(tmp_path, stored, **{"high_resolution": False, **settings})
    assert not (tmp_path / "store.zarr").exists()


def test_other_files(tmp_path):
    file = written(tmp_path / "deo.h5", images(), "pictures")
    settings = DeoFileSettings(file, "own", ORDER, False)
    with pytest.raises(BrewError, match=r"no array `images`, but pictures"):
        deo_file.build(tmp_path / "store.zarr", settings)
    file.write_bytes(b"text")
    with pytest.raises(BrewError, match=r"deo\.h5 cannot be read"):
        deo_file.build(tmp_path / "store.zarr", settings)
    file.unlink()
    with pytest.raises(BrewError, match=r"deo\.h5 does not exist"):
        deo_file.build(tmp_path / "store.zarr", settings)
