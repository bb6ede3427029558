"""RSSCN7 as a store: aerial scenes of seven classes, here as 128 x 128 JPEG.

Source: Zou et al. 2015, doi 10.1109/LGRS.2015.2475299.
"""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from brew.data.sources.chips import Chip, check_known, chip_variables, read_chips, read_splits, write_splits
from brew.data.store import Variable, write_store
from brew.files import DATA

LICENCE = "not stated: local use only"
#: Classes in the order of their numbers.
CLASSES = ("field", "forest", "grass", "industry", "parking", "resident", "riverlake")
#: The splits, in git.
SPLITS = DATA / "splits" / "rsscn7.csv"
_SHARES = {"train": 0.6, "validation": 0.2, "test": 0.2}
#: Pixels per side.
_SIZE = 128


def build(root: Path, path: Path) -> None:
    """Write the store: `optical` (one date) and `scene`, the class number. Of equal files one is kept.

    Raises BrewError for a class without pictures, a picture that is not sound, and one that is in no split.
    """
    splits = read_splits(SPLITS)
    chips = {chip.key: (chip, label) for label in CLASSES for chip in _read_class(root, label)}
    for chip, _ in chips.values():
        check_known(chip, splits, SPLITS)
    members = [chip for chip, _ in chips.values()]
    labels = np.array([CLASSES.index(label) for _, label in chips.values()], dtype=np.int64)
    variables, block = chip_variables(members, [splits[chip.key] for chip in members], root)
    attributes = {"source": "RSSCN7", "licence": LICENCE, "classes": list(CLASSES)}
    variables["scene"] = Variable(("sample",), (), "int64")
    write_store(path, len(members), variables, [block | {"scene": labels}], attributes)


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
    """Fix the splits as a file: 60/20/20 within each class. Done once; the file is in git."""
    keys = {chip.key: label for label in CLASSES for chip in _read_class(root, label)}
    splits = split_by_hash(keys, _SHARES)
    write_splits(path, ("sha256", "class", "split"), [(key, keys[key], splits[key]) for key in sorted(keys)])


def _read_class(root: Path, label: str) -> list[Chip]:
    return read_chips(root / label, "*.jpg", _SIZE)
