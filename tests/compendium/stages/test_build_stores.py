"""Stage `data` with a real benchmark that a scale lists: built, looked at, opened for its task."""

import shutil
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest

from brew import files
from brew.compendium.report.pictures import false_colour, true_colour
from brew.compendium.settings import Sources, load
from brew.compendium.stages import Stage, build_stores
from brew.data.manifest import write_manifest
from brew.data.miniature.miniature_store import MiniatureSettings
from brew.data.sources.catalogue import SOURCES
from brew.data.store import ArrayReader
from brew.errors import BrewError
from brew.evaluation.benchmark_stores import open_benchmark
from brew.evaluation.benchmarks import BENCHMARKS
from brew.files import ROOT, Layout


@pytest.fixture
def stage(tmp_path, monkeypatch) -> Stage:
    monkeypatch.setattr(files, "DATA", tmp_path)
    monkeypatch.setattr(files, "REPORTS", tmp_path)
    yield Stage(load("tiny"), Layout("tiny"))
    plt.close("all")


def with_sources(stage: Stage, sources: Sources) -> Stage:
    return replace(stage, settings=replace(stage.settings, data=sources))


def test_a_listed_benchmark_is_built_and_opened(stage, brew_data, tmp_path):
    if not (brew_data / "bigearthnet_v2").is_dir():
        pytest.skip("BREW_DATA has no bigearthnet_v2")
    shutil.copytree(ROOT / "data" / "manifests", tmp_path / "manifests")
    stage = with_sources(stage, Sources(benchmarks=("bigearthnet-v2",)))
    table = build_stores.build(stage)
    assert dict(zip(table["split"], table["samples"], strict=True)) == {"test": 2, "train": 5, "validation": 2}
    build_stores.look(stage, scenes=2)
    build_stores.spectra(stage)
    assert "images of bigearthnet-v2" in (stage.layout.write("data") / "scenes.json").read_text()
    assert [entry.name for entry in stage.benchmarks("classification")] == ["bigearthnet-v2"]
    opened = open_benchmark(BENCHMARKS["bigearthnet-v2"], stage.layout.store("bigearthnet-v2"))
    assert opened.images.shape == (9, 1, 10, 120, 120) and opened.labels.shape == (9, 19)


def _small(stage: Stage) -> Stage:
    return with_sources(stage, Sources(miniature=MiniatureSettings(0, 1, 1, 1, size=16, optical_ratio=2)))


def test_exploring_leaves_the_store_alone(stage, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "SCRATCH", tmp_path / "scratch")
    explored = _small(replace(stage, layout=Layout("tiny", explore=True)))
    build_stores.build(explored)
    figure = build_stores.look(explored, scenes=3)
    pairs = ArrayReader(explored.layout.write("data") / "miniature.zarr", "multispectral").read(np.arange(3))
    for row, colours in ((3, lambda date: true_colour(date, "sentinel2")), (6, false_colour)):
        for axis, pair in zip(figure.axes[row:], pairs, strict=False):
            np.testing.assert_array_equal(axis.get_images()[0].get_array(), colours(pair[0]))
    assert list(tmp_path.iterdir()) == [tmp_path / "scratch"]


def test_the_miniature_has_all_six_benchmarks(stage):
    stage = _small(stage)
    build_stores.build(stage)
    for task in ("segmentation", "change", "classification"):
        for entry in stage.benchmarks(task):
            opened = open_benchmark(entry, stage.layout.store("miniature"))
            assert len(opened.labels) == 3 and opened.images.shape[1] == 2, entry.name
            if entry.multilabel:
                assert opened.labels.shape == (3, len(entry.classes)) and set(opened.labels.ravel()) <= {0, 1}
    assert len(stage.benchmarks("change")) == 2


def test_a_scale_without_multispectral_images_says_so(stage):
    with pytest.raises(BrewError, match="no multispectral images among no sources"):
        build_stores.look(with_sources(stage, Sources()))


def test_half_of_a_benchmark_is_told_before_any_store_is_built(stage, tmp_path, monkeypatch):
    folder, entry = tmp_path / "real" / "hot_buildings", SOURCES["hot_buildings"]
    for name in ("train/images/a.tif", "train/masks/a.tif"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"12345")
    monkeypatch.setenv("BREW_DATA", str(tmp_path / "real"))
    write_manifest(entry.manifest, folder, entry.patterns, entry.licence, entry.obtain)
    (folder / "train/masks/a.tif").unlink()
    both = Sources(miniature=MiniatureSettings(0, 1, 1, 1, size=16, optical_ratio=2), hot_buildings=True)
    with pytest.raises(BrewError, match=r"train/masks/a\.tif is missing"):
        build_stores.build(with_sources(stage, both))
    assert not stage.layout.store("miniature").exists()
