"""PASTIS: crops of France, from a year of Sentinel-2 images.

A year's images become one, the median over time of every pixel and band; of an even number, the lower of the middle
two, as in the authors' code. Surface reflectance as MAJA derives it may be slightly negative over water and shadow;
unsigned digital numbers begin at 0. Folds 1 to 3 train, 4 validates, 5 tests. Bands go by name; the authors of DEO fed
them in the file's order, which begins with B2.

torchgeo's `PASTIS` knows the archive, its checksum and the layout of the files, which are read here: its class selects
channels and converts types before a reader could look at them.
Source: Garnot and Landrieu 2021 (ICCV), doi 10.1109/ICCV48922.2021.00483.
"""

from pathlib import Path

import numpy as np

from brew.data.fetch import Remote
from brew.data.labelled import Labelled, reading, to_native, write_labelled
from brew.data.plain import read_json
from brew.data.sources.forms import FORMS, Form
from brew.errors import BrewError
from brew.sensors import sensor

LICENCE = "CC BY 4.0"
FORM = FORMS["pastis"]
_FOLDER = "PASTIS-R"
_FOLDS = {"train": (1, 2, 3), "validation": (4,), "test": (5,)}
#: Of the files' ten channels.
_BANDS = ("B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B11", "B12")


def remotes() -> tuple[Remote, ...]:
    """The archive, at torchgeo's address and with the checksum that it publishes."""
    from torchgeo.datasets import PASTIS  # takes seconds, and nobody else waits for them

    return (Remote(PASTIS.filename, PASTIS.url, md5=PASTIS.md5),)


def build(root: Path, path: Path, form: Form = FORM) -> None:
    """The store of all patches."""
    folder = root / _FOLDER
    folds = read_folds(folder / "metadata.geojson")
    splits = {split: [patch for patch, fold in folds.items() if fold in members] for split, members in _FOLDS.items()}
    attributes = {"source": "PASTIS", "licence": LICENCE, "image": "median over time"}
    write_labelled(path, form, splits, lambda patch: read_patch(folder, patch), attributes)


def read_folds(metadata: Path) -> dict[str, int]:
    """{patch: fold} in the file's order; BrewError if it is absent, names a patch twice, or a fold is not 1 to 5."""
    if not metadata.is_file():
        raise BrewError(
            f"{metadata} does not exist; expected {_FOLDER}. Unpack {_FOLDER}.zip in {metadata.parent.parent}"
        )
    content = read_json(metadata)
    with reading(metadata):
        facts = [feature["properties"] for feature in content["features"]]
        listed = [(str(each["ID_PATCH"]), int(each["Fold"])) for each in facts]
        folds = dict(listed)
        if len(folds) != len(listed):
            raise BrewError("a patch stands there twice; expected each once. Obtain the file again")
        strange = sorted({str(fold) for fold in folds.values()} - {"1", "2", "3", "4", "5"})
        if strange:
            raise BrewError(f"fold {strange[0]}; expected 1 to 5. Obtain the file again")
    return folds


def read_patch(folder: Path, patch: str) -> Labelled:
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
        middle = (len(series) - 1) // 2
        median = np.partition(series, middle, axis=0)[middle].clip(min=0)
        image = to_native(median[[_BANDS.index(band) for band in of.band_names]], of, "the median")
    with reading(labels):
        target = _array(labels)
        if target.ndim != 3 or not len(target) or target.shape[1:] != image.shape[1:]:
            raise BrewError(f"{target.shape}; expected maps of {image.shape[1:]} pixels. Obtain the file again")
    return Labelled(image[None], target[0])


def _array(file: Path) -> np.ndarray:
    """NumPy's own form alone: `np.load` takes a file that begins like an archive for one, and leaves it open."""
    with file.open("rb") as stream:
        return np.lib.format.read_array(stream, allow_pickle=False)
