"""GEO-Bench's HDF5 layout: written here as its own code writes it, read by name, checked before anything is built."""

import json
import pickle
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import h5py
import numpy as np
import pytest

from brew.data.sources import geobench
from brew.data.sources.geobench import GEOBENCH
from brew.data.store import open_store
from brew.errors import BrewError
from brew.sensors import SENSORS

SIZE = 8
MEMBERS = [f"id_000{place}" for place in range(5)]
NAMES = {"train": ["id_0000", "id_0001", "id_0002"], "valid": ["id_0003"], "test": ["id_0004"]}
#: GEO-Bench's own lists of bands (geobench/dataset.py).
SENTINEL2 = (
    "01 - Coastal aerosol", "02 - Blue", "03 - Green", "04 - Red", "05 - Vegetation Red Edge",
    "06 - Vegetation Red Edge", "07 - Vegetation Red Edge", "08 - NIR", "08A - Vegetation Red Edge",
    "09 - Water vapour", "10 - SWIR - Cirrus", "11 - SWIR", "12 - SWIR",
)  # fmt: skip
SENTINEL1 = (
    "01 - VH.Real", "02 - VH.Imaginary", "03 - VV.Real", "04 - VV.Imaginary", "05 - VH.LEE Filtered",
    "06 - VV.LEE Filtered", "07 - VH.LEE Filtered.Real", "08 - VV.LEE Filtered.Imaginary",
)  # fmt: skip
WITHOUT_CIRRUS = tuple(name for name in SENTINEL2 if "Cirrus" not in name)
FILES = {
    "m-nz-cattle": ("Red_2017-01-01", "Green_2017-01-01", "Blue_2017-01-01"),
    "m-pv4ger-seg": ("Red", "Green", "Blue"),
    "m-chesapeake": ("Red", "Green", "Blue", "NearInfrared"),
    "m-sa-crop-type": (*WITHOUT_CIRRUS, "Cloud Probability"),
    "m-cashew-plant": tuple(f"{name}_2019-11-05" for name in (*WITHOUT_CIRRUS, "Cloud Probability")),
    "m-bigearthnet": WITHOUT_CIRRUS,
    "m-so2sat": SENTINEL1 + SENTINEL2[1:9] + SENTINEL2[-2:],
    "m-eurosat": SENTINEL2,
}
DTYPES = {"m-sa-crop-type": "int16", "m-eurosat": "int16", "m-nz-cattle": "uint8", "m-pv4ger-seg": "uint8"}


@pytest.fixture(autouse=True)
def package(monkeypatch):
    """Stand-ins for the classes that GEO-Bench pickles, which a reader of the files does not have."""
    module = ModuleType("geobench.dataset")
    monkeypatch.setitem(sys.modules, "geobench", ModuleType("geobench"))
    monkeypatch.setitem(sys.modules, "geobench.dataset", module)
    for name in ("SpectralBand", "SegmentationClasses", "Classification", "TaskSpecifications"):
        setattr(module, name, type(name, (), {"__module__": "geobench.dataset"}))
    yield module
    for name in ("geobench", "geobench.dataset"):
        monkeypatch.delitem(sys.modules, name)


def made(package, kind: str, /, **state):
    instance = getattr(package, kind)()
    instance.__dict__.update(state)
    return instance


def write_sample(package, file: Path, bands: dict[str, np.ndarray], label, date=None):
    """As `write_sample_hdf5` of geobench/dataset.py does."""
    with h5py.File(file, "w") as opened:
        attributes = {} if isinstance(label, np.ndarray) and label.ndim == 2 else {"label": label}
        layers = dict(bands) if attributes else bands | {f"label{date or ''}": label}
        for key, data in layers.items():
            opened.create_dataset(name=key, data=data)
            info = made(package, "SpectralBand", name=key, wavelength=0.49, alt_names=("2", "02", "blue"))
            attributes[key] = {"date": None, "band_info": info, "spatial_resolution": np.float64(10), "transform": None}
        attributes["bands_order"] = list(layers)
        opened.attrs["pickle"] = str(pickle.dumps(attributes))


def pixels(name: str, place: int, channel: int) -> np.ndarray:
    """Values that tell sample and channel."""
    values = np.random.default_rng([place, channel]).integers(1, 9, (SIZE, SIZE)) + 10 * channel + 100 * (place % 2)
    if name == "m-so2sat":
        return (values / 10000).astype(np.float32)
    return values.astype(DTYPES.get(name, "float32"))


def label_of(name: str, place: int):
    classes = len(GEOBENCH[name].form.classes)
    if GEOBENCH[name].form.label == "class":
        return place % classes
    if GEOBENCH[name].form.label == "classes":
        return (np.arange(classes) % 5 == place).astype(np.int64)
    return np.full((SIZE, SIZE), place % classes, np.int16)


