"""Aerial images as stores: RSSCN7 (scenes with a class) and HOT buildings (chips with a mask).

Splits are decided by the hash of a file's bytes, so that identical images never stand on two sides and nobody's listing
order matters. Sources: Zou et al. 2015 (RSSCN7, here 128 x 128 JPEG); Humanitarian OpenStreetMap Team's building chips
on OpenAerialMap imagery (about 0.15 m).
"""

import csv
import hashlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from PIL import Image, UnidentifiedImageError

from brew.data.checks import read_raster
from brew.data.store import Variable, write_store
from brew.errors import BrewError
from brew.paths import DATA
from brew.sensors import SENSORS

RSSCN7_SPLITS = DATA / "splits" / "rsscn7.csv"
#: Classes in the order of their numbers.
RSSCN7_CLASSES = ("field", "forest", "grass", "industry", "parking", "resident", "riverlake")
_SHARES = {"train": 0.6, "validation": 0.2, "test": 0.2}
_VALIDATION_SHARE = 0.2


@dataclass(frozen=True)
class Chip:
    """One aerial image. image: (3, y, x) uint8. key: SHA-256 of the file's bytes."""

    path: Path
    key: str
    image: np.ndarray


def read_chip(path: Path, size: int) -> Chip:
    """An RGB image of `size` pixels per side; BrewError where it is cut off, black, or of another size or type."""
    data = path.read_bytes()
    try:
        if path.suffix.lower() in (".tif", ".tiff"):
            with rasterio.open(path) as file:
                image = file.read((1, 2, 3))
        else:
            with Image.open(path) as picture:
                image = np.asarray(picture.convert("RGB")).transpose(2, 0, 1)
    except (OSError, UnidentifiedImageError, rasterio.errors.RasterioError) as error:
        raise BrewError(f"{path} cannot be read ({error}); it may be truncated. Obtain the file again") from error
    if image.shape != (3, size, size) or image.dtype != np.uint8:
        raise BrewError(f"{path}: {image.shape} of {image.dtype}; expected (3, {size}, {size}) of uint8. Resize or convert it")
    if not image.any():
        raise BrewError(f"{path}: all black, which is nodata; expected an image. Leave the chip out")
    return Chip(path, hashlib.sha256(data).hexdigest(), np.ascontiguousarray(image))


def split_by_hash(keys: Mapping[str, str], shares: Mapping[str, float]) -> dict[str, str]:
    """{hash: split}, stratified by class: within each class, hashes in their own order fill one split after another.

    keys: {hash: class}.
    """
    members = defaultdict(list)
    for key, label in keys.items():
        members[label].append(key)
    splits = {}
    for hashes in members.values():
        ends, total = [], 0.0
        for share in shares.values():
            total += share
            ends.append(round(total * len(hashes)))
        for place, key in enumerate(sorted(hashes)):
            splits[key] = next(split for split, end in zip(shares, ends, strict=True) if place < end)
    return splits


def write_rsscn7_splits(root: Path, path: Path = RSSCN7_SPLITS) -> None:
    """Fix the splits as a file of (hash, class, split): 60/20/20 within each class. Done once; the file is in git."""
    keys = {chip.key: label for label in RSSCN7_CLASSES for chip in _rsscn7_class(root, label)}
    splits = split_by_hash(keys, _SHARES)
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("sha256", "class", "split"))
        writer.writerows((key, keys[key], splits[key]) for key in sorted(keys))


def read_rsscn7_splits(path: Path = RSSCN7_SPLITS) -> dict[str, str]:
    """{hash: split} from the file in git."""
    with path.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    if len({row["sha256"] for row in rows}) != len(rows):
        raise BrewError(f"{path}: an image stands in it twice; expected each hash once. Restore the file from git")
    return {row["sha256"]: row["split"] for row in rows}


def _rsscn7_class(root: Path, label: str) -> list[Chip]:
    files = sorted((root / label).glob("*.jpg"))
    if not files:
        raise BrewError(f"{root / label} holds no JPEG; expected the class {label!r} of RSSCN7. Restore the folder")
    return [read_chip(file, 128) for file in files]


