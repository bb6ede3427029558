"""Aerial images as stores: RSSCN7 (scenes with a class) and HOT buildings (chips with a mask).

Splits are fixed files in git, decided by hashes of the files' bytes: nobody's listing order matters, and identical
images never stand on two sides. HOT buildings shows the same ground in map tiles of three zoom levels, so there all
chips of one ground stay on one side, and published training chips with ground of a published validation chip are left
out.

Sources: Zou et al. 2015, doi 10.1109/LGRS.2015.2475299 (RSSCN7, here as 128 x 128 JPEG); Humanitarian OpenStreetMap
Team's building chips on OpenAerialMap imagery (about 0.15 m at the finest zoom).
"""

import csv
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from brew.data.rasters import check_disjoint, content_hash, raster_descriptions, read_band, read_raster
from brew.data.store import Variable, write_store
from brew.errors import BrewError
from brew.files import DATA

RSSCN7_SPLITS = DATA / "splits" / "rsscn7.csv"
HOT_SPLITS = DATA / "splits" / "hot_buildings.csv"
RSSCN7_LICENCE = "not stated: local use only"
HOT_LICENCE = "imagery OpenAerialMap (CC BY 4.0), labels OpenStreetMap (ODbL)"
#: Classes in the order of their numbers.
RSSCN7_CLASSES = ("field", "forest", "grass", "industry", "parking", "resident", "riverlake")
#: Chips of `HOT_SPLITS` that are in no split.
LEFT_OUT = "left out"
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
    image = _read_tiff(path) if path.suffix.lower() in (".tif", ".tiff") else _read_picture(path)
    if image.shape != (3, size, size) or image.dtype != np.uint8:
        raise BrewError(f"{path}: {image.shape} of {image.dtype}; expected (3, {size}, {size}) of uint8. Convert it")
    if not image.any():
        raise BrewError(f"{path}: all black, which is nodata; expected an image. Leave the chip out")
    return Chip(path, hashlib.sha256(path.read_bytes()).hexdigest(), np.ascontiguousarray(image))


def _read_tiff(path: Path) -> np.ndarray:
    bands = len(raster_descriptions(path))
    if bands != 3:
        raise BrewError(f"{path} has {bands} bands; expected red, green and blue. Convert the file")
    return np.stack([read_band(path, index).values for index in (1, 2, 3)])


def _read_picture(path: Path) -> np.ndarray:
    try:
        with Image.open(path) as picture:
            if picture.mode != "RGB":
                raise BrewError(f"{path}: mode {picture.mode}; expected RGB. Convert the file")
            return np.asarray(picture).transpose(2, 0, 1)
    except (OSError, UnidentifiedImageError) as error:
        raise BrewError(f"{path} cannot be read ({error}); it may be truncated. Obtain the file again") from error


# --- RSSCN7 ---


def build_rsscn7(root: Path, path: Path) -> None:
    """The store of RSSCN7: `optical` (one date) and `scene`, the class number. Of equal files one is kept."""
    splits = read_splits(RSSCN7_SPLITS)
    chips = {chip.key: (chip, label) for label in RSSCN7_CLASSES for chip in _rsscn7_class(root, label)}
    for chip, _ in chips.values():
        _check_known(chip, splits, RSSCN7_SPLITS)
    members = [chip for chip, _ in chips.values()]
    labels = np.array([RSSCN7_CLASSES.index(label) for _, label in chips.values()], dtype=np.int64)
    variables, block = _columns(members, [splits[chip.key] for chip in members], root)
    attributes = {"source": "RSSCN7", "licence": RSSCN7_LICENCE, "classes": list(RSSCN7_CLASSES)}
    variables["scene"] = Variable(("sample",), (), "int64")
    write_store(path, len(members), variables, [block | {"scene": labels}], attributes)


def split_by_hash(keys: Mapping[str, str], shares: Mapping[str, float]) -> dict[str, str]:
    """{hash: split}, stratified by class: within each class, hashes in their own order fill one split after another.

    keys: {hash: class}. shares: of each split, in this order; they add up to 1.
    """
    members = defaultdict(list)
    for key, label in keys.items():
        members[label].append(key)
    ends = np.cumsum(list(shares.values()))
    return {
        key: list(shares)[int(np.searchsorted(np.round(ends * len(hashes)), place, side="right"))]
        for hashes in members.values()
        for place, key in enumerate(sorted(hashes))
    }


def write_rsscn7_splits(root: Path, path: Path = RSSCN7_SPLITS) -> None:
    """Fix the splits as a file: 60/20/20 within each class. Done once; the file is in git."""
    keys = {chip.key: label for label in RSSCN7_CLASSES for chip in _rsscn7_class(root, label)}
    splits = split_by_hash(keys, _SHARES)
    _write_csv(path, ("sha256", "class", "split"), [(key, keys[key], splits[key]) for key in sorted(keys)])


def _rsscn7_class(root: Path, label: str) -> list[Chip]:
    files = sorted((root / label).glob("*.jpg"))
    if not files:
        raise BrewError(f"{root / label} holds no JPEG; expected the class {label!r} of RSSCN7. Restore the folder")
    return [read_chip(file, 128) for file in files]


# --- HOT buildings ---


