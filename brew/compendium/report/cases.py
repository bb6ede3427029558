"""Single test images: which came out best, median and worst, and pictures of maps and of their errors.

Left out: reading scores and maps of a scale (`pick_cases`), and the page (`case_page`).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from jaxtyping import Float, Integer
from PIL import Image

from brew.compendium.report.figures.segmentation_maps import class_colours
from brew.files import write_bytes

#: Kinds of pixels of a map of errors, each with its colour: whatever kind of error a task knows.
CHANGE_ERRORS = {"no change, rightly": "#e6e9ec", "false alarm": "#d55e00", "missed": "#0072b2", "found": "#1c2024"}
CLASS_ERRORS = {"right": "#d5dae0", "wrong": "#1c2024", "not scored": "#ffffff"}
#: Pixels of the longer side of a photograph at most, and its quality, of 100.
_LARGEST, _QUALITY = 480, 70


@dataclass(frozen=True)
class Pick:
    """An image that is shown. place: why, in words. index: among the images that could be."""

    place: str
    index: int


def picked(scores: Float[np.ndarray, " image"], every: bool) -> list[Pick]:
    """The best, the median and the worst image; or all of them, the best first."""
    order = np.argsort(-scores, kind="stable").tolist()
    if every:
        return [Pick(f"{place} of {len(order)}", index) for place, index in enumerate(order, 1)]
    places = {"best": 0, "median": len(order) // 2, "worst": len(order) - 1}
    return [Pick(name, order[place]) for name, place in places.items() if place < len(order)]


def change_errors(label: Integer[np.ndarray, "y x"], found: np.ndarray) -> Integer[np.ndarray, "y x"]:
    """A kind of `CHANGE_ERRORS` for every pixel, by number. found: (y, x), whether it is said to have changed."""
    return (2 * (label > 0) + found).astype(np.uint8)


def class_errors(
    label: Integer[np.ndarray, "y x"], found: Integer[np.ndarray, "y x"], ignore: int | None
) -> Integer[np.ndarray, "y x"]:
    """A kind of `CLASS_ERRORS` for every pixel, by number."""
    wrong = (label != found).astype(np.uint8)
    return wrong if ignore is None else np.where(label == ignore, 2, wrong).astype(np.uint8)


def palette(colours: Sequence[str]) -> list[int]:
    """Red, green and blue of each colour in turn, as a PNG holds them."""
    return [int(colour[at : at + 2], 16) for colour in colours for at in (1, 3, 5)]


def class_palette(count: int) -> list[int]:
    """The colours of so many classes."""
    chosen = class_colours(count)
    return [round(255 * part) for place in range(count) for part in chosen(place)[:3]]


def write_map(folder: Path, values: Integer[np.ndarray, "y x"], colours: Sequence[int]) -> str:
    """Write a map of few kinds as a PNG named by its content; returns the name. A value without a colour is white."""
    image = Image.fromarray(values.astype(np.uint8), "P")
    image.putpalette([*colours, *[255] * (768 - len(colours))])
    return _write(folder, image, "png", "PNG", optimize=True)


def write_photograph(folder: Path, values: Float[np.ndarray, "y x 3"]) -> str:
    """Write an image in [0, 1] as a WebP named by its content; returns the name."""
    image = Image.fromarray((255 * values).round().astype(np.uint8), "RGB")
    image.thumbnail((_LARGEST, _LARGEST))
    return _write(folder, image, "webp", "WEBP", quality=_QUALITY, method=6)


def _write(folder: Path, image: Image.Image, suffix: str, kind: str, **options: object) -> str:
    stream = BytesIO()
    image.save(stream, kind, **options)
    name = f"{hashlib.sha256(stream.getvalue()).hexdigest()[:12]}.{suffix}"
    write_bytes(folder / name, stream.getvalue())
    return name
