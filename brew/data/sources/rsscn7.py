"""RSSCN7 as a store: aerial scenes of seven classes, at 128 x 128.

Two copies are read: the authors' pictures of 400 x 400, and a copy that somebody reduced to 128 x 128. Splits name
pictures by class and file, and a fingerprint tells whether a picture is the one that is meant.

Source: Zou et al. 2015, doi 10.1109/LGRS.2015.2475299.
"""

import csv
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from brew.data.manifest import read_manifest
from brew.data.sources.chips import Chip, chip_variables, read_chips, read_image, read_splits, write_splits
from brew.data.sources.fingerprints import TOLERANCE, difference, fingerprint
from brew.data.store import Variable, write_store
from brew.errors import BrewError
from brew.files import DATA, sha256

LICENCE = "not stated: local use only"
#: Classes in the order of their numbers, and the authors' folder of each.
FOLDERS = {
    "field": "bField",
    "forest": "eForest",
    "grass": "aGrass",
    "industry": "cIndustry",
    "parking": "gParking",
    "resident": "fResident",
    "riverlake": "dRiverLake",
}
CLASSES = tuple(FOLDERS)
OBTAIN = f"unpack the authors' RSSCN7 (400 x 400 JPEG) there, with its folders {', '.join(sorted(FOLDERS.values()))}"
#: The splits with the pictures' fingerprints, in git.
SPLITS = DATA / "splits" / "rsscn7.csv"
_SHARES = {"train": 0.6, "validation": 0.2, "test": 0.2}
#: Pixels per side: of the store, and of the authors' pictures.
_SIZE, _ORIGINAL = 128, 400


def check(manifest: Path, root: Path) -> str:
    """What identifies the pictures below `root`, after all were found to be those that the splits name.

    That is the manifest's hash if they have its bytes, and a hash of names and contents for another copy.
    Raises BrewError for a picture that is missing, not sound, or another one than its fingerprint says.
    """
    pictures = find_pictures(root, read_splits(SPLITS, "picture"))
    with SPLITS.open(newline="") as stream:
        expected = {row["picture"]: row["fingerprint"] for row in csv.DictReader(stream)}
    for name, path in pictures.items():
        far = difference(fingerprint(_reduced(path)), expected[name])
        if far > TOLERANCE:
            raise BrewError(
                f"{path}: another picture than {SPLITS.name} means, {far:.1f} grey levels away in the mean over 8 x 8 "
                f"parts; expected {TOLERANCE} at most. Put the authors' picture there: {OBTAIN}"
            )
    contents = {path.relative_to(root).as_posix(): sha256(path) for path in pictures.values()}
    if contents == {name: content for name, (_, content) in read_manifest(manifest).files.items()}:
        return sha256(manifest)
    lines = [f"{content}  {name}\n" for name, content in sorted(contents.items())]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def find_pictures(root: Path, names: Iterable[str]) -> dict[str, Path]:
    """{name: file} of pictures such as `grass/a001.jpg`, in folders of the classes' names or of the authors'.

    Other files are left alone: the authors' archive holds more pictures than the splits name. Raises BrewError for a
    class with no folder or with two, and for a missing picture.
    """
    folders = {label: _folder(root, label) for label in CLASSES}
    pictures = {name: folders[name.split("/")[0]] / name.split("/")[1] for name in names}
    for path in pictures.values():
        if not path.is_file():
            raise BrewError(f"{path} is missing; expected what {SPLITS.name} names. To obtain it: {OBTAIN}")
    return pictures


def build(root: Path, path: Path) -> None:
    """Write the store: `optical` (one date) and `scene`, the class number.

    Raises BrewError for a picture that is missing or not sound.
    """
    splits = read_splits(SPLITS, "picture")
    chips = [Chip(file, name, _reduced(file)) for name, file in find_pictures(root, splits).items()]
    labels = np.array([CLASSES.index(chip.key.split("/")[0]) for chip in chips], dtype=np.int64)
    variables, block = chip_variables(chips, [splits[chip.key] for chip in chips], root)
    attributes = {"source": "RSSCN7", "licence": LICENCE, "classes": list(CLASSES)}
    variables["scene"] = Variable(("sample",), (), "int64")
    write_store(path, len(chips), variables, [block | {"scene": labels}], attributes)


def split_by_hash(keys: Mapping[str, str], shares: Mapping[str, float]) -> dict[str, str]:
    """{hash: split}, stratified by class: in each class, sorted hashes fill one split after another.

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


def fix_splits(root: Path, path: Path = SPLITS) -> None:
    """Fix the splits as a file: 60/20/20 within each class, by the hashes of the files of the reduced copy.

    Of equal files the first is kept. Done once; the file is in git.
    """
    chips: dict[str, tuple[str, Chip]] = {}
    for label in CLASSES:
        for chip in read_chips(_folder(root, label), "*.jpg", _SIZE):
            chips.setdefault(chip.key, (label, chip))
    splits = split_by_hash({key: label for key, (label, _) in chips.items()}, _SHARES)
    rows = [(f"{label}/{chip.path.name}", splits[key], fingerprint(chip.image)) for key, (label, chip) in chips.items()]
    write_splits(path, ("picture", "split", "fingerprint"), rows)


def _folder(root: Path, label: str) -> Path:
    found = [root / name for name in (label, FOLDERS[label]) if (root / name).is_dir()]
    if len(found) != 1:
        raise BrewError(
            f"{root} holds {len(found)} folders of the class {label}; expected one, {FOLDERS[label]} as the authors' "
            f"archive has it or {label}. To obtain it: {OBTAIN}"
        )
    return found[0]


def _reduced(path: Path) -> UInt8[np.ndarray, "3 y x"]:
    """The picture at 128 x 128: as it is, or reduced from 400 x 400 by Pillow's Lanczos filter."""
    image = read_image(path)
    if image.shape == (3, _ORIGINAL, _ORIGINAL):
        picture = Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0)))
        image = np.asarray(picture.resize((_SIZE, _SIZE), Image.Resampling.LANCZOS)).transpose(2, 0, 1)
    if image.shape != (3, _SIZE, _SIZE):
        raise BrewError(
            f"{path}: {image.shape[2]} x {image.shape[1]} pixels; expected {_ORIGINAL} x {_ORIGINAL} as the authors' "
            f"archive has it, or {_SIZE} x {_SIZE}. To obtain it: {OBTAIN}"
        )
    return np.ascontiguousarray(image)