@dataclass(frozen=True)
class MapTile:
    """A tile of the web map: its ground is that of four tiles of the next zoom level."""

    x: int
    y: int
    zoom: int

    @classmethod
    def of(cls, path: Path) -> "MapTile":
        """The tile that a chip's name says ("OAM-1238448-1046528-21.tif")."""
        parts = path.stem.split("-")
        if len(parts) != 4 or not all(part.isdigit() for part in parts[1:]):
            raise BrewError(f"{path}: name without a map tile; expected OAM-<x>-<y>-<zoom>.tif. Restore the name")
        return cls(*(int(part) for part in parts[1:]))

    def covers(self, other: "MapTile") -> bool:
        """Whether the other tile's ground is part of this one's; a tile covers itself."""
        finer = other.zoom - self.zoom
        return finer >= 0 and (other.x >> finer, other.y >> finer) == (self.x, self.y)


def hot_splits(train: Mapping[MapTile, str], test: Mapping[MapTile, str]) -> dict[MapTile, str]:
    """{tile: split} of the published training and validation chips, given as {tile: hash}.

    The published validation chips are the test. Training chips that share ground or content with one are left out. The
    others fall into groups of one ground; groups in the order of the hash of their coarsest chip go to validation as
    long as a fifth of the chips is not exceeded.
    """
    tested = set(test.values())
    splits = {tile: "test" for tile in test}
    kept = {}
    for tile, key in train.items():
        if key in tested or any(tile.covers(other) or other.covers(tile) for other in test):
            splits[tile] = LEFT_OUT
        else:
            kept[tile] = key
    coarsest = [tile for tile in kept if not any(other.covers(tile) for other in kept if other != tile)]
    room = round(_VALIDATION_SHARE * len(kept))
    for root in sorted(coarsest, key=lambda tile: kept[tile]):
        group = [tile for tile in kept if root.covers(tile)]
        taken = len(group) <= room
        room -= len(group) if taken else 0
        splits |= dict.fromkeys(group, "validation" if taken else "train")
    return splits


def write_hot_splits(root: Path, path: Path = HOT_SPLITS) -> None:
    """Fix the splits as a file. Done once; the file is in git."""
    train, test = ({MapTile.of(chip.path): chip.key for chip in _hot_part(root, part)} for part in ("train", "val"))
    keys = train | test
    splits = hot_splits(train, test)
    rows = [(keys[tile], f"{tile.x}-{tile.y}-{tile.zoom}", split) for tile, split in splits.items()]
    _write_csv(path, ("sha256", "tile", "split"), sorted(rows))


def build_hot_buildings(root: Path, path: Path) -> None:
    """The store of HOT buildings: `optical` (one date) and `buildings`, 1 where one stands."""
    splits = read_splits(HOT_SPLITS)
    chips, masks = [], []
    for part in ("train", "val"):
        for chip in _hot_part(root, part):
            _check_known(chip, splits, HOT_SPLITS)
            if splits[chip.key] == LEFT_OUT:
                continue
            file = root / part / "masks" / chip.path.name
            mask = read_raster(file)
            if mask.shape != (256, 256) or not np.isin(mask, (0, 1)).all():
                values = np.unique(mask)[:5].tolist()
                raise BrewError(f"{file}: mask of {mask.shape} with values {values}; expected (256, 256) with 0 and 1")
            chips.append(chip)
            masks.append(mask.astype(np.uint8))
    variables, block = _columns(chips, [splits[chip.key] for chip in chips], root)
    variables["buildings"] = Variable(("sample", "optical_y", "optical_x"), (256, 256), "uint8")
    attributes = {"source": "HOT buildings", "licence": HOT_LICENCE}
    write_store(path, len(chips), variables, [block | {"buildings": np.stack(masks)}], attributes)


def _hot_part(root: Path, part: str) -> list[Chip]:
    files = sorted((root / part / "images").glob("*.tif"))
    if not files:
        raise BrewError(
            f"{root / part / 'images'} holds no GeoTIFF; expected chips of HOT buildings. Restore the folder"
        )
    return [read_chip(file, 256) for file in files]


# --- both ---


def read_splits(path: Path) -> dict[str, str]:
    """{hash: split} from a file in git; BrewError where an image stands in two splits."""
    with path.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    members: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        members[row["split"]].add(row["sha256"])
    check_disjoint(members, f"{path}: image")
    return {row["sha256"]: row["split"] for row in rows}


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def _check_known(chip: Chip, splits: Mapping[str, str], path: Path) -> None:
    if chip.key not in splits:
        raise BrewError(f"{chip.path}: its content is in no split of {path.name}; expected the files of the manifest")


def _columns(
    chips: Sequence[Chip], splits: Sequence[str], root: Path
) -> tuple[dict[str, Variable], dict[str, np.ndarray]]:
    """What both stores hold: images, splits, file names, hashes."""
    text = {
        "split": list(splits),
        "origin": [chip.path.relative_to(root).as_posix() for chip in chips],
        "hash": [content_hash(chip.image) for chip in chips],
    }
    optical = np.stack([chip.image for chip in chips])[:, None]
    dims = ("sample", "time", "optical_band", "optical_y", "optical_x")
    variables = {"optical": Variable(dims, optical.shape[1:], "uint8")}
    variables |= {name: Variable(("sample",), (), "text") for name in text}
    return variables, {"optical": optical} | {name: np.array(values, dtype=object) for name, values in text.items()}