def build_rsscn7(root: Path, path: Path) -> None:
    """The store of RSSCN7: `optical` (one date) and `scene`, the class number."""
    splits, images, scenes, parts, seen = read_rsscn7_splits(), [], [], [], set()
    for number, label in enumerate(RSSCN7_CLASSES):
        for chip in _rsscn7_class(root, label):
            if chip.key in seen:
                continue  # the same picture twice would count twice
            if chip.key not in splits:
                raise BrewError(f"{chip.path}: its content is in no split of {RSSCN7_SPLITS}; expected the published files")
            seen.add(chip.key)
            images.append(chip.image)
            scenes.append(number)
            parts.append(splits[chip.key])
    block = {
        "optical": np.stack(images)[:, None],
        "scene": np.array(scenes, dtype=np.int64),
        "split": np.array(parts, dtype=object),
        "hash": np.array([content_hash(image) for image in images], dtype=object),
    }
    variables = {
        "optical": Variable(("sample", "time", "optical_band", "optical_y", "optical_x"), (1, 3, 128, 128), "uint8"),
        "scene": Variable(("sample",), (), "int64"),
        "split": Variable(("sample",), (), "text"),
        "hash": Variable(("sample",), (), "text"),
    }
    attributes = {"source": "RSSCN7", "licence": "not stated: local use only", "units": SENSORS["rgb"].unit}
    write_store(path, len(images), variables, [block], attributes)


def build_hot_buildings(root: Path, path: Path) -> None:
    """The store of HOT buildings: `optical` (one date) and `buildings`, 1 where one stands.

    The 29 published validation chips are the test; validation is drawn from train by hash.
    """
    chips = {part: [read_chip(file, 256) for file in sorted((root / part / "images").glob("*.tif"))] for part in ("train", "val")}
    if not chips["train"] or not chips["val"]:
        raise BrewError(f"{root}: {len(chips['train'])} train and {len(chips['val'])} val chips; expected some of both")
    tested = {chip.key for chip in chips["val"]}
    train = [chip for chip in chips["train"] if chip.key not in tested]
    drawn = split_by_hash({chip.key: "" for chip in train}, {"validation": _VALIDATION_SHARE, "train": 1 - _VALIDATION_SHARE})
    members = [(chip, drawn[chip.key], "train") for chip in train] + [(chip, "test", "val") for chip in chips["val"]]
    masks = []
    for chip, _, part in members:
        file = root / part / "masks" / chip.path.name
        mask = read_raster(file)
        if mask.shape != (256, 256) or not np.isin(mask, (0, 1)).all():
            raise BrewError(f"{file}: mask of {mask.shape} with values {np.unique(mask)[:5].tolist()}; expected 0 and 1")
        masks.append(mask.astype(np.uint8))
    block = {
        "optical": np.stack([chip.image for chip, _, _ in members])[:, None],
        "buildings": np.stack(masks),
        "split": np.array([split for _, split, _ in members], dtype=object),
        "hash": np.array([content_hash(chip.image) for chip, _, _ in members], dtype=object),
    }
    variables = {
        "optical": Variable(("sample", "time", "optical_band", "optical_y", "optical_x"), (1, 3, 256, 256), "uint8"),
        "buildings": Variable(("sample", "optical_y", "optical_x"), (256, 256), "uint8"),
        "split": Variable(("sample",), (), "text"),
        "hash": Variable(("sample",), (), "text"),
    }
    attributes = {
        "source": "HOT buildings",
        "licence": "imagery OpenAerialMap (CC BY 4.0), labels OpenStreetMap (ODbL)",
        "units": SENSORS["rgb"].unit,
    }
    write_store(path, len(members), variables, [block], attributes)


def content_hash(image: np.ndarray) -> str:
    """SHA-256 of an image's pixels: equal for equal pictures, whatever file holds them."""
    return hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest()
