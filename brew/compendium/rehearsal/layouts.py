"""LAYOUTS: a few samples of every source in its published layout on disk, written from random numbers.

The files are what readers expect of the real ones: names, folders, bands, types, sizes of a sample, lists of splits.
Labels are drawn from all classes, in squares, so that every class is there and no metric is empty. Nothing can be
learned from them, and nothing that is scored on them is a result.

Adding a source is one writer here. Sources: the readers beside `brew.data.sources.catalogue`, which cite the layouts.
"""

import csv
import json
import pickle
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import h5py
import numpy as np
import rasterio
import xarray as xr
import zarr
from PIL import Image
from rasterio.errors import NotGeoreferencedWarning
from rasterio.transform import Affine

from brew.data.sources import geobench, oscd, sen1floods11, ssl4eo
from brew.data.sources.forms import FORMS, Form

#: Samples of each split of a benchmark.
SAMPLES = {"train": 4, "validation": 2, "test": 2}
#: Of a benchmark that names no tenth of its training samples: two are a tenth, on which a decoder can be trained.
WITHOUT_TENTH = SAMPLES | {"train": 16}
#: Of SpaceNet 1, whose test images stage `similarity` compares: half of them are enough for debiased CKA.
SPACENET = SAMPLES | {"test": 8}
#: Pixels per side of a labelled square.
_SQUARE = 8
#: Sides of OSCD's cities here; the published ones have 241 to 1180 pixels.
_CITY = (96, 110)
#: Of a patch of PASTIS; the published ones have 38 to 61.
_DAYS = (20181017, 20190117, 20190417, 20190717)
#: Pixels of SSL4EO-S12 that are alike, along each side.
_COARSE = 33
#: GEO-Bench's names of bands, in the order of its files.
_SENTINEL2 = (
    "01 - Coastal aerosol", "02 - Blue", "03 - Green", "04 - Red", "05 - Vegetation Red Edge",
    "06 - Vegetation Red Edge", "07 - Vegetation Red Edge", "08 - NIR", "08A - Vegetation Red Edge",
    "09 - Water vapour", "10 - SWIR - Cirrus", "11 - SWIR", "12 - SWIR",
)  # fmt: skip
_WITHOUT_CIRRUS = tuple(name for name in _SENTINEL2 if "Cirrus" not in name)
_SENTINEL1 = (
    "01 - VH.Real", "02 - VH.Imaginary", "03 - VV.Real", "04 - VV.Imaginary", "05 - VH.LEE Filtered",
    "06 - VV.LEE Filtered", "07 - VH.LEE Filtered.Real", "08 - VV.LEE Filtered.Imaginary",
)  # fmt: skip


@dataclass(frozen=True)
class Stored:
    """How GEO-Bench stores a set. bands: of a file, in its order. dtype: of their numbers."""

    bands: tuple[str, ...]
    dtype: str = "float32"


_GEOBENCH = {
    "m-nz-cattle": Stored(("Red_2017-01-01", "Green_2017-01-01", "Blue_2017-01-01"), "uint8"),
    "m-pv4ger-seg": Stored(("Red", "Green", "Blue"), "uint8"),
    "m-chesapeake": Stored(("Red", "Green", "Blue", "NearInfrared")),
    "m-sa-crop-type": Stored((*_WITHOUT_CIRRUS, "Cloud Probability"), "int16"),
    "m-cashew-plant": Stored(tuple(f"{name}_2019-11-05" for name in (*_WITHOUT_CIRRUS, "Cloud Probability"))),
    "m-bigearthnet": Stored(_WITHOUT_CIRRUS),
    "m-so2sat": Stored(_SENTINEL1 + _SENTINEL2[1:9] + _SENTINEL2[-2:]),
    "m-eurosat": Stored(_SENTINEL2, "int16"),
}


