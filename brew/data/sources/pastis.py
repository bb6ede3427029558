"""PASTIS: crops of France, from a year of Sentinel-2 images, read through torchgeo's class.

A year's images become one, the median over time of every pixel and band; of an even number, the lower of the middle
two, as in the authors' code. Surface reflectance as MAJA derives it may be slightly negative over water and shadow;
unsigned digital numbers begin at 0. Folds 1 to 3 train, 4 validates, 5 tests. Bands go by name; the authors of DEO fed
them in the file's order, which begins with B2.

Source: Garnot and Landrieu 2021 (ICCV), doi 10.1109/ICCV48922.2021.00483; torchgeo's `PASTIS` layout of the files.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from brew.data.fetch import Remote
from brew.data.labelled import Labelled, reading, to_native, write_labelled
from brew.data.sources.forms import FORMS, Form
from brew.errors import BrewError
from brew.sensors import sensor

if TYPE_CHECKING:
    from torchgeo.datasets import PASTIS

LICENCE = "CC BY 4.0"
#: With the checksum that torchgeo publishes.
REMOTES = (
    Remote(
        "PASTIS-R.zip",
        "https://zenodo.org/records/5735646/files/PASTIS-R.zip?download=1",
        md5="4887513d6c2d2b07fa935d325bd53e09",
    ),
)
FORM = FORMS["pastis"]
_FOLDS = {"train": (1, 2, 3), "validation": (4,), "test": (5,)}
#: Of the files' ten channels.
_BANDS = ("B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B11", "B12")


def build(root: Path, path: Path, form: Form = FORM) -> None:
    """The store of all patches."""
    from torchgeo.datasets import PASTIS  # takes seconds, and nobody else waits for them

    metadata = root / PASTIS.directory / "metadata.geojson"
    if not metadata.is_file():
        raise BrewError(f"{metadata} does not exist; expected PASTIS-R. Unpack {PASTIS.filename} in {root}")
    with reading(metadata):
        folds = {split: PASTIS(root, folds) for split, folds in _FOLDS.items()}
    patches = {str(patch): (fold, place) for fold in folds.values() for place, patch in enumerate(fold.idxs)}
    splits = {split: [str(patch) for patch in fold.idxs] for split, fold in folds.items()}

    def read(patch: str) -> Labelled:
        return read_patch(*patches[patch])

    write_labelled(path, form, splits, read, {"source": "PASTIS", "licence": LICENCE, "image": "median over time"})


def read_patch(fold: "PASTIS", place: int) -> Labelled:
    """One patch; BrewError naming the file where it is damaged or has another number of bands."""
    file, of = fold.files[place]["s2"], sensor(FORM.sensor)
    with reading(file):
        sample = fold[place]
    series = sample["image"]
    if series.ndim != 4 or series.shape[1] != len(_BANDS):
        raise BrewError(f"{file}: {tuple(series.shape)}; expected (date, {len(_BANDS)}, y, x). Obtain the file again")
    median = series.median(dim=0).values.clamp(min=0)
    image = median.numpy()[[_BANDS.index(band) for band in of.band_names]]
    return Labelled(to_native(image, of, file)[None], sample["mask"].numpy())
