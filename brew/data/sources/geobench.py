"""GEO-Bench v1: one HDF5 file per sample with a data set per band, partitions as JSON.

Labels that are no map, the order of the bands and the task stand in pickles, which are read as plain data
(`brew.data.inert`). Bands go by the names that GEO-Bench gives them, so their order in a file does not matter.
The parts of the training samples that GEO-Bench names (a tenth, a hundredth ...) become variables `partition_<share>`.

Source: Lacoste et al. 2023 (arXiv 2306.03831); ServiceNow/geo-bench, geobench/dataset.py and its dataset_converters.
"""

import ast
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from brew.data.inert import Record, read_inert, to_array
from brew.data.labelled import Labelled, reading, to_native, write_labelled
from brew.data.plain import read_json
from brew.data.sources.forms import FORMS, Form
from brew.errors import BrewError
from brew.sensors import sensor

LICENCE = "CC BY-SA 4.0, as its card says; its parts keep their own"
#: Samples that tell whether a known error is there.
_FEW = 64
HOST = "https://huggingface.co/datasets/recursix/geo-bench-1.0/resolve/main"
#: Packages whose objects GEO-Bench pickles; `ccb` is its former name.
_WRITERS = frozenset({"geobench", "ccb", "affine", "rasterio", "datetime", "numpy", "collections"})

#: What GEO-Bench calls the bands. m-so2sat's radar bands are numbered too: only the whole name tells.
_RGB = {"Red": "red", "Green": "green", "Blue": "blue"}
_SENTINEL2 = {
    "01 - Coastal aerosol": "B1", "02 - Blue": "B2", "03 - Green": "B3", "04 - Red": "B4",
    "05 - Vegetation Red Edge": "B5", "06 - Vegetation Red Edge": "B6", "07 - Vegetation Red Edge": "B7",
    "08 - NIR": "B8", "08A - Vegetation Red Edge": "B8A", "09 - Water vapour": "B9", "10 - SWIR - Cirrus": "B10",
    "11 - SWIR": "B11", "12 - SWIR": "B12",
}  # fmt: skip
#: m-eurosat took EuroSAT's channels, of which B8A is the last, for ones in numerical order (geo-bench issue 28).
_EUROSAT_BANDS = _SENTINEL2 | {
    "08A - Vegetation Red Edge": "B9", "09 - Water vapour": "B10", "10 - SWIR - Cirrus": "B11", "11 - SWIR": "B12",
    "12 - SWIR": "B8A",
}  # fmt: skip
#: Cirrus is nearly black everywhere, short-wave infrared is not.
_CIRRUS = ("09 - Water vapour", "10 - SWIR - Cirrus")


@dataclass(frozen=True)
class GeobenchSet:
    """One data set of GEO-Bench v1.

    part: the archive's folder. folder: its name there. channels: bands of a file. bands: what each name of a file
    really holds. scale: to the sensor's unit. darker: two names of which the first holds the darker band, which shows
    that names are wrong in the way that `bands` mends. wrapped: its uint16 digital numbers were stored as int16, so
    that those above 32767 became negative.
    """

    part: str
    folder: str
    channels: int
    form: Form
    bands: dict[str, str] = field(default_factory=lambda: _SENTINEL2)
    scale: float = 1.0
    darker: tuple[str, str] | None = None
    wrapped: bool = False


GEOBENCH: dict[str, GeobenchSet] = {
    "m-nz-cattle": GeobenchSet("segmentation_v1.0", "m-nz-cattle", 3, FORMS["m-nz-cattle"], _RGB),
    "m-pv4ger-seg": GeobenchSet("segmentation_v1.0", "m-pv4ger-seg", 3, FORMS["m-pv4ger-seg"], _RGB),
    "m-chesapeake": GeobenchSet("segmentation_v1.0", "m-chesapeake", 4, FORMS["m-chesapeake"], _RGB),
    "m-sa-crop-type": GeobenchSet("segmentation_v1.0", "m-SA-crop-type", 13, FORMS["m-sa-crop-type"], wrapped=True),
    "m-cashew-plant": GeobenchSet("segmentation_v1.0", "m-cashew-plant", 13, FORMS["m-cashew-plant"]),
    "m-bigearthnet": GeobenchSet("classification_v1.0", "m-bigearthnet", 12, FORMS["m-bigearthnet"]),
    "m-so2sat": GeobenchSet("classification_v1.0", "m-so2sat", 18, FORMS["m-so2sat"], scale=10000.0),
    "m-eurosat": GeobenchSet(
        "classification_v1.0", "m-eurosat", 13, FORMS["m-eurosat"], _EUROSAT_BANDS, darker=_CIRRUS, wrapped=True
    ),
}


