"""The benchmark that docs/benchmarks.md adds by example: its four blocks, run, built and opened for their task."""

import re
import sys
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest
import rasterio

from brew import files
from brew.compendium.settings import Sources, load
from brew.compendium.stages import Stage, build_stores
from brew.data.manifest import write_manifest
from brew.data.sources import catalogue, forms
from brew.evaluation import benchmarks
from brew.evaluation.benchmark_stores import open_benchmark
from brew.evaluation.benchmark_tables import PAGE
from brew.evaluation.benchmarks import BENCHMARKS
from brew.files import Layout

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


@pytest.fixture
def orchards(tmp_path, monkeypatch):
    """The page's blocks, each in the module that its first line names; the tables are as before afterwards."""
    blocks = re.findall(r"```python\n# (brew/\S+\.py)(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    assert [name for name, _ in blocks] == [
        "brew/data/sources/forms.py",
        "brew/data/sources/orchards.py",
        "brew/data/sources/catalogue.py",
        "brew/evaluation/benchmarks.py",
    ]
    for table in (forms.FORMS, catalogue.SOURCES, BENCHMARKS):
        monkeypatch.setitem(table, "orchards", None)
    module = ModuleType("brew.data.sources.orchards")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for where, (_, text) in zip((forms, module, catalogue, benchmarks), blocks, strict=True):
        namespace = module.__dict__ if where is module else {**vars(where), "orchards": module}
        exec(text.partition("\n")[2], namespace)
    return module


@pytest.fixture
def stage(tmp_path, monkeypatch) -> Stage:
    for name in ("DATA", "REPORTS"):
        monkeypatch.setattr(files, name, tmp_path)
    monkeypatch.setenv("BREW_DATA", str(tmp_path))
    generator = np.random.default_rng(0)
    for split in ("train", "validation", "test"):
        for name, bands in ((f"{split}/a", 10), (f"{split}/a_mask", 1)):
            file = tmp_path / "orchards" / f"{name}.tif"
            file.parent.mkdir(parents=True, exist_ok=True)
            profile = {"driver": "GTiff", "count": bands, "height": 64, "width": 64}
            values = generator.integers(0, 2 if bands == 1 else 9999, (bands, 64, 64)).astype("uint16")
            with rasterio.open(file, "w", dtype="uint16", **profile) as opened:
                opened.write(values)
    return Stage(load("tiny"), Layout("tiny"))


def test_the_example_of_the_page_becomes_a_benchmark(orchards, stage, tmp_path):
    entry = catalogue.SOURCES["orchards"]
    write_manifest(entry.manifest, entry.root(), entry.patterns, entry.licence, entry.obtain)
    settings = replace(stage.settings, data=Sources(benchmarks=("orchards",)))
    stage = replace(stage, settings=settings)
    table = build_stores.build(stage)
    assert sorted(table["split"]) == ["test", "train", "validation"]
    assert [each.name for each in stage.benchmarks("segmentation")] == ["orchards"]
    opened = open_benchmark(BENCHMARKS["orchards"], stage.layout.store("orchards"))
    assert opened.images.shape == (3, 1, 10, 64, 64) and opened.labels.shape == (3, 64, 64)
    with rasterio.open(tmp_path / "orchards" / "test" / "a_mask.tif") as mask:
        np.testing.assert_array_equal(opened.labels[2], mask.read(1))
