"""The contract of every source: an entry that says what it is, and a store with what every store has."""

import numpy as np
import pytest
import torch

from brew.compendium.settings import load
from brew.data.miniature import legends
from brew.data.miniature.miniature_store import MiniatureSettings
from brew.data.miniature.rendering import PRODUCTS, render
from brew.data.rasters import content_hash
from brew.data.sources.catalogue import SOURCES, source
from brew.data.sources.stores import build_store, check_source
from brew.data.store import image_hashes, open_store
from brew.errors import BrewError
from brew.files import DATA

SETTINGS = MiniatureSettings(pretrain=5, train=3, validation=0, test=2, size=16, optical_ratio=2, sar=True)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Small tensors gain nothing from threads, and lose much where tests share a machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def miniature_store(tmp_path_factory):
    path = tmp_path_factory.mktemp("sources") / "miniature.zarr"
    build_store("miniature", path, SETTINGS)
    return path


@pytest.mark.parametrize("name", SOURCES)
def test_every_entry_says_what_it_is(name):
    entry = SOURCES[name]
    assert entry.name == name and entry.summary and entry.licence
    assert f"`{name}`" in (DATA / "README.md").read_text()
    if entry.folder:
        assert entry.patterns and entry.obtain


def test_what_a_scale_uses_has_a_manifest():
    used = {name for scale in ("miniature", "tiny", "real") for name in load(scale).data.present()}
    assert "oscd" in used
    assert all(SOURCES[name].manifest.is_file() for name in used if SOURCES[name].folder)


def test_files_without_a_manifest_are_no_silent_input(tmp_path, monkeypatch):
    monkeypatch.setenv("BREW_DATA", str(tmp_path))
    (tmp_path / "pastis").mkdir()
    with pytest.raises(BrewError, match=r"python -m brew manifest pastis"):
        check_source("pastis", True)


@pytest.mark.parametrize("name", [name for name, entry in SOURCES.items() if entry.folder])
def test_absent_data_is_said_in_one_line(name, monkeypatch):
    monkeypatch.delenv("BREW_DATA", raising=False)
    with pytest.raises(BrewError, match=r"BREW_DATA is not set.*To obtain it: \w+") as caught:
        check_source(name, None)
    assert "\n" not in str(caught.value)


def test_unknown_sources_name_the_nearest():
    with pytest.raises(BrewError, match="did you mean 'miniature'"):
        source("minature")


def test_the_miniature_holds_what_was_rendered(miniature_store):
    dataset = open_store(miniature_store)
    assert dict(zip(*np.unique(dataset["split"].values, return_counts=True), strict=True)) == {
        "pretrain": 5, "train": 3, "test": 2,
    }  # fmt: skip
    ids = torch.from_numpy(dataset["identity"].values)
    again = render(ids[[9, 2]], SETTINGS.seed, size=16, optical_ratio=2)
    for name in PRODUCTS:
        assert (dataset[name].values[[9, 2]] == again[name].numpy()).all(), name
    assert dataset["hash"].values[2] == content_hash(again["multispectral"][1].numpy(), again["optical"][1].numpy())
    assert dataset.attrs["materials"] == list(legends.MATERIALS)


def test_splits_of_the_miniature_share_no_scene(miniature_store):
    sides = [image_hashes(miniature_store, [split]) for split in ("pretrain", "train", "test")]
    assert [len(each) for each in sides] == [5, 3, 2] and len(set.union(*sides)) == 10


def test_a_longer_split_changes_no_scene_of_the_others(miniature_store, tmp_path):
    longer = MiniatureSettings(pretrain=7, train=3, validation=1, test=2, size=16, optical_ratio=2)
    build_store("miniature", tmp_path / "longer.zarr", longer)
    assert check_source("miniature", longer) != check_source("miniature", MiniatureSettings(1, 0, 0, 0, size=16))
    for split in ("pretrain", "train", "test"):
        assert image_hashes(miniature_store, [split]) <= image_hashes(tmp_path / "longer.zarr", [split])


def test_equal_settings_give_equal_bytes(miniature_store, tmp_path):
    again = tmp_path / "miniature.zarr"
    build_store("miniature", again, SETTINGS)
    files = [path.relative_to(again) for path in again.rglob("*") if path.is_file()]
    assert len(files) > 10
    assert all((again / file).read_bytes() == (miniature_store / file).read_bytes() for file in files)


def test_an_empty_miniature_is_an_error(tmp_path):
    with pytest.raises(BrewError, match="scenes per split"):
        build_store("miniature", tmp_path / "a.zarr", MiniatureSettings(0, 0, 0, 0))
