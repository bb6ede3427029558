"""PASTIS: crops of France, from a year of Sentinel-2 images.

`pastis`: a year's images become one, the median over time of every pixel and band; of an even number, the lower of the
middle two, as in the authors' code. `pastis-year`: each month's images become one in the same way, and a month without
an image has those of the nearest month. Patches were seen on 38 to 61 dates, so a month is what they share.

Surface reflectance as MAJA derives it may be slightly negative over water and shadow; unsigned digital numbers begin at
0. Folds 1 to 3 train, 4 validates, 5 tests. Bands go by name; the authors of DEO fed them in the file's order, which
begins with B2.

torchgeo's `PASTIS` knows the archive, its checksum and the layout of the files, which are read here: its class selects
channels and converts types before a reader could look at them.
Source: Garnot and Landrieu 2021 (ICCV), doi 10.1109/ICCV48922.2021.00483.
"""

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from brew.data.fetch import Remote
from brew.data.labelled import Labelled, reading, to_native, write_labelled
from brew.data.plain import read_json
from brew.data.sources.forms import FORMS, Form
from brew.errors import BrewError
from brew.sensors import sensor

LICENCE = "CC BY 4.0"
FOLDER = "pastis"
PATTERNS = ("*/metadata.geojson", "*/DATA_S2/*.npy", "*/ANNOTATIONS/TARGET_*.npy")
OBTAIN = "run `make data BENCHMARK=pastis`, or PASTIS-R.zip of doi 10.5281/zenodo.5735646"
FORM, YEAR = FORMS["pastis"], FORMS["pastis-year"]
#: A patch's properties.
_Facts = Mapping[str, Any]
#: The months of the series: an image of `pastis-year` each.
MONTHS = np.arange("2018-09", "2019-12", dtype="datetime64[M]")
_FOLDER = "PASTIS-R"
_FOLDS = {"train": (1, 2, 3), "validation": (4,), "test": (5,)}
#: Of the files' ten channels.
_BANDS = ("B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B11", "B12")


def remotes() -> tuple[Remote, ...]:
    """The archive, at torchgeo's address and with the checksum that it publishes."""
    from torchgeo.datasets import PASTIS  # takes seconds, and nobody else waits for them

    return (Remote(PASTIS.filename, PASTIS.url, md5=PASTIS.md5),)


def build(root: Path, path: Path, form: Form = FORM) -> None:
    """The store of all patches, one image each."""
    _build(root, path, form, "median over time", lambda facts: whole_year)


def build_year(root: Path, path: Path, form: Form = YEAR) -> None:
    """The store of all patches, an image a month each."""
    _build(root, path, form, "monthly medians", lambda facts: partial(monthly, days=dates_of(facts)))


#: (date, band, y, x) -> (time, band, y, x).
_Reduction = Callable[[np.ndarray], np.ndarray]


def _build(root: Path, path: Path, form: Form, image: str, reduction: Callable[[_Facts], _Reduction]) -> None:
    folder = root / _FOLDER
    metadata = folder / "metadata.geojson"
    facts = read_patches(metadata)
    with reading(metadata):
        reductions = {patch: reduction(each) for patch, each in facts.items()}
    folds = {patch: int(each["Fold"]) for patch, each in facts.items()}
    splits = {split: [patch for patch, fold in folds.items() if fold in members] for split, members in _FOLDS.items()}

    def read(patch: str) -> Labelled:
        return read_patch(folder, patch, reductions[patch])

    write_labelled(path, form, splits, read, {"source": "PASTIS", "licence": LICENCE, "image": image})


