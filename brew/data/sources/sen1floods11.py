"""Sen1Floods11 v1.1, the hand-labelled part: flood water in Sentinel-2 images of 512 x 512 pixels.

Labels -1, 0, 1 (no data, dry, water) become 0, 1, 2. A pixel has no value if any band is NaN, the declared nodata or
-9999, which chips of int16 hold beside the swath: the image becomes 0 there and the label "no data".
The published lists name Sentinel-1 files; the Sentinel-2 file of the same chip lies beside them. Bolivia's chips, a
fourth list, are left out, as the paper leaves them.

Source: Bonafilia et al. 2020 (CVPR workshops), cloudtostreet/Sen1Floods11.
"""

import csv
from functools import partial
from pathlib import Path

import numpy as np

from brew.data.fetch import Remote
from brew.data.labelled import Labelled, reading, to_native, write_labelled
from brew.data.rasters import read_masked_image
from brew.data.sources.forms import FORMS, Form
from brew.errors import BrewError
from brew.sensors import SENTINEL2_BANDS, sensor

LICENCE = "not stated by its repository"
FORM = FORMS["sen1floods11"]
#: Lists of samples by split.
LISTS = {
    split: f"v1.1/splits/flood_handlabeled/flood_{name}_data.csv"
    for split, name in (("train", "train"), ("validation", "valid"), ("test", "test"))
}
_HOST = "https://storage.googleapis.com/sen1floods11"
#: Where a chip shows nothing, though no file declares it.
_NOTHING = -9999
_HAND = "v1.1/data/flood_events/HandLabeled"


def build(root: Path, path: Path, form: Form = FORM) -> None:
    """The store of the chips of the three lists."""
    splits = {split: chips(root / file) for split, file in LISTS.items()}
    attributes = {"source": "Sen1Floods11 v1.1", "licence": LICENCE}
    write_labelled(path, form, splits, partial(read_chip, root), attributes)


def chips(file: Path) -> list[str]:
    """Names of the chips of a list ("Ghana_103272"); BrewError where it is absent or no such list."""
    if not file.is_file():
        raise BrewError(f"{file} does not exist; expected the published list of chips. Obtain the data again")
    with reading(file), file.open(newline="", encoding="utf-8-sig") as stream:
        rows = [row for row in csv.reader(stream) if row]
    wrong = [row for row in rows if not row[0].endswith("_S1Hand.tif")]
    if wrong:
        raise BrewError(f"{file}: {','.join(wrong[0])!r}; expected lines like Ghana_103272_S1Hand.tif,... Restore it")
    return [row[0].removesuffix("_S1Hand.tif") for row in rows]


def files(chip: str) -> tuple[str, str]:
    """A chip's image and label, below the data set's folder."""
    return f"{_HAND}/S2Hand/{chip}_S2Hand.tif", f"{_HAND}/LabelHand/{chip}_LabelHand.tif"


def remotes() -> tuple[Remote, ...]:
    """The three lists."""
    return tuple(Remote(file, f"{_HOST}/{file}") for file in LISTS.values())


def listed(root: Path) -> tuple[Remote, ...]:
    """Image and label of every chip of the lists, which lie below `root`."""
    names = [file for each in LISTS.values() for chip in chips(root / each) for file in files(chip)]
    return tuple(Remote(file, f"{_HOST}/{file}") for file in names)


def read_chip(root: Path, chip: str) -> Labelled:
    """One chip; BrewError naming the file if it is damaged or has another number of bands."""
    image_file, label_file = (root / file for file in files(chip))
    of = sensor(FORM.sensor)
    stored, labels = read_masked_image(image_file, len(SENTINEL2_BANDS)), read_masked_image(label_file, 1)
    with reading(image_file):
        order = [list(SENTINEL2_BANDS).index(band) for band in of.band_names]
        values = stored.values[order]
        seen = (stored.valid[order] & ~np.isnan(values) & (values != _NOTHING)).all(axis=0)
        image = to_native(np.where(seen, values, 0), of, "all bands")
    with reading(label_file):
        label = np.where(labels.valid & ~np.isnan(labels.values), labels.values, -1)[0]
        if not np.isin(label, (-1, 0, 1)).all():
            raise BrewError(f"labels {np.unique(label)[:5].tolist()}; expected -1, 0 and 1. Obtain the file again")
        if label.shape != seen.shape:
            raise BrewError(f"{label.shape} pixels; expected {seen.shape} as the image. Obtain the file again")
    return Labelled(image[None], np.where(seen, label + 1, 0).astype(np.uint8))
