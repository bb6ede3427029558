"""What a scale needs is told as present, incomplete or absent, by names and sizes alone."""

from dataclasses import replace
from pathlib import Path

import pytest

from brew import files
from brew.compendium.plan.holdings import data_holdings, holdings, weight_holdings
from brew.compendium.settings import Settings, Sources, load
from brew.data.manifest import write_manifest
from brew.data.sources.catalogue import SOURCES

NAMES = ("train/images/a.tif", "train/masks/a.tif")


@pytest.fixture
def scale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A scale of one real source of two files, which a manifest describes."""
    folder = tmp_path / "real" / "hot_buildings"
    for name in NAMES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"12345")
    monkeypatch.setenv("BREW_DATA", str(tmp_path / "real"))
    monkeypatch.setattr(files, "DATA", tmp_path / "data")
    entry = SOURCES["hot_buildings"]
    write_manifest(entry.manifest, folder, entry.patterns, entry.licence, entry.obtain)
    return replace(load("tiny"), data=Sources(hot_buildings=True))


def test_whole_data_are_present_with_their_size_and_licence(scale: Settings) -> None:
    (held,) = data_holdings(scale)
    assert (held.state, held.size, held.obtain, held.usable) == ("present", 10, "", True)
    assert "CC BY 4.0" in held.licence


@pytest.mark.parametrize("fault", ["a file less", "a file of another size"])
def test_half_of_the_data_is_incomplete_and_says_how_to_obtain_it(scale: Settings, tmp_path: Path, fault: str) -> None:
    file = tmp_path / "real" / "hot_buildings" / NAMES[1]
    file.unlink() if fault == "a file less" else file.write_bytes(b"1")
    (held,) = data_holdings(scale)
    assert held.state == "incomplete" and not held.usable
    assert NAMES[1] in held.found and "1 of 2" in held.found and held.obtain == SOURCES["hot_buildings"].obtain


@pytest.mark.parametrize("unset", [True, False])
def test_without_data_it_says_what_is_absent(scale: Settings, monkeypatch: pytest.MonkeyPatch, unset: bool) -> None:
    if unset:
        monkeypatch.delenv("BREW_DATA")
    else:
        monkeypatch.setenv("BREW_DATA", "/nowhere")
    (held,) = data_holdings(scale)
    assert held.state == "absent" and ("BREW_DATA" if unset else "/nowhere/hot_buildings") in held.found


def test_what_brew_renders_and_trains_is_made_here() -> None:
    scale = replace(load("tiny"), teacher="self-distilled")
    states = {held.name: held.state for held in holdings(scale)}
    assert states["miniature"] == states["self-distilled"] == "made here"


def test_absent_weights_say_how_to_obtain_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("brew.models.teacher_networks.try_to_load_from_cache", lambda *_: None)
    held = {each.name: each for each in weight_holdings(replace(load("tiny"), teacher="dinov3-vitb16"))}
    assert held["dinov3-vitb16"].state == "absent" and "hf download" in held["dinov3-vitb16"].obtain
    assert held["dinov3-vitb16"].licence == "DINOv3 License"