def read_patches(metadata: Path) -> dict[str, _Facts]:
    """{patch: its properties} in the file's order.

    Raises BrewError if the file is absent, names a patch twice, or a fold is not 1 to 5.
    """
    if not metadata.is_file():
        raise BrewError(
            f"{metadata} does not exist; expected {_FOLDER}. Unpack {_FOLDER}.zip in {metadata.parent.parent}"
        )
    content = read_json(metadata)
    with reading(metadata):
        facts = [feature["properties"] for feature in content["features"]]
        patches = {str(each["ID_PATCH"]): each for each in facts}
        if len(patches) != len(facts):
            raise BrewError("a patch stands there twice; expected each once. Obtain the file again")
        strange = sorted({str(int(each["Fold"])) for each in facts} - {"1", "2", "3", "4", "5"})
        if strange:
            raise BrewError(f"fold {strange[0]}; expected 1 to 5. Obtain the file again")
    return patches


def dates_of(facts: _Facts) -> np.ndarray:
    """The days of a patch's series, from its properties; some writers hold the list as text.

    Raises BrewError for dates that are none, or lie outside of `MONTHS`.
    """
    stated = facts["dates-S2"]
    listed = json.loads(stated) if isinstance(stated, str) else stated
    texts = [str(listed[number]) for number in sorted(listed, key=int)]
    days = np.array([f"{text[:4]}-{text[4:6]}-{text[6:]}" for text in texts], "datetime64[D]")
    if not len(days):
        raise BrewError("a patch without dates; expected one at least. Obtain the metadata again")
    strange = days[~np.isin(days.astype("datetime64[M]"), MONTHS)]
    if len(strange):
        raise BrewError(f"date {strange[0]}; expected {MONTHS[0]} to {MONTHS[-1]}. Obtain the metadata again")
    return days


def median(series: np.ndarray) -> np.ndarray:
    """(date, band, y, x) -> (band, y, x); of an even number of dates, the lower of the middle two."""
    middle = (len(series) - 1) // 2
    return np.partition(series, middle, axis=0)[middle]


def whole_year(series: np.ndarray) -> np.ndarray:
    """(date, band, y, x) -> (1, band, y, x): the median of all dates."""
    return median(series)[None]


def monthly(series: np.ndarray, days: np.ndarray) -> np.ndarray:
    """(date, band, y, x) -> (month, band, y, x): medians, of the nearest month if a month has no image.

    Raises BrewError unless each date has its day.
    """
    if len(series) != len(days):
        raise BrewError(f"{len(series)} dates, and {len(days)} in the metadata; expected as many. Obtain both again")
    months = days.astype("datetime64[M]")
    seen = {month: median(series[months == month]) for month in np.unique(months)}
    known = np.array([*seen])
    return np.stack([seen[known[np.abs(known - month).argmin()]] for month in MONTHS])


def read_patch(folder: Path, patch: str, reduction: _Reduction = whole_year) -> Labelled:
    """One patch; BrewError naming the file if it is damaged, has no date, another number of bands or another size."""
    file, labels = folder / "DATA_S2" / f"S2_{patch}.npy", folder / "ANNOTATIONS" / f"TARGET_{patch}.npy"
    of = sensor(FORM.sensor)
    with reading(file):
        series = _array(file)
        if series.ndim != 4 or series.shape[1] != len(_BANDS) or not len(series) or series.dtype.kind not in "iuf":
            raise BrewError(
                f"{series.shape} of {series.dtype}; expected numbers of (date, {len(_BANDS)}, y, x), one date at "
                "least. Obtain the file again"
            )
        reduced = reduction(series).clip(min=0)
        image = to_native(reduced[:, [_BANDS.index(band) for band in of.band_names]], of, "the median")
    with reading(labels):
        target = _array(labels)
        if target.ndim != 3 or not len(target) or target.shape[1:] != image.shape[2:]:
            raise BrewError(f"{target.shape}; expected maps of {image.shape[2:]} pixels. Obtain the file again")
    return Labelled(image, target[0])


def _array(file: Path) -> np.ndarray:
    """NumPy's own form alone: `np.load` takes a file that begins like an archive for one, and leaves it open."""
    with file.open("rb") as stream:
        return np.lib.format.read_array(stream, allow_pickle=False)
