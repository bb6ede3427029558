"""HOT buildings as a store: aerial chips with building masks.

The chips show the same ground in map tiles of three zoom levels. So all chips of one ground stay on one side, and
published training chips with ground of a published validation chip are left out.

Source: Humanitarian OpenStreetMap Team's building chips on OpenAerialMap imagery, about 0.15 m at the finest zoom.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from brew.data.rasters import read_raster
from brew.data.sources.chips import Chip, check_known, chip_variables, read_chips, read_splits, write_splits
from brew.data.store import IMAGES, Variable, write_store
from brew.errors import BrewError
from brew.files import DATA

LICENCE = "imagery OpenAerialMap (CC BY 4.0), labels OpenStreetMap (ODbL)"
#: The splits, in git.
SPLITS = DATA / "splits" / "hot_buildings.csv"
#: Chips of `SPLITS` that are in no split.
LEFT_OUT = "left out"
_VALIDATION_SHARE = 0.2
#: Pixels per side.
_SIZE = 256


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


def split_by_ground(train: Mapping[MapTile, str], test: Mapping[MapTile, str]) -> dict[MapTile, str]:
    """{tile: split} of the published training and validation chips, given as {tile: hash}.

    The published validation chips are the test. Training chips that share ground or content with one are left out.
    The others fall into groups of one ground. Groups go to validation, sorted by the hash of their coarsest chip, as
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


def fix_splits(root: Path, path: Path = SPLITS) -> None:
    """Fix the splits as a file. Done once; the file is in git."""
    train, test = ({MapTile.of(chip.path): chip.key for chip in _read_part(root, part)} for part in ("train", "val"))
    keys = train | test
    splits = split_by_ground(train, test)
    rows = [(keys[tile], f"{tile.x}-{tile.y}-{tile.zoom}", split) for tile, split in splits.items()]
    write_splits(path, ("sha256", "tile", "split"), sorted(rows))


def build(root: Path, path: Path) -> None:
    """Write the store: `optical` (one date) and `buildings`, 1 where one stands.

    Raises BrewError for a part without chips, a chip or mask that is not sound, and a chip that is in no split.
    """
    splits = read_splits(SPLITS)
    chips, masks = [], []
    for part in ("train", "val"):
        for chip in _read_part(root, part):
            check_known(chip, splits, SPLITS)
            if splits[chip.key] == LEFT_OUT:
                continue
            chips.append(chip)
            masks.append(_read_mask(root / part / "masks" / chip.path.name))
    variables, block = chip_variables(chips, [splits[chip.key] for chip in chips], root)
    variables["buildings"] = Variable(("sample", *IMAGES["optical"][1][3:]), (_SIZE, _SIZE), "uint8")
    attributes = {"source": "HOT buildings", "licence": LICENCE}
    write_store(path, len(chips), variables, [block | {"buildings": np.stack(masks)}], attributes)


def _read_part(root: Path, part: str) -> list[Chip]:
    return read_chips(root / part / "images", "*.tif", _SIZE)


def _read_mask(file: Path) -> np.ndarray:
    mask = read_raster(file)
    if mask.shape != (_SIZE, _SIZE) or not np.isin(mask, (0, 1)).all():
        values = np.unique(mask)[:5].tolist()
        raise BrewError(
            f"{file}: mask of {mask.shape} with values {values}; expected {(_SIZE, _SIZE)} with 0 and 1. Obtain the "
            "file again"
        )
    return mask.astype(np.uint8)
