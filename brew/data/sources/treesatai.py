"""TreeSatAI: places with a 0.2 m aerial image and a co-located Sentinel-2 cut, as a store of pairs.

The paper pairs multispectral images with high-resolution optical ones; this source has that form in small. An aerial
image has 304 x 304 pixels. The Sentinel-2 cut is 6 x 6 true pixels repeated to 304 x 304. The reader takes the
true pixels out again and cuts the aerial image to its central 300 x 300, 50 pixels for each. Both keep native units.

The aerial bands are near infrared, green, blue and red in this order, as the data set's own document says. The pixels
agree: crowns are brightest in green and bare soil in red only then (`tests/data/sources/test_treesatai.py`).

Left out: Sentinel-1, the tree species. The aerial image may be years older than the Sentinel-2 one.
Source: Ahlswede et al. 2023, doi 10.5194/essd-15-681-2023.
"""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from brew.data.labelled import reading
from brew.data.plain import read_json
from brew.data.rasters import check_digital_numbers, content_hash, read_image
from brew.data.store import Variable, write_store
from brew.errors import BrewError, nearest
from brew.sensors import SENSORS

AERIAL_BANDS = ("near infrared", "green", "blue", "red")
SENTINEL2_ORDER = ("B2", "B3", "B4", "B8", "B5", "B6", "B7", "B8A", "B11", "B12", "B1", "B9")
LICENCE = "CC BY 4.0"
_SIZE, _PIXELS, _RATIO = 304, 6, 50
_BANDS = SENSORS["sentinel2"].band_names
_SPLITS = ("pretrain", "train", "validation", "test")


@dataclass(frozen=True)
class Pair:
    """One place. multispectral: (10, 6, 6) uint16. optical: (3, 300, 300) uint8, red green blue."""

    name: str
    split: str
    multispectral: np.ndarray
    optical: np.ndarray


def build(root: Path, path: Path) -> None:
    """Read every pair, check it, then write the store at `path`."""
    pairs = read_pairs(root)
    variables = {
        "multispectral": Variable(("sample", "time", "band", "y", "x"), (1, *pairs[0].multispectral.shape), "uint16"),
        "optical": Variable(
            ("sample", "time", "optical_band", "optical_y", "optical_x"), (1, *pairs[0].optical.shape), "uint8"
        ),
        "split": Variable(("sample",), (), "text"),
        "origin": Variable(("sample",), (), "text"),
        "hash": Variable(("sample",), (), "text"),
    }
    block = {
        "multispectral": np.stack([pair.multispectral for pair in pairs])[:, None],
        "optical": np.stack([pair.optical for pair in pairs])[:, None],
        "split": np.array([pair.split for pair in pairs], dtype=object),
        "origin": np.array([pair.name for pair in pairs], dtype=object),
        "hash": np.array([content_hash(pair.multispectral, pair.optical) for pair in pairs], dtype=object),
    }
    write_store(path, len(pairs), variables, [block], {"source": "TreeSatAI", "licence": LICENCE})


def read_pairs(root: Path) -> list[Pair]:
    """Every place that `meta.json` lists, in its order; BrewError where a file is missing or not what it should be."""
    meta = root / "meta.json"
    entries = read_json(meta)
    with reading(meta):
        listed = [(str(entry["tortilla:id"]), str(entry["tortilla:data_split"])) for entry in entries]
    places = dict(listed)
    if len(places) != len(listed):
        raise BrewError(f"{meta} names a place twice; expected each once. Remove one")
    for split in places.values():
        if split not in _SPLITS:
            raise BrewError(f"{meta}: split {split!r} is unknown; {nearest(split, _SPLITS)}")
    if not places:
        raise BrewError(f"{meta} lists no place; expected at least one. Restore the file")
    return [
        Pair(name, split, read_multispectral(root / f"{name}__s2.tif"), read_optical(root / f"{name}__aerial.tif"))
        for name, split in places.items()
    ]


def read_multispectral(path: Path) -> np.ndarray:
    """(10, 6, 6) uint16: the true pixels of a Sentinel-2 cut, in the order of ``SENSORS["sentinel2"]``."""
    stored = read_image(path, len(SENTINEL2_ORDER))
    # Borders of the repeated pixels, and one place inside each: 304 is no multiple of 6.
    places = np.floor((np.arange(_PIXELS) + 0.5) * _SIZE / _PIXELS).astype(int)
    edges = np.floor(np.arange(_PIXELS + 1) * _SIZE / _PIXELS).astype(int)
    pixels = []
    for band in _BANDS:
        values = check_digital_numbers(stored[SENTINEL2_ORDER.index(band)], path, band)
        if values.shape != (_SIZE, _SIZE):
            raise BrewError(f"{path}, band {band}: {values.shape} pixels; expected ({_SIZE}, {_SIZE}). Obtain it again")
        true = values[np.ix_(places, places)]
        inside = [np.arange(low + 1, high - 1) for low, high in pairwise(edges)]
        whole = all(
            (values[np.ix_(rows, columns)] == true[i, j]).all()
            for i, rows in enumerate(inside)
            for j, columns in enumerate(inside)
        )
        if not whole:
            raise BrewError(
                f"{path}, band {band}: not {_PIXELS} x {_PIXELS} repeated pixels; expected TreeSatAI's enlarged cut. "
                "Obtain the file again"
            )
        pixels.append(true)
    return np.stack(pixels)


def read_optical(path: Path) -> np.ndarray:
    """(3, 300, 300) uint8, red green blue: the part of an aerial image that six Sentinel-2 pixels cover."""
    stored = read_image(path, len(AERIAL_BANDS))
    margin = (_SIZE - _PIXELS * _RATIO) // 2
    colours = []
    for name in ("red", "green", "blue"):
        values = stored[AERIAL_BANDS.index(name)]
        if values.shape != (_SIZE, _SIZE) or values.dtype != np.uint8:
            raise BrewError(
                f"{path}, band {name}: {values.shape} of {values.dtype}; expected ({_SIZE}, {_SIZE}) of uint8. "
                "Obtain the file again"
            )
        if not values.any():
            raise BrewError(f"{path}, band {name}: all black; expected an image. Leave the place out of meta.json")
        colours.append(values[margin : _SIZE - margin, margin : _SIZE - margin])
    return np.stack(colours)
