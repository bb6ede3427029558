"""Aerial chips and their fixed splits: what the sources of single pictures share.

Splits are files in git, decided by hashes of the pictures' bytes. Nobody's listing order matters, and identical
pictures never stand on two sides.
"""

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from brew.data.rasters import check_disjoint, content_hash, raster_descriptions, read_picture, read_raster
from brew.data.store import IMAGES, Variable
from brew.errors import BrewError
from brew.files import replacing, search, sha256

#: What a file of splits may say of an image.
_SPLITS = ("train", "validation", "test", "left out")


@dataclass(frozen=True)
class Chip:
    """One aerial image. key: what the splits know it by, the SHA-256 of the file's bytes or a name."""

    path: Path
    key: str
    image: UInt8[np.ndarray, "3 y x"]


def read_chips(folder: Path, pattern: str, size: int) -> list[Chip]:
    """The images of a folder in the order of their names; BrewError if there is none, and as `read_chip` says."""
    paths = search(folder, pattern)
    if not paths:
        raise BrewError(f"{folder} holds no {pattern}; expected the source's pictures. Restore the folder")
    return [read_chip(path, size) for path in paths]


def read_chip(path: Path, size: int) -> Chip:
    """An RGB image of `size` pixels per side; BrewError if it has another size, and as `read_image` says."""
    image = read_image(path)
    if image.shape != (3, size, size):
        raise BrewError(f"{path}: {image.shape} of {image.dtype}; expected (3, {size}, {size}) of uint8. Convert it")
    return Chip(path, sha256(path), image)


def read_image(path: Path) -> UInt8[np.ndarray, "3 y x"]:
    """An RGB image; BrewError if it is cut off, black, or of another type."""
    tiff = path.suffix.lower() in (".tif", ".tiff")
    image = _read_tiff(path) if tiff else read_picture(path, ("RGB",)).transpose(2, 0, 1)
    if image.dtype != np.uint8:
        raise BrewError(f"{path}: {image.shape} of {image.dtype}; expected uint8. Convert it")
    if not image.any():
        raise BrewError(f"{path}: all black, which is nodata; expected an image. Leave the chip out")
    return np.ascontiguousarray(image)


def _read_tiff(path: Path) -> np.ndarray:
    bands = len(raster_descriptions(path))
    if bands != 3:
        raise BrewError(f"{path} has {bands} bands; expected red, green and blue. Convert the file")
    return np.stack([read_raster(path, index) for index in (1, 2, 3)])


def read_splits(path: Path, key: str = "sha256") -> dict[str, str]:
    """{key: split} from a file in git, in its order; BrewError if it is damaged, or an image stands in two splits.

    key: the column by which the file knows images.
    """
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BrewError(f"{path} cannot be read ({error}); expected a CSV file in UTF-8. Restore it") from error
    if not rows or any(not row.get(key) or row.get("split") not in _SPLITS for row in rows):
        raise BrewError(f"{path}: a row lacks {key!r}, or names no split of {', '.join(_SPLITS)}. Restore the file")
    members: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        members[row["split"]].add(row[key])
    check_disjoint(members, f"{path}: image")
    return {row[key]: row["split"] for row in rows}


def write_splits(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write splits as CSV, one row per image. `header` names the key, `split` and whatever else is known."""
    with replacing(path) as partial, partial.open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def check_known(chip: Chip, splits: Mapping[str, str], path: Path) -> None:
    """BrewError if the splits, which were read from `path`, do not name the chip."""
    if chip.key not in splits:
        raise BrewError(
            f"{chip.path}: its content is in no split of {path.name}; expected the files of the source's manifest. "
            "Move it away, or obtain it again as data/README.md says"
        )


def chip_variables(
    chips: Sequence[Chip], splits: Sequence[str], root: Path
) -> tuple[dict[str, Variable], dict[str, np.ndarray]]:
    """A store's variables, and one block of all chips: images, splits, names of files below `root`, hashes."""
    text = {
        "split": list(splits),
        "origin": [chip.path.relative_to(root).as_posix() for chip in chips],
        "hash": [content_hash(chip.image) for chip in chips],
    }
    optical = np.stack([chip.image for chip in chips])[:, None]
    variables = {"optical": Variable(IMAGES["optical"][1], optical.shape[1:], "uint8")}
    variables |= {name: Variable(("sample",), (), "text") for name in text}
    return variables, {"optical": optical} | {name: np.array(values, dtype=object) for name, values in text.items()}
