"""Every source's small files are what its reader expects, and hold every split and the classes that fit in them."""

from pathlib import Path

import numpy as np
import pytest

from brew.compendium.rehearsal.layouts import LAYOUTS, SAMPLES, SPACENET, WITHOUT_TENTH
from brew.data.sources import spacenet1, ssl4eo
from brew.data.sources.catalogue import SOURCES
from brew.data.sources.fmow.fmow_samples import FmowSettings
from brew.data.sources.forms import FORMS
from brew.data.sources.oscd import OscdSettings
from brew.data.sources.ssl4eo import Ssl4eoSettings
from brew.data.store import open_store
from brew.evaluation.benchmarks import BENCHMARKS

pytestmark = [
    pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning"),
    pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:torchgeo"),
]
SETTINGS = {
    "fmow": FmowSettings(splits=("train", "val"), size=48, zoom=8),
    "oscd": OscdSettings(),
    "ssl4eo": Ssl4eoSettings(1, 1, size=64),
}


def test_every_benchmark_of_the_paper_has_a_layout() -> None:
    assert {entry.source for entry in BENCHMARKS.values() if entry.protocol} <= set(LAYOUTS)
    assert {"fmow", "ssl4eo"} <= set(LAYOUTS)


@pytest.mark.parametrize("name", LAYOUTS)
def test_what_is_written_is_read(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "ssl4eo":
        monkeypatch.setattr(ssl4eo, "PLACES", 2)
    LAYOUTS[name](tmp_path / name)
    store = tmp_path / "store.zarr"
    if name == "spacenet1":
        spacenet1.build(tmp_path / name, store, counts=spacenet1.Counts(*(SAMPLES[s] for s in ("train", "validation"))))
    else:
        SOURCES[name].build(tmp_path / name, store, SETTINGS.get(name, True))
    dataset = open_store(store)
    splits, counts = np.unique(dataset["split"].values, return_counts=True)
    if name in ("fmow", "ssl4eo"):
        assert splits.tolist() == ["pretrain", "validation"]
        return
    assert splits.tolist() == ["test", "train", "validation"]
    if name in FORMS and FORMS[name].dates == 1:
        expected = {"sen1floods11": WITHOUT_TENTH, "pastis": WITHOUT_TENTH, "spacenet1": SPACENET}.get(name, SAMPLES)
        assert dict(zip(splits.tolist(), counts.tolist(), strict=True)) == expected
    if name in FORMS and FORMS[name].label == "map":
        assert len(np.unique(dataset["label"].values)) == len(FORMS[name].classes)
