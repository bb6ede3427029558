"""Samples that GEO-Bench's own package writes: brew reads the pixels and labels that the package reads.

Skipped if `geobench` is absent: its pins keep it out of brew's environment (`pip install --no-deps geobench==1.0.0`).
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from brew.data.sources import geobench
from brew.data.sources.geobench import GEOBENCH
from brew.data.store import open_store
from brew.sensors import SENSORS

theirs = pytest.importorskip("geobench.dataset", reason="geobench is not installed")
SIZE = 8
SPLITS = {"train": ["id_0000", "id_0001"], "valid": ["id_0002"], "test": ["id_0003"]}
NAMES = [name for names in SPLITS.values() for name in names]


def bands(name: str) -> list:
    every = list(theirs.sentinel2_13_bands)
    if name == "m-eurosat":
        return every
    return [band for band in every if "Cirrus" not in band.name] + [theirs.CloudProbability(spatial_resolution=10)]


def label_type(name: str):
    from geobench.label import Classification

    classes = len(GEOBENCH[name].form.classes)
    if GEOBENCH[name].form.label == "class":
        return Classification(classes)
    return theirs.SegmentationClasses("label", 10, n_classes=classes)


def sample_of(name: str, place: int, kind):
    """With values that tell sample, band and pixel. What EuroSAT's files call water vapour is dark: it holds cirrus."""
    draws, darker = np.random.default_rng(place), (GEOBENCH[name].darker or ("",))[0]
    layers = [
        theirs.Band(draws.integers(1, 99 if info.name == darker else 9000, (SIZE, SIZE)).astype(np.int16), info, 10.0)
        for info in bands(name)
    ]
    label = place % 3
    if GEOBENCH[name].form.label != "class":
        label = theirs.Band(draws.integers(0, 3, (SIZE, SIZE)).astype(np.int16), kind, 10.0)
    return theirs.Sample(layers, label, NAMES[place])


def written(name: str, root: Path) -> Path:
    from geobench.task import TaskSpecifications

    folder, kind = root / GEOBENCH[name].folder, label_type(name)
    folder.mkdir(parents=True)
    for place in range(len(NAMES)):
        sample_of(name, place, kind).write(str(folder))
    for part in ("default", "0.10x_train", "1.00x_train"):
        theirs.Partition(SPLITS).save(str(folder), part)
    TaskSpecifications(name, bands(name), 10.0, "converted", (SIZE, SIZE), 1, kind).save(str(folder))
    return folder


@pytest.mark.parametrize("name", ["m-eurosat", "m-sa-crop-type"])
def test_brew_and_geobench_read_the_same_samples(name: str, tmp_path: Path) -> None:
    folder = written(name, tmp_path / name)
    entry = replace(GEOBENCH[name], form=replace(GEOBENCH[name].form, size=SIZE))
    geobench.build(tmp_path / name, tmp_path / "store.zarr", entry)
    ours = open_store(tmp_path / "store.zarr")
    assert ours["origin"].values.tolist() == NAMES
    for place, sample in enumerate(NAMES):
        same = theirs.load_sample(folder / f"{sample}.hdf5", format="hdf5")
        layers = {layer.band_info.name: layer.data for layer in same.bands}
        for channel, band in enumerate(SENSORS[entry.form.sensor].band_names):
            (key,) = (key for key, held in entry.bands.items() if held == band)  # EuroSAT's names hold other bands
            assert np.array_equal(ours[entry.form.images].values[place, 0, channel], layers[key]), band
        label = same.label.data if isinstance(same.label, theirs.Band) else same.label
        assert np.array_equal(ours["label"].values[place], label)
