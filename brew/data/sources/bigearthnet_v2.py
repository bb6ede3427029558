"""BigEarthNet v2 patches in GEO-Bench 2's cut: a GeoTIFF per patch, labels and splits in `meta.json`.

The files' tags say 60 m; a pixel is 10 m wide.

Source: Clasen et al. 2024 (arXiv 2407.03653); nineteen classes of Sumbul et al. 2021.
"""

from functools import partial
from pathlib import Path

import numpy as np

from brew.data.labelled import Labelled, reading, to_native, write_labelled
from brew.data.plain import read_json
from brew.data.rasters import read_image
from brew.data.sources.forms import FORMS, Form
from brew.errors import BrewError, nearest, unknown
from brew.sensors import SENTINEL2_BANDS, sensor

LICENCE = "CDLA-Permissive-1.0"
FORM = FORMS["bigearthnet-v2"]
#: Of the files' twelve channels: numerical order, without B10, which surface reflectance does not have.
_BANDS = tuple(band for band in SENTINEL2_BANDS if band != "B10")


def build(root: Path, path: Path, form: Form = FORM) -> None:
    """The store of all patches that `meta.json` lists."""
    labels, splits = read_list(root / "meta.json")
    read = partial(read_patch, root, labels)
    write_labelled(path, form, splits, read, {"source": "BigEarthNet v2", "licence": LICENCE})


def read_list(meta: Path) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """{patch: labels} and {split: patches}; BrewError if the list is absent or damaged, or names a patch twice."""
    labels: dict[str, list[str]] = {}
    splits: dict[str, list[str]] = {"train": [], "validation": [], "test": []}
    patches = read_json(meta)
    with reading(meta):
        for patch in patches:
            name, split = patch["tortilla:id"], patch["tortilla:data_split"]
            if name in labels:
                raise BrewError(f"{name!r} stands there twice; expected it once. Remove one")
            if split not in splits:
                raise unknown("split", split, splits)
            labels[name] = patch["labels"]
            splits[split].append(name)
    return labels, splits


def read_patch(root: Path, labels: dict[str, list[str]], patch: str) -> Labelled:
    """One patch; BrewError naming the file where it is damaged, has other bands, or a label is unknown."""
    file, of = root / f"{patch}__s2.tif", sensor(FORM.sensor)
    for name in labels[patch]:
        if name not in FORM.classes:
            raise BrewError(f"{root / 'meta.json'}: {patch} has the label {name!r}; {nearest(str(name), FORM.classes)}")
    stored = read_image(file, len(_BANDS))
    image = to_native(stored[[_BANDS.index(band) for band in of.band_names]], of, file)
    return Labelled(image[None], np.array([name in labels[patch] for name in FORM.classes], dtype=np.uint8))
