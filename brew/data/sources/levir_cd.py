"""LEVIR-CD: new and lost buildings in Texas, pairs of 0.5 m images.

The pairs of 1024 x 1024 pixels are cut into tiles of 256 that do not overlap. The published splits are kept.

torchgeo's `LEVIRCD` knows the archives, their checksums and the layout of the files, which are read here: its class
makes any picture one of three channels. A mask's values are 0 and 255; like torchgeo's, any but 0 is a change.
Source: Chen and Shi 2020 (Remote Sensing), doi 10.3390/rs12101662.
"""

from functools import lru_cache
from pathlib import Path

import numpy as np

from brew.data.fetch import Remote
from brew.data.labelled import Labelled, to_native, write_labelled
from brew.data.rasters import read_picture
from brew.data.sources.forms import FORMS, Form
from brew.errors import BrewError
from brew.files import search
from brew.sensors import sensor

LICENCE = "not stated"
#: A copy of the authors' archives that needs no browser; torchgeo 0.8, which Python 3.11 takes, has pages alone.
_HOST = (
    "https://huggingface.co/datasets/satellite-image-deep-learning/LEVIR-CD/resolve/"
    "6a6bb0a5b389403d81c05e33bf08bc0b9e5f13a6"
)
FORM = FORMS["levir-cd"]
_DATES, _LABEL = ("A", "B"), "label"
_FOLDERS = (*_DATES, _LABEL)
_SPLITS = {"train": "train", "validation": "val", "test": "test"}
#: Pixels per side of a published pair.
_SIDE = 1024


def remotes() -> tuple[Remote, ...]:
    """The three archives, with the checksums that torchgeo publishes."""
    from torchgeo.datasets import LEVIRCD  # takes seconds, and nobody else waits for them

    archives = LEVIRCD.splits.values()
    return tuple(Remote(each["filename"], f"{_HOST}/{each['filename']}", md5=each["md5"]) for each in archives)


def build(root: Path, path: Path, form: Form = FORM, side: int = _SIDE) -> None:
    """The store of all tiles; a tile is named after its pair and its first row and column."""
    pairs = {split: pair_names(root, name) for split, name in _SPLITS.items()}
    corners = [f"{y}-{x}" for y in range(0, side, form.size) for x in range(0, side, form.size)]
    splits = {split: [f"{name}/{corner}" for name in names for corner in corners] for split, names in pairs.items()}

    @lru_cache(maxsize=1)  # the tiles of a pair follow each other
    def pair(name: str) -> Labelled:
        return read_pair(root, name, side)

    def read(tile: str) -> Labelled:
        name, _, corner = tile.partition("/")
        whole, (y, x) = pair(name), (int(each) for each in corner.split("-"))
        rows, columns = slice(y, y + form.size), slice(x, x + form.size)
        return Labelled(whole.image[:, :, rows, columns], whole.label[rows, columns])

    write_labelled(path, form, splits, read, {"source": "LEVIR-CD", "licence": LICENCE})


def pair_names(root: Path, split: str) -> list[str]:
    """Names of a split's pairs, sorted; BrewError if a date or a mask is missing."""
    names = {folder: {file.name for file in search(root / folder, f"{split}*.png")} for folder in _FOLDERS}
    every = set.union(*names.values())
    for folder, found in names.items():
        if not every or found != every:
            missing = min(every - found, default=f"{split}_1.png")
            raise BrewError(
                f"{root / folder / missing} does not exist; expected it. Unpack {split}.zip in {root} again"
            )
    return sorted(every)


def read_pair(root: Path, name: str, side: int) -> Labelled:
    """One whole pair; BrewError naming the file if it is damaged, of another size, or of other channels."""
    dates = [read_picture(root / date / name, ("RGB",)) for date in _DATES]
    mask = read_picture(root / _LABEL / name, ("L", "1"))
    for folder, values in zip(_FOLDERS, (*dates, mask), strict=True):
        if values.shape[:2] != (side, side):
            file = root / folder / name
            raise BrewError(f"{file}: {values.shape[:2]} pixels; expected {(side, side)}. Obtain the file again")
    image = np.stack([date.transpose(2, 0, 1) for date in dates])
    return Labelled(to_native(image, sensor(FORM.sensor), root / _DATES[0] / name), (mask > 0).astype(np.uint8))