def build(root: Path, path: Path, entry: GeobenchSet) -> None:
    """The store of one data set, from the folder that its archive unpacks to or the one around it."""
    folder = root / entry.folder if (root / entry.folder).is_dir() else root
    _check_task(folder, entry)
    default = _partition(folder / "default_partition.json")
    splits = {"train": default["train"], "validation": default["valid"], "test": default["test"]}
    marks = {
        f"partition_{file.name.partition('x_')[0]}": _partition(file)["train"]
        for file in sorted(folder.glob("0.*x_train_partition.json"))
    }
    _check_errata(folder, entry, default["train"][:_FEW])
    attributes = {"source": f"GEO-Bench v1 {entry.folder}", "licence": LICENCE}
    write_labelled(path, entry.form, splits, partial(read_sample, folder, entry), attributes, marks)


def read_sample(folder: Path, entry: GeobenchSet, name: str) -> Labelled:
    """One sample; BrewError naming the file where it is damaged, or lacks a band, or has too many."""
    file = folder / f"{name}.hdf5"
    if not file.is_file():
        raise BrewError(f"{file} does not exist; expected it, as the partition lists it. Obtain the archive again")
    with reading(file), h5py.File(file) as opened:
        attributes = _attributes(opened)
        stored = {_undated(key): key for key in attributes["bands_order"]}
        if len(stored) != len(attributes["bands_order"]):
            raise BrewError(
                f"bands {attributes['bands_order']}; expected each once, of one date. Obtain the file again"
            )
        image = _image(opened, stored, entry)
        label = opened[stored["label"]][()] if "label" in stored else to_array(attributes["label"])
        return Labelled(image[None], np.squeeze(label))


def _attributes(file: h5py.File) -> dict[str, Any]:
    """What GEO-Bench pickled, which it stores as the text of a bytes literal."""
    found = read_inert(ast.literal_eval(file.attrs["pickle"]), _WRITERS)
    if not isinstance(found, dict) or "bands_order" not in found:
        raise BrewError("the attribute 'pickle' has no order of bands; expected it. Obtain the file again")
    return found


def _undated(key: str) -> str:
    """A band's name without the date that some data sets append ("02 - Blue_2019-11-05")."""
    return key.partition("_")[0]


def _image(file: h5py.File, stored: dict[str, str], entry: GeobenchSet) -> np.ndarray:
    """(band, y, x) in the sensor's order of bands."""
    bands = [name for name in stored if name != "label"]
    if len(bands) != entry.channels:
        raise BrewError(f"{len(bands)} bands ({', '.join(bands)}); expected {entry.channels}. Obtain the file again")
    of = sensor(entry.form.sensor)
    named = {entry.bands[name]: stored[name] for name in bands if name in entry.bands}
    missing = [band for band in of.band_names if band not in named]
    if missing:
        raise BrewError(f"band {', '.join(missing)} missing among {', '.join(bands)}. Obtain the file again")
    layers = {band: _layer(file[named[band]][()], entry) for band in of.band_names}
    native = [to_native(layer, of, f"band {band}", entry.scale) for band, layer in layers.items()]
    return np.stack([np.squeeze(layer) for layer in native])


def _layer(stored: np.ndarray, entry: GeobenchSet) -> np.ndarray:
    """A band as it was before it was cast to int16, if the data set's were."""
    return stored.view(np.uint16) if entry.wrapped and stored.dtype == np.int16 else stored


def _partition(file: Path) -> dict[str, list[str]]:
    if not file.is_file():
        raise BrewError(f"{file} does not exist; expected GEO-Bench's list of samples. Obtain the archive again")
    found = read_json(file)
    with reading(file):
        return {split: [str(name) for name in found[split]] for split in ("train", "valid", "test")}


def _check_errata(folder: Path, entry: GeobenchSet, names: list[str]) -> None:
    """BrewError where the few samples do not have the error that is mended: a corrected release needs no mending."""
    if entry.darker is None or not names:
        return
    dark, bright = (float(np.mean([_mean(folder / f"{name}.hdf5", band) for name in names])) for band in entry.darker)
    if dark >= bright:
        raise BrewError(
            f"{folder}: {entry.darker[0]!r} is brighter ({dark:.0f}) than {entry.darker[1]!r} ({bright:.0f}); expected "
            "the other way round, as the names are known to be wrong. If the publisher has corrected them, take them "
            "as they are (brew/data/sources/geobench.py)"
        )


def _mean(file: Path, band: str) -> float:
    with reading(file), h5py.File(file) as opened:
        return float(np.mean(opened[band][()]))


def _check_task(folder: Path, entry: GeobenchSet) -> None:
    """BrewError where the files are of a task with another number of classes: their labels would mean others."""
    file = folder / "task_specs.pkl"
    if not file.is_file():
        raise BrewError(f"{file} does not exist; expected the data set {entry.folder}. Obtain the archive again")
    with reading(file):
        task = read_inert(file.read_bytes(), _WRITERS)
        kind = task.state["label_type"] if isinstance(task, Record) and isinstance(task.state, dict) else None
        if not isinstance(kind, Record) or not isinstance(kind.state, dict):
            raise BrewError("no type of label; expected GEO-Bench's task. Obtain the archive again")
        found, expected = kind.state["n_classes"], len(entry.form.classes)
        if found != expected:
            raise BrewError(f"{found} classes; expected {expected} ({', '.join(entry.form.classes[:3])} ...)")