class Draw:
    """Random numbers of one source, the same in every rehearsal."""

    def __init__(self, name: str):
        self.generator = np.random.default_rng(list(name.encode()))

    def image(self, *shape: int, top: int = 4000, dtype: str = "uint16") -> np.ndarray:
        """Numbers from 1 on; no two images are alike."""
        return self.generator.integers(1, top, shape).astype(dtype)

    def labels(self, *sides: int, classes: int, first: int = 0) -> np.ndarray:
        """Squares of random classes; the first squares hold every class once."""
        rows, columns = (-(-side // _SQUARE) for side in sides)
        squares = self.generator.integers(0, classes, (rows, columns))
        count = min(classes, squares.size)
        squares.flat[:count] = self.generator.permutation(classes)[:count]
        whole = squares.repeat(_SQUARE, 0).repeat(_SQUARE, 1)[: sides[0], : sides[1]]
        return whole + first


def tif(path: Path, values: np.ndarray, **profile: Any) -> None:
    """Values (band, y, x) as a GeoTIFF."""
    path.parent.mkdir(parents=True, exist_ok=True)
    bands, height, width = values.shape
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)  # the published chips of several sources have no place
        with rasterio.open(
            path, "w", driver="GTiff", count=bands, height=height, width=width, dtype=values.dtype, **profile
        ) as file:
            file.write(values)


def picture(path: Path, values: np.ndarray) -> None:
    """Values (y, x) or (y, x, 3) of uint8 as the picture that the name's ending says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)


def _members(samples: Mapping[str, int] = SAMPLES) -> dict[str, list[str]]:
    """Numbers of samples, by split."""
    numbers = iter(range(1, sum(samples.values()) + 1))
    return {split: [str(next(numbers)) for _ in range(count)] for split, count in samples.items()}


def write_spacenet1(root: Path) -> None:
    draw, folder = Draw("spacenet1"), root / "SN1_buildings" / "train"
    step, west, north = 5e-6, -43.77, -22.92
    (folder / "geojson").mkdir(parents=True)
    for number in (each for members in _members(SPACENET).values() for each in members):
        place = Affine(step, 0, west, 0, -step, north)
        pixels = draw.image(3, 406, 439, top=255, dtype="uint8")
        tif(folder / "3band" / f"3band_AOI_1_RIO_img{number}.tif", pixels, crs="EPSG:4326", transform=place)
        (x, y), (wide, high) = draw.generator.integers(0, 200, 2), draw.generator.integers(50, 200, 2)
        ring = [
            [west + (x + dx * wide) * step, north - (y + dy * high) * step]
            for dx, dy in ((0, 0), (1, 0), (1, 1), (0, 1), (0, 0))
        ]
        house = {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [ring]}}
        houses = {"type": "FeatureCollection", "features": [house]}
        (folder / "geojson" / f"Geo_AOI_1_RIO_img{number}.geojson").write_text(json.dumps(houses))


def write_sen1floods11(root: Path) -> None:
    draw, size = Draw("sen1floods11"), FORMS["sen1floods11"].size
    for split, numbers in _members(WITHOUT_TENTH).items():
        chips = [f"Ghana_{number}" for number in numbers]
        listed = root / sen1floods11.LISTS[split]
        listed.parent.mkdir(parents=True, exist_ok=True)
        listed.write_text("".join(f"{chip}_S1Hand.tif,{chip}_LabelHand.tif\n" for chip in chips))
        for chip in chips:
            image, label = (root / file for file in sen1floods11.files(chip))
            tif(image, draw.image(13, size, size, dtype="int16"))
            tif(label, draw.labels(size, size, classes=3, first=-1)[None].astype(np.int16))


def write_pastis(root: Path) -> None:
    draw, form, folder = Draw("pastis"), FORMS["pastis"], root / "PASTIS-R"
    for name in ("DATA_S2", "ANNOTATIONS"):
        (folder / name).mkdir(parents=True)
    features = []
    for split, folds in {"train": (1, 2, 3), "validation": (4,), "test": (5,)}.items():
        for place in range(WITHOUT_TENTH[split]):
            fold = folds[place % len(folds)]
            patch = 10000 * fold + place
            np.save(
                folder / "DATA_S2" / f"S2_{patch}.npy", draw.image(len(_DAYS), 10, form.size, form.size, dtype="int16")
            )
            labels = draw.labels(form.size, form.size, classes=len(form.classes))
            np.save(folder / "ANNOTATIONS" / f"TARGET_{patch}.npy", np.stack([labels] * 3))
            shape = {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]}
            dates = {str(number): day for number, day in enumerate(_DAYS)}
            facts = {"ID_PATCH": patch, "Fold": fold, "dates-S2": dates}
            features.append({"type": "Feature", "properties": facts, "geometry": shape, "id": str(patch)})
    (folder / "metadata.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))


def write_oscd(root: Path) -> None:
    """Every city of the split, for the split is part of the tree."""
    draw = Draw("oscd")
    top = "Onera Satellite Change Detection dataset -"
    for split, cities in oscd.read_splits().items():
        for city in cities:
            for date in (1, 2):
                for band in [*(f"B{number:02d}" for number in range(1, 13)), "B8A"]:
                    tif(root / f"{top} Images" / city / f"imgs_{date}_rect" / f"{band}.tif", draw.image(1, *_CITY))
            part = "Test" if split == "test" else "Train"
            change = draw.labels(*_CITY, classes=2).astype(np.uint8) * 255
            picture(root / f"{top} {part} Labels" / city / "cm" / "cm.png", change)


def write_levir_cd(root: Path) -> None:
    """One pair a split: a pair has sixteen tiles."""
    draw = Draw("levir-cd")
    for name in ("train_1", "val_1", "test_1"):
        for date in "AB":
            picture(root / date / f"{name}.png", draw.image(1024, 1024, 3, top=255, dtype="uint8"))
        picture(root / "label" / f"{name}.png", draw.labels(1024, 1024, classes=2).astype(np.uint8) * 255)


def write_geobench(name: str, root: Path) -> None:
    """As `geobench` writes its files, with stand-ins for the classes that it pickles."""
    entry, draw, stored = geobench.GEOBENCH[name], Draw(name), _GEOBENCH[name]
    folder = root / entry.folder
    folder.mkdir(parents=True)
    members = {split: [f"id_{number}" for number in numbers] for split, numbers in _members().items()}
    partition = {"train": members["train"], "valid": members["validation"], "test": members["test"]}
    (folder / "default_partition.json").write_text(json.dumps(partition))
    tenth = json.dumps(partition | {"train": members["train"][:2]})
    (folder / "0.10x_train_partition.json").write_text(tenth)
    with _geobench_classes() as made:
        for sample in (each for group in members.values() for each in group):
            _write_geobench_sample(folder / f"{sample}.hdf5", entry.form, draw, stored, made)
        label_type = made("Classification", n_classes=len(entry.form.classes))
        size = (entry.form.size, entry.form.size)
        task = made("TaskSpecifications", dataset_name=name, label_type=label_type, patch_size=size)
        (folder / "task_specs.pkl").write_bytes(pickle.dumps(task, protocol=4))


def _write_geobench_sample(file: Path, form: Form, draw: Draw, stored: Stored, made: Callable[..., Any]) -> None:
    layers = {band: _geobench_layer(band, form, draw, stored) for band in stored.bands}
    attributes: dict[str, Any] = {}
    if form.label == "map":
        dated = stored.bands[0].partition("_")[2]
        layers["label" + (f"_{dated}" if form.sensor == "rgb" and dated else "")] = draw.labels(
            form.size, form.size, classes=len(form.classes)
        ).astype(np.int16)
    elif form.label == "class":
        attributes["label"] = int(draw.generator.integers(len(form.classes)))
    else:
        attributes["label"] = draw.generator.integers(0, 2, len(form.classes))
    with h5py.File(file, "w") as opened:
        for key, data in layers.items():
            opened.create_dataset(name=key, data=data)
            band = made("SpectralBand", name=key, wavelength=0.49, alt_names=())
            attributes[key] = {"date": None, "band_info": band, "spatial_resolution": 10.0, "transform": None}
        attributes["bands_order"] = list(layers)
        opened.attrs["pickle"] = str(pickle.dumps(attributes))


def _geobench_layer(band: str, form: Form, draw: Draw, stored: Stored) -> np.ndarray:
    sides = (form.size, form.size)
    if form.sensor == "rgb":
        return draw.image(*sides, top=255, dtype=stored.dtype)
    if len(stored.bands) == len(_SENTINEL1) + 10:  # m-so2sat's reflectance
        return draw.image(*sides, dtype="float32") / np.float32(10000)
    cirrus = stored.bands == _SENTINEL2 and band.startswith("09")  # the name that m-eurosat gives it
    return draw.image(*sides, top=20 if cirrus else 4000, dtype=stored.dtype)


@contextmanager
def _geobench_classes() -> Iterator[Callable[..., Any]]:
    """Makes objects of classes that are named as GEO-Bench's, whose package is not needed to read its files."""
    module = ModuleType("geobench.dataset")
    kept = {name: sys.modules.get(name) for name in ("geobench", "geobench.dataset")}
    sys.modules |= {"geobench": ModuleType("geobench"), "geobench.dataset": module}

    def made(kind: str, **state: Any) -> Any:
        if not hasattr(module, kind):
            setattr(module, kind, type(kind, (), {"__module__": "geobench.dataset"}))
        instance = getattr(module, kind)()
        instance.__dict__.update(state)
        return instance

    try:
        yield made
    finally:
        for name, before in kept.items():
            if before is None:
                del sys.modules[name]
            else:
                sys.modules[name] = before


def write_fmow(root: Path, count: int = 16) -> None:
    """Exact pairs of two categories, of the sizes that the release has."""
    draw, degree = Draw("fmow"), 10 / 111_195.0
    rows: dict[str, list[dict[str, str]]] = {"train": [], "val": []}
    for number in range(count):
        split, category = "val" if number % 8 == 7 else "train", ("airport", "port")[number % 2]
        place, stem = f"{category}_{number}", f"{category}_{number}_6"
        height, width = (int(side) for side in draw.generator.integers(45, 61, 2))
        west, south = 10.0 + number, 0.1
        east, north = west + width * degree, south + height * degree
        polygon = f"POLYGON (({west} {south}, {east} {south}, {east} {north}, {west} {north}, {west} {south}))"
        rows[split].append({
            "category": category, "location_id": str(number), "image_id": "6",
            "timestamp": "2016-03-01T10:30:00Z", "polygon": polygon,
        })  # fmt: skip
        folder = Path(split, category, place)
        tif(root / "fmow-sentinel" / folder / f"{stem}.tif", draw.image(13, height, width), interleave="pixel")
        optical = draw.image(height * 8, width * 8, 3, top=255, dtype="uint8")
        jpeg = root / "fmow-rgb" / folder / f"{stem}_rgb.jpg"
        picture(jpeg, optical)
        facts = {
            "gsd": 1.25, "img_width": width * 8, "img_height": height * 8, "img_filename": f"{stem}_rgb.tif",
            "cloud_cover": 3, "timestamp": "2016-02-20T10:30:00Z", "utm": "32N", "raw_location": polygon,
            "sensor_platform_name": "WORLDVIEW02", "abs_cal_factors": [{"band": "r", "value": 0.01}],
            "bounding_boxes": [{"ID": 3, "category": category, "box": [100, 110, 200, 220]}],
        }  # fmt: skip
        jpeg.with_suffix(".json").write_text(json.dumps(facts))
    for split, listed in rows.items():
        with (root / f"{split}.csv").open("w", newline="") as stream:
            writer = csv.DictWriter(stream, ["", *listed[0]])
            writer.writeheader()
            writer.writerows({"": str(index)} | row for index, row in enumerate(listed))


def write_ssl4eo(root: Path) -> None:
    """One file of each split, with the published number of places and seasons. Its pixels are coarse, to be small."""
    draw = Draw("ssl4eo")
    bands = [*(f"B{number:02d}" for number in range(1, 9)), "B8A", "B09", "B10", "B11", "B12"]
    for split in ssl4eo.FILES:
        coarse = draw.image(ssl4eo.PLACES, 4, 13, ssl4eo.SIDE // _COARSE, ssl4eo.SIDE // _COARSE, dtype="int16")
        numbers = coarse.repeat(_COARSE, 3).repeat(_COARSE, 4) + np.int16(1000)
        numbers[:, :, bands.index("B10")] = 1010
        times = np.datetime64("2020-03-01T10:30:00", "ns") + 90 * np.arange(4) * np.timedelta64(1, "D")
        places = np.arange(ssl4eo.PLACES)
        dataset = xr.Dataset(
            {
                "bands": (("sample", "time", "band", "y", "x"), numbers),
                "center_lat": ("sample", places / 2), "center_lon": ("sample", places / 2),
                "crs": ("sample", np.full(ssl4eo.PLACES, 32632)),
                "time_": (("sample", "time"), np.stack([times] * ssl4eo.PLACES)),
            },
            {"band": bands, "sample": [f"{place:07d}" for place in places], "time": np.arange(4)},
        )  # fmt: skip
        path = root / ssl4eo.file_name(split, 1)
        path.parent.mkdir(parents=True, exist_ok=True)
        chunks = (1, 1, 13, ssl4eo.SIDE, ssl4eo.SIDE)
        with zarr.storage.ZipStore(path, mode="w") as store:
            dataset.to_zarr(store, zarr_format=2, consolidated=True, encoding={"bands": {"chunks": chunks}})


#: Source -> its writer, which is given the source's folder.
LAYOUTS: dict[str, Callable[[Path], None]] = {
    "spacenet1": write_spacenet1,
    "sen1floods11": write_sen1floods11,
    "pastis": write_pastis,
    "pastis-year": write_pastis,
    "oscd": write_oscd,
    "levir-cd": write_levir_cd,
    "fmow": write_fmow,
    "ssl4eo": write_ssl4eo,
    **{name: partial(write_geobench, name) for name in geobench.GEOBENCH},
}
