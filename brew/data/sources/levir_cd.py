"""LEVIR-CD: new and lost buildings in Texas, pairs of 0.5 m images, read through torchgeo's class.

The pairs of 1024 x 1024 pixels are cut into tiles of 256 that do not overlap. The published splits are kept.

Source: Chen and Shi 2020 (Remote Sensing), doi 10.3390/rs12101662; torchgeo's `LEVIRCD` layout of the files.
"""

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from brew.data.fetch import Remote
from brew.data.labelled import Labelled, reading, to_native, write_labelled
from brew.data.sources.forms import FORMS, Form
from brew.errors import BrewError
from brew.sensors import sensor

if TYPE_CHECKING:
    from torchgeo.datasets import LEVIRCD

LICENCE = "not stated"
#: A copy of the authors' archives that needs no browser; torchgeo 0.8, which Python 3.11 takes, has pages alone.
_HOST = (
    "https://huggingface.co/datasets/satellite-image-deep-learning/LEVIR-CD/resolve/"
    "6a6bb0a5b389403d81c05e33bf08bc0b9e5f13a6"
)
FORM = FORMS["levir-cd"]
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
    pairs = {split: _pairs(root, name) for split, name in _SPLITS.items()}
    corners = [f"{y}-{x}" for y in range(0, side, form.size) for x in range(0, side, form.size)]
    splits = {
        split: [f"{Path(each['image1']).name}/{corner}" for each in data.files for corner in corners]
        for split, data in pairs.items()
    }
    places = {
        Path(each["image1"]).name: (data, place) for data in pairs.values() for place, each in enumerate(data.files)
    }

    @lru_cache(maxsize=1)  # the tiles of a pair follow each other
    def pair(name: str) -> Labelled:
        return read_pair(*places[name], side)

    def read(tile: str) -> Labelled:
        name, _, corner = tile.partition("/")
        whole, (y, x) = pair(name), (int(each) for each in corner.split("-"))
        rows, columns = slice(y, y + form.size), slice(x, x + form.size)
        return Labelled(whole.image[:, :, rows, columns], whole.label[rows, columns])

    write_labelled(path, form, splits, read, {"source": "LEVIR-CD", "licence": LICENCE})


def _pairs(root: Path, split: str) -> "LEVIRCD":
    """The pairs of a split; BrewError where a date or a mask is missing, which torchgeo would not notice."""
    from torchgeo.datasets import LEVIRCD  # takes seconds, and nobody else waits for them

    names = {folder: {file.name for file in (root / folder).glob(f"{split}*.png")} for folder in LEVIRCD.directories}
    every = set.union(*names.values())
    for folder, found in names.items():
        if not every or found != every:
            missing = min(every - found, default=f"{split}_1.png")
            raise BrewError(
                f"{root / folder / missing} does not exist; expected it. Unpack {split}.zip in {root} again"
            )
    return LEVIRCD(root, split)


def read_pair(data: "LEVIRCD", place: int, side: int) -> Labelled:
    """One whole pair; BrewError naming the file where it is damaged or of another size."""
    file = data.files[place]["image1"]
    with reading(file):
        sample = data[place]
    image, label = sample["image"].numpy(), sample["mask"].numpy()[0]
    if image.shape[-2:] != (side, side):
        raise BrewError(f"{file}: {image.shape[-2:]} pixels; expected {(side, side)}. Obtain the file again")
    return Labelled(to_native(image, sensor(FORM.sensor), file), np.asarray(label))