@pytest.fixture
def write(package, tmp_path):
    """Writes a data set with a few samples, in the folder that its archive unpacks to."""

    def written(name: str) -> Path:
        entry = GEOBENCH[name]
        folder = tmp_path / name / entry.folder
        folder.mkdir(parents=True)
        for place, sample in enumerate(MEMBERS):
            bands = {key: pixels(name, place, channel) for channel, key in enumerate(FILES[name])}
            date = "_2017-01-01" if name == "m-nz-cattle" else None
            write_sample(package, folder / f"{sample}.hdf5", bands, label_of(name, place), date)
        (folder / "default_partition.json").write_text(json.dumps(NAMES))
        (folder / "0.10x_train_partition.json").write_text(json.dumps(NAMES | {"train": ["id_0002"]}))
        (folder / "1.00x_train_partition.json").write_text(json.dumps(NAMES))
        label_type = made(package, "Classification", n_classes=len(entry.form.classes))
        task = made(package, "TaskSpecifications", dataset_name=name, label_type=label_type, patch_size=(SIZE, SIZE))
        (folder / "task_specs.pkl").write_bytes(pickle.dumps(task, protocol=4))
        return tmp_path / name

    return written


def small(name: str) -> geobench.GeobenchSet:
    return replace(GEOBENCH[name], form=replace(GEOBENCH[name].form, size=SIZE))


def refused(root: Path, name: str, match: str):
    with pytest.raises(BrewError, match=match):
        geobench.build(root, root.parent / "store.zarr", small(name))
    assert not list(root.parent.glob("*store.zarr"))


@pytest.mark.parametrize("name", GEOBENCH)
def test_every_set_becomes_a_store_with_its_bands_by_name(name, write, tmp_path, monkeypatch):
    geobench.build(write(name), tmp_path / "store.zarr", small(name))
    dataset, form = open_store(tmp_path / "store.zarr"), GEOBENCH[name].form
    assert dataset["split"].values.tolist() == ["train"] * 3 + ["validation", "test"]
    assert dataset["origin"].values.tolist() == MEMBERS
    assert dataset["partition_0.10"].values.tolist() == [0, 0, 1, 0, 0]
    assert "partition_1.00" not in dataset and len(set(dataset["hash"].values)) == 5
    for place, label in enumerate(dataset["label"].values):
        np.testing.assert_array_equal(label, label_of(name, place))
    images = dataset[form.images].values
    assert images.shape == (5, 1, len(SENSORS[form.sensor]), SIZE, SIZE)
    scale = GEOBENCH[name].scale
    for band, held in zip(SENSORS[form.sensor].band_names, images[4, 0], strict=True):
        (key,) = (key for key, of in GEOBENCH[name].bands.items() if of == band)
        channel = [each.partition("_")[0] for each in FILES[name]].index(key)
        np.testing.assert_array_equal(held, np.rint(pixels(name, 4, channel) * scale))


def test_eurosats_channels_go_by_what_they_hold(write, tmp_path):
    """EuroSAT's thirteen channels end with B8A (torchgeo's `EuroSAT.all_band_names`); the files' names do not know."""
    from torchgeo.datasets import EuroSAT

    geobench.build(write("m-eurosat"), tmp_path / "store.zarr", small("m-eurosat"))
    dataset = open_store(tmp_path / "store.zarr")
    for band in SENSORS["sentinel2"].band_names:
        true = EuroSAT.all_band_names.index(f"B{band[1:].zfill(2)}")
        held = dataset["multispectral"].sel(band=band).values[0, 0]
        np.testing.assert_array_equal(held, pixels("m-eurosat", 0, true))
    assert EuroSAT.all_band_names.index("B8A") == 12


def test_a_corrected_eurosat_is_not_mended_again(write):
    root = write("m-eurosat")
    for file in (root / "m-eurosat").glob("*.hdf5"):
        with h5py.File(file, "a") as opened:
            dark, bright = opened["09 - Water vapour"][()], opened["10 - SWIR - Cirrus"][()]
            opened["09 - Water vapour"][()], opened["10 - SWIR - Cirrus"][()] = bright, dark
    refused(root, "m-eurosat", "'09 - Water vapour' is brighter .* If the publisher has corrected them")


@pytest.mark.parametrize("name", ["m-eurosat", "m-cashew-plant"])
def test_bright_values_that_were_cast_to_int16_come_back_only_where_they_were(name, write, package):
    root = write(name) / name
    bands = {key: np.full((SIZE, SIZE), 40000, np.uint16).view(np.int16) for key in FILES[name]}
    write_sample(package, root / "id_0000.hdf5", bands, label_of(name, 0))
    if GEOBENCH[name].wrapped:
        assert (geobench.read_sample(root, small(name), "id_0000").image == 40000).all()
    else:
        with pytest.raises(BrewError, match=r"id_0000\.hdf5: band B4: values from -25536"):
            geobench.read_sample(root, small(name), "id_0000")


