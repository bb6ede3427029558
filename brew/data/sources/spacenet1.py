"""SpaceNet 1: buildings of Rio de Janeiro in pansharpened chips of 0.5 m, read through torchgeo's class.

The test chips have no published labels, so the training chips are split: of their files' names in alphabetical order
the first 4999 train, the next 1000 validate, the rest tests; the low-data table takes the first 499. Chips, which
differ in size by a pixel, are read at 224 x 224, images averaged bilinearly, masks by the nearest pixel.

Source: Van Etten et al. 2018 (arXiv 1807.01232); the splits and the size are those of the authors' experiments.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn.functional import interpolate

from brew.data.fetch import Remote
from brew.data.labelled import Labelled, reading, to_native, write_labelled
from brew.data.sources.forms import FORMS, Form
from brew.errors import BrewError
from brew.files import search
from brew.sensors import sensor

if TYPE_CHECKING:
    from torchgeo.datasets import SpaceNet1

LICENCE = "CC BY-SA 4.0"
#: The three-band images and the labels, by what torchgeo's names of archives contain.
_PARTS = ("_3band", "_geojson")
FORM = FORMS["spacenet1"]


@dataclass(frozen=True)
class Counts:
    """Chips of the first splits, and of the part of the training chips that the low-data table takes."""

    train: int = 4999
    validation: int = 1000
    low_data: int = 499


def remotes() -> tuple[Remote, ...]:
    """The archives of the training chips, at torchgeo's addresses and with the checksums that it publishes."""
    from torchgeo.datasets import SpaceNet1  # takes seconds, and nobody else waits for them

    (area,) = SpaceNet1.tarballs["train"]
    archives = zip(SpaceNet1.tarballs["train"][area], SpaceNet1.md5s["train"][area], strict=True)
    return tuple(
        Remote(f"{SpaceNet1.dataset_id}/train/{name}", _address(SpaceNet1.url, SpaceNet1.dataset_id, name), md5=md5)
        for name, md5 in archives
        if any(part in name for part in _PARTS)
    )


def _address(pattern: str, dataset: str, archive: str) -> str:
    """The address over the web of an object that torchgeo names as s3://bucket/key."""
    bucket, _, key = pattern.format(dataset_id=dataset, tarball=archive).removeprefix("s3://").partition("/")
    return f"https://{bucket}.s3.amazonaws.com/{key}"


def build(root: Path, path: Path, form: Form = FORM, counts: Counts | None = None) -> None:
    """The store of all labelled chips."""
    counts = counts or Counts()
    chips = _chips(root)
    names = sorted(chips)
    end = counts.train + counts.validation
    splits = {"train": names[: counts.train], "validation": names[counts.train : end], "test": names[end:]}

    def read(name: str) -> Labelled:
        return read_chip(*chips[name], form.size)

    marks = {"partition_0.10": splits["train"][: counts.low_data]}
    write_labelled(path, form, splits, read, {"source": "SpaceNet 1", "licence": LICENCE}, marks)


def _chips(root: Path) -> dict[str, tuple["SpaceNet1", int]]:
    """{file name: its data set and place there}; BrewError where chips and labels do not pair."""
    from torchgeo.datasets import SpaceNet1  # takes seconds, and nobody else waits for them

    folder = root / SpaceNet1.dataset_id / "train"
    images, labels = (search(folder, pattern) for pattern in ("3band/*.tif", "geojson/*.geojson"))
    if not images or len(images) != len(labels):
        raise BrewError(
            f"{folder}: {len(images)} chips in 3band and {len(labels)} labels in geojson; expected one label per chip. "
            "Unpack the archives there again"
        )
    unpaired = {_number(file) for file in images} ^ {_number(file) for file in labels}
    if unpaired:
        raise BrewError(
            f"{folder}: chip {min(unpaired)!r} has an image or a label alone; expected both. Unpack the archives there "
            "again"
        )
    with reading(folder):
        data = SpaceNet1(root, split="train", image="3band")
    return {Path(file).name: (data, place) for place, file in enumerate(data.images)}


def _number(file: Path) -> str:
    """What an image's and its label's names share ("3band_AOI_1_RIO_img12.tif", "Geo_AOI_1_RIO_img12.geojson")."""
    return file.stem.partition("_")[2]


def read_chip(data: "SpaceNet1", place: int, size: int) -> Labelled:
    """One chip; BrewError naming the file where it is damaged or has another number of bands."""
    file, of = data.images[place], sensor(FORM.sensor)
    with reading(file):
        sample = data[place]
    if len(sample["image"]) != len(of):
        raise BrewError(f"{file}: {len(sample['image'])} bands; expected red, green and blue. Obtain the file again")
    image = interpolate(sample["image"][None], (size, size), mode="bilinear", antialias=True)[0]
    mask = interpolate(sample["mask"][None, None].to(torch.uint8), (size, size), mode="nearest-exact")[0, 0]
    return Labelled(to_native(np.asarray(image), of, file)[None], np.asarray(mask))
