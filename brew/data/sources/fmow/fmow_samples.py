"""One sample of fMoW: which two images are a pair, which ground both show, and what is kept beside their pixels.

A pair is `exact` if both images have one category, location and image number: they lie within 45 days of each other.
Otherwise, if the pairs are by `location`, the optical image of the same place that is nearest in time is taken, which
may be years away. Its candidates are asked for by name, image 0 to 99.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np

from brew.data.labelled import reading
from brew.data.plain import read_json
from brew.data.rasters import content_hash
from brew.data.sources.fmow.fmow_images import read_multispectral, read_optical, resized
from brew.data.sources.fmow.fmow_metadata import Metadata, read_metadata
from brew.data.sources.fmow.fmow_rows import ADDED, NO_TIME, name_of, place_of, split_of
from brew.data.sources.fmow.footprints import Bounds, Policy, box, common, extent, shown
from brew.errors import BrewError


@dataclass(frozen=True)
class FmowSettings:
    """What the store holds.

    images: both of a pair, or one kind alone. pairs: `exact` pairs, or by `location` too. policy: of
    `brew.data.sources.fmow.footprints`. size: multispectral pixels per side. zoom: optical pixels for each of them.
    splits: fMoW's own, of SPLITS. categories: all if empty. count: images, drawn by key, all if 0. held_out: share of
    train's places that validate. failures: images that may fail and are then left out. dates: multispectral images of a
    place in a sample, in the order of time: the one that was chosen, and others that are drawn by key.
    same_ground: in pairs by location, take an optical image whose place was taken out of its file for one of its
    partner's ground. latitude_first: how corners are written, in a list whose numbers do not tell.
    tables: names of other CSV files than `<split>.csv`. memory: MiB that decoding one JPEG may take.
    """

    images: Literal["pairs", "multispectral", "optical"] = "pairs"
    pairs: Literal["exact", "location"] = "exact"
    policy: Policy = "whole"
    size: int = 48
    zoom: int = 8
    splits: tuple[str, ...] = ("train",)
    categories: tuple[str, ...] = ()
    count: int = 0
    held_out: float = 0.0
    failures: int = 0
    dates: int = 1
    same_ground: bool = False
    latitude_first: bool = False
    tables: Mapping[str, str] = field(default_factory=dict)
    memory: int = 1024

    def __post_init__(self) -> None:
        if min(self.size, self.zoom, self.memory) < 1 or self.failures < 0 or not 0 <= self.held_out < 1:
            raise BrewError(
                f"size {self.size}, zoom {self.zoom}, memory {self.memory}, failures {self.failures}, held_out "
                f"{self.held_out}; expected positive sizes, no negative number and a share below 1. Correct them"
            )
        if self.dates < 1 or (self.dates > 1 and self.images == "optical"):
            raise BrewError(
                f"dates {self.dates} of {self.images} images; expected 1, or more of multispectral ones. Correct them"
            )

    @property
    def shows(self) -> tuple[str, ...]:
        """The variables of the images."""
        return ("multispectral", "optical") if self.images == "pairs" else (self.images,)


@dataclass(frozen=True)
class Optical:
    """Where an optical image lies. image: its number in fMoW."""

    picture: Path
    metadata: Path
    image: int


@dataclass(frozen=True)
class Sample:
    """One sample. arrays: images and numbers of the store, without the first dimension. texts: by variable."""

    arrays: dict[str, np.ndarray]
    texts: dict[str, str]


def multispectral_file(root: Path, row: np.void) -> Path:
    """By the release's layout, location before image."""
    return root / "fmow-sentinel" / f"{name_of(row)}.tif"


def optical_file(root: Path, row: np.void, image: int) -> Optical:
    """By fMoW-RGB's layout; images of `test_gt` by the ground truth's list of names, if they have none of their own."""
    stem = root / "fmow-rgb" / f"{name_of(row, image)}_rgb"
    picture = stem.with_suffix(".jpg")
    if split_of(row) == "test_gt" and not picture.is_file():
        folder = _test_folders(root / "fmow-rgb" / "test_gt_mapping.json").get(place_of(row))
        if folder:
            picture = root / "fmow-rgb" / folder / f"{Path(folder).name}_{image}_rgb.jpg"
    return Optical(picture, stem.with_suffix(".json"), image)


@lru_cache(maxsize=4)
def _test_folders(file: Path) -> dict[str, str]:
    """{place with its label: folder without it} of fMoW-RGB's test images; empty without the ground truth's list."""
    if not file.is_file():
        return {}
    records = read_json(file)
    with reading(file):
        return {str(record["input"]).strip("/"): str(record["output"]).strip("/") for record in records}


def candidates(root: Path, row: np.void, settings: FmowSettings) -> list[Optical]:
    """Optical images that may be the row's partner: the one of its own number, else all of its place that exist."""
    if settings.images == "optical" or settings.pairs == "exact":
        return [optical_file(root, row, int(row["image"]))]
    if row["image"] < ADDED:
        own = optical_file(root, row, int(row["image"]))
        if own.picture.is_file():
            return [own]
    numbered = (optical_file(root, row, image) for image in range(ADDED))
    return [each for each in numbered if each.picture.is_file()]