def test_so2sats_radar_bands_are_not_mistaken(write, tmp_path):
    """`02 - VH.Imaginary` and `02 - Blue` share a number."""
    sample = geobench.read_sample(write("m-so2sat") / "m-so2sat", small("m-so2sat"), "id_0000")
    blue = sample.image[0, SENSORS["sentinel2"].band_names.index("B2")]
    assert FILES["m-so2sat"].index("02 - Blue") == 8 and (blue // 10 == 8).all()


def test_a_malicious_attribute_is_refused_and_not_run(write, tmp_path):
    root, trace = write("m-eurosat"), tmp_path / "trace"

    class Malicious:
        def __reduce__(self):
            return eval, (f"open({str(trace)!r}, 'w')",)

    with h5py.File(root / "m-eurosat" / "id_0001.hdf5", "a") as file:
        file.attrs["pickle"] = str(pickle.dumps({"bands_order": Malicious()}))
    refused(root, "m-eurosat", r"id_0001\.hdf5: a pickle that names builtins\.eval.*malicious")
    with h5py.File(root / "m-eurosat" / "id_0001.hdf5", "a") as file:
        file.attrs["pickle"] = f"open({str(trace)!r}, 'w')"
    refused(root, "m-eurosat", r"id_0001\.hdf5 cannot be read")
    assert not trace.exists()


def test_bad_samples_are_named(write, package):
    root = write("m-eurosat")
    file = root / "m-eurosat" / "id_0003.hdf5"
    bands = {key: pixels("m-eurosat", 7, channel) for channel, key in enumerate(SENTINEL2)}
    write_sample(package, file, {key: bands[key] for key in WITHOUT_CIRRUS}, 3)
    refused(root, "m-eurosat", r"id_0003\.hdf5: 12 bands .*; expected 13")
    write_sample(package, file, {key.replace("Blue", "Indigo"): value for key, value in bands.items()}, 3)
    refused(root, "m-eurosat", r"id_0003\.hdf5: band B2 missing among .*Indigo")
    write_sample(package, file, bands, 10)
    refused(root, "m-eurosat", r"id_0003: labels \[10\] to 10.*from 0 to 9")
    write_sample(package, file, bands, "River")
    refused(root, "m-eurosat", r"id_0003\.hdf5: a pickle holds 'River' where numbers")
    write_sample(package, file, {key: value / np.float32(10000) for key, value in bands.items()}, 3)
    refused(root, "m-eurosat", r"id_0003\.hdf5: band B4: .*reflectance")
    write_sample(package, file, {key: value[:, :4] for key, value in bands.items()}, 3)
    refused(root, "m-eurosat", r"id_0003: image of \(1, 10, 8, 4\).*expected \(1, 10, 8, 8\)")
    file.write_bytes(file.read_bytes()[:-200])
    refused(root, "m-eurosat", r"id_0003\.hdf5 cannot be read .*truncated")
    file.unlink()
    refused(root, "m-eurosat", r"id_0003\.hdf5 does not exist")


def test_bad_lists_are_named(write, package):
    root = write("m-cashew-plant")
    folder, default = root / "m-cashew-plant", root / "m-cashew-plant" / "default_partition.json"
    default.write_text(json.dumps(NAMES | {"valid": []}))
    refused(root, "m-cashew-plant", "the validation split is empty")
    default.write_text(json.dumps(NAMES | {"test": ["id_0000"]}))
    refused(root, "m-cashew-plant", "'id_0000' stands in splits 'train' and 'test'")
    default.write_text("{")
    refused(root, "m-cashew-plant", r"default_partition\.json is no JSON")
    default.write_text(json.dumps(NAMES))
    (folder / "0.01x_train_partition.json").write_text(json.dumps(NAMES | {"train": ["id_0004"]}))
    refused(root, "m-cashew-plant", r"partition_0\.01 holds 'id_0004', which does not train")
    (folder / "0.01x_train_partition.json").unlink()
    task = made(package, "TaskSpecifications", label_type=made(package, "Classification", n_classes=3))
    (folder / "task_specs.pkl").write_bytes(pickle.dumps(task))
    refused(root, "m-cashew-plant", "3 classes; expected 7")
    (folder / "task_specs.pkl").unlink()
    refused(root, "m-cashew-plant", r"task_specs\.pkl does not exist")


def test_one_image_in_two_splits_is_an_error(write):
    root = write("m-pv4ger-seg") / "m-pv4ger-seg"
    (root / "id_0004.hdf5").write_bytes((root / "id_0001.hdf5").read_bytes())
    refused(root, "m-pv4ger-seg", r"id_0001 \(train\) and id_0004 \(test\) hold the same image")