def read_sample(root: Path, rows: np.ndarray, settings: FmowSettings) -> Sample:
    """The images of a chosen row, and of other dates of its place, on their common ground.

    rows: (date,) of ROW, the chosen one first. Raises BrewError naming the file that is wrong.
    """
    row, in_time = rows[0], rows[np.argsort(rows["time"], kind="stable")]
    footprint: Bounds = tuple(row["bounds"].tolist())
    partner, metadata = _partner(root, row, settings) if "optical" in settings.shows else (None, None)
    kind = "" if partner is None else "exact" if partner.image == row["image"] else "location"
    if settings.images == "optical":
        assert metadata is not None
        footprint = metadata.bounds or footprint
        optical_ground = footprint
    else:
        _check_placed(footprint, row)
        optical_ground = _ground_of(metadata, partner, kind, footprint, settings) if metadata and partner else footprint
    both = footprint if optical_ground == footprint else common(footprint, optical_ground)
    if kind == "exact":
        both = optical_ground = footprint  # one image's footprint, which the list and the file state once each
    for other in rows[1:]:
        _check_placed(tuple(other["bounds"].tolist()), other)
        both = common(both, tuple(other["bounds"].tolist()))
    square = shown(both, settings.policy)

    def per_date(values: np.ndarray) -> np.ndarray:
        return values if settings.dates > 1 else values[0, ...]

    arrays: dict[str, np.ndarray] = {}
    if "multispectral" in settings.shows:
        images = [_multispectral(root, each, square, settings.size) for each in in_time]
        arrays["multispectral"] = np.stack([image for image, _ in images])
        arrays["original_size"] = per_date(np.array([size for _, size in images], np.int32))
        arrays["date"] = per_date(in_time["time"].astype(np.int64))
    if partner is not None and metadata is not None:
        pixels, size = read_optical(
            partner.picture, lambda width, height: box(optical_ground, square, width, height),
            settings.size * settings.zoom, settings.memory * 2**20,
        )  # fmt: skip
        arrays |= {
            "optical": pixels[None] if settings.dates == 1 else pixels,
            "optical_original_size": np.array(size, np.int32),
            "optical_date": np.array(metadata.time, np.int64),
            "optical_metres": np.array(metadata.metres, np.float32),
            "object_box": _object(metadata, box(optical_ground, square, size[1], size[0])),
        }
    arrays |= {
        "image": per_date(in_time["image"].astype(np.int32)),
        "place": np.array(square, np.float64),
        "metres": np.array(extent(square), np.float32),
    }
    texts = {"origin": name_of(row), "location": place_of(row), "category": place_of(row).split("/")[1]}
    texts["hash"] = content_hash(*(arrays[name] for name in settings.shows))
    return Sample(arrays, texts | ({"pair": kind} if settings.images == "pairs" else {}))


def _multispectral(root: Path, row: np.void, square: Bounds, side: int) -> tuple[np.ndarray, tuple[int, int]]:
    """A date's image of the square, (band, y, x), and its file's rows and columns."""
    stored = read_multispectral(multispectral_file(root, row))
    height, width = stored.shape[1:]
    return resized(stored, box(tuple(row["bounds"].tolist()), square, width, height), side), (height, width)


def _object(metadata: Metadata, edges: tuple[float, float, float, float]) -> np.ndarray:
    """x, y, width, height of the first object as shares of the square with these edges, NaN without an object."""
    if not metadata.boxes:
        return np.full(4, np.nan, np.float32)
    (x, y, width, height), (left, upper, right, lower) = metadata.boxes[0], edges
    across, down = right - left, lower - upper
    return np.array([(x - left) / across, (y - upper) / down, width / across, height / down], np.float32)


def _partner(root: Path, row: np.void, settings: FmowSettings) -> tuple[Optical, Metadata]:
    """The candidate that is nearest in time, the one of the smaller number if two are."""
    found = candidates(root, row, settings)
    if not found:
        raise BrewError(
            f"{root / 'fmow-rgb' / place_of(row)} has no image 0 to {ADDED - 1}; expected an optical image of that "
            "place. Obtain it, or leave the place out of the list"
        )
    if len(found) == 1:
        return found[0], read_metadata(found[0].metadata)
    read = [(each, read_metadata(each.metadata)) for each in found]
    return min(read, key=lambda pair: (abs(pair[1].time - int(row["time"])), pair[0].image))


def _ground_of(metadata: Metadata, partner: Optical, kind: str, footprint: Bounds, settings: FmowSettings) -> Bounds:
    """The optical image's ground, in degrees."""
    if metadata.bounds is not None:
        return metadata.bounds
    if kind == "exact" or settings.same_ground:
        return footprint
    raise BrewError(
        f"{partner.metadata} has no raw_location, and the image is of another date than its partner; expected its "
        "place, since the two may show other ground. Take the files of the ground truth, or set `same_ground`"
    )


def _check_placed(footprint: Bounds, row: np.void) -> None:
    west, south, east, north = footprint
    if not (west < east and south < north) or row["time"] == NO_TIME:
        raise BrewError(f"{name_of(row)}: footprint {footprint}; expected a rectangle and a time. Correct its row")
