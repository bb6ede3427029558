"""Rows of fMoW-Sentinel's CSV files, and the names of the files that follow from a row.

Columns that count: category, location_id, image_id, timestamp, polygon. A column `image_path` is left alone: the
release has none that is right. The release's README states the two ids in the opposite order: its own example and every
reader put the location first. Location ids count within a category and a split, so only the three together are a place.

Rows lie in one NumPy array: half a million Python objects would cost ten times the memory.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from brew import randomness
from brew.errors import BrewError, nearest, unknown

#: fMoW's parts, and what they are in a store. Places do not repeat between them.
SPLITS = {"train": "pretrain", "val": "validation", "test_gt": "test"}
COLUMNS = ("category", "location_id", "image_id", "timestamp", "polygon")
#: Image ids from here on are dates that fMoW-Sentinel added: fMoW-RGB has no image of that number.
ADDED = 100
CATEGORIES = (
    "airport", "airport_hangar", "airport_terminal", "amusement_park", "aquaculture", "archaeological_site", "barn",
    "border_checkpoint", "burial_site", "car_dealership", "construction_site", "crop_field", "dam",
    "debris_or_rubble", "educational_institution", "electric_substation", "factory_or_powerplant", "fire_station",
    "flooded_road", "fountain", "gas_station", "golf_course", "ground_transportation_station", "helipad", "hospital",
    "impoverished_settlement", "interchange", "lake_or_pond", "lighthouse", "military_facility",
    "multi-unit_residential", "nuclear_powerplant", "office_building", "oil_or_gas_facility", "park",
    "parking_lot_or_garage", "place_of_worship", "police_station", "port", "prison", "race_track", "railway_bridge",
    "recreational_facility", "road_bridge", "runway", "shipyard", "shopping_mall", "single-unit_residential",
    "smokestack", "solar_farm", "space_facility", "stadium", "storage_tank", "surface_mine", "swimming_pool",
    "toll_booth", "tower", "tunnel_opening", "waste_disposal", "water_treatment_facility", "wind_farm", "zoo",
)  # fmt: skip
#: One row. split, category: places in SPLITS and CATEGORIES. time: seconds since 1970 in UTC, `NO_TIME` if unknown.
#: bounds: west, south, east, north of the footprint in degrees, NaN if unknown.
ROW = np.dtype(
    [("split", "u1"), ("category", "u1"), ("location", "i4"), ("image", "i4"), ("time", "i8"), ("bounds", "f8", 4)]
)
NO_TIME = np.iinfo(np.int64).min
_SPLIT_NAMES = tuple(SPLITS)
_CHUNK = 50_000
_WHOLE = r"\d{1,9}"
_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z"
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")


def place_of(row: np.void) -> str:
    """The place that a row shows, "train/airport/airport_0": unique in all of fMoW."""
    category = CATEGORIES[row["category"]]
    return f"{_SPLIT_NAMES[row['split']]}/{category}/{category}_{row['location']}"


def name_of(row: np.void, image: int | None = None) -> str:
    """The image that a row names, "train/airport/airport_0/airport_0_6", or another one of its place."""
    place = place_of(row)
    return f"{place}/{place.rpartition('/')[2]}_{row['image'] if image is None else image}"


def split_of(row: np.void) -> str:
    """fMoW's own name of the row's part."""
    return _SPLIT_NAMES[row["split"]]


def read_rows(table: Path, split: str, dated: bool = True, latitude_first: bool = False) -> np.ndarray:
    """All rows of a CSV file, of ROW, sorted by category, location and image.

    split: of SPLITS. dated: whether timestamp and polygon are needed, as for multispectral images. latitude_first: how
    corners are written, if their numbers do not tell: beyond 90 is a longitude.
    Raises BrewError naming the row if a column is missing, a category is a number or unknown, an id is no number, a
    time or polygon cannot be read, or an image is named twice.
    """
    if split not in SPLITS:
        raise unknown("fMoW's split", split, SPLITS)
    header = _header(table, dated)
    chunks, first = [], 1
    try:
        with _frames(table, header) as frames:
            for frame in frames:
                chunks.append(_rows(frame, split, table, first))
                first += len(frame)
    except (pd.errors.ParserError, UnicodeDecodeError) as error:
        raise BrewError(f"{table} cannot be read ({error}); expected CSV in UTF-8. Obtain the file again") from error
    if first == 1:
        raise BrewError(f"{table} names no image; expected rows of {', '.join(COLUMNS)}. Obtain the file again")
    rows = np.concatenate(chunks)
    rows["bounds"] = _bounds(rows["bounds"], table, latitude_first)
    rows = rows[np.lexsort((rows["image"], rows["location"], rows["category"]))]
    same = (rows[1:][["category", "location", "image"]] == rows[:-1][["category", "location", "image"]]).nonzero()[0]
    if len(same):
        raise BrewError(f"{table} names {name_of(rows[same[0]])} twice; expected each image once. Remove one row")
    return rows


def _header(table: Path, dated: bool) -> list[str]:
    if not table.is_file():
        raise BrewError(
            f"{table} does not exist; expected fMoW-Sentinel's list of images. Run `make data BENCHMARK=fmow`"
        )
    try:
        found = list(pd.read_csv(table, nrows=0, encoding="utf-8-sig").columns)
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise BrewError(f"{table} cannot be read ({error}); expected CSV in UTF-8. Obtain the file again") from error
    needed = COLUMNS if dated else COLUMNS[:3]
    missing = [column for column in needed if column not in found]
    if missing:
        raise BrewError(
            f"{table} lacks the column {', '.join(missing)}; found {', '.join(found)}. Take the CSV file of the "
            "fMoW-Sentinel release: derived lists leave columns out"
        )
    return [column for column in COLUMNS if column in found]


def _frames(table: Path, columns: Sequence[str]) -> "pd.io.parsers.TextFileReader":
    return pd.read_csv(
        table, usecols=list(columns), dtype=str, keep_default_na=False, encoding="utf-8-sig", chunksize=_CHUNK,
        on_bad_lines="error",
    )  # fmt: skip


def _rows(frame: pd.DataFrame, split: str, table: Path, first: int) -> np.ndarray:
    """Rows of one chunk; `bounds` as smallest and largest of the corners' first numbers, then of their second ones."""
    rows = np.empty(len(frame), ROW)
    rows["split"] = _SPLIT_NAMES.index(split)
    rows["category"] = _categories(frame["category"], table, first)
    for field, column in (("location", "location_id"), ("image", "image_id")):
        _check_text(frame[column], _WHOLE, "a whole number", table, first)
        rows[field] = frame[column].astype(np.int64)
    if "timestamp" in frame:
        _check_text(frame["timestamp"], _TIME, "a time such as 2016-03-01T10:30:00Z", table, first)
        moments = pd.to_datetime(frame["timestamp"].str.slice(0, 19), format="%Y-%m-%dT%H:%M:%S", errors="coerce")
        _refuse_first(moments.isna(), frame["timestamp"], "a time such as 2016-03-01T10:30:00Z", table, first)
        rows["time"] = moments.to_numpy("datetime64[s]").astype(np.int64)
    else:
        rows["time"] = NO_TIME
    rows["bounds"] = np.nan
    if "polygon" in frame and len(frame):
        rows["bounds"] = [_extremes(text, table, first + index) for index, text in enumerate(frame["polygon"])]
    return rows


def _categories(names: pd.Series, table: Path, first: int) -> np.ndarray:
    places = pd.Index(CATEGORIES).get_indexer(pd.Index(names))
    wrong = np.flatnonzero(places < 0)
    if len(wrong):
        found, row = names.iloc[wrong[0]], first + wrong[0]
        if re.fullmatch(r"\d+", found):
            raise BrewError(
                f"{table}, row {row}: category {found} is a number; expected a name. Readers of fMoW number the "
                "categories differently: take the release's own CSV file"
            )
        raise BrewError(f"{table}, row {row}: category {found!r} is unknown; {nearest(found, CATEGORIES)}")
    return places


def _check_text(values: pd.Series, pattern: str, expected: str, table: Path, first: int) -> None:
    _refuse_first(~values.str.fullmatch(pattern), values, expected, table, first)


def _refuse_first(wrong: pd.Series, values: pd.Series, expected: str, table: Path, first: int) -> None:
    if wrong.any():
        place = int(np.flatnonzero(wrong)[0])
        raise BrewError(
            f"{table}, row {first + place}: {values.name} {values.iloc[place]!r}; expected {expected}. Correct the row"
        )


def _extremes(text: str, table: Path, row: int) -> tuple[float, float, float, float]:
    """Smallest and largest of the corners' first numbers, then of their second ones, whatever writes them as text."""
    numbers = [float(each) for each in _NUMBER.findall(text)]
    if len(numbers) < 6 or len(numbers) % 2:
        raise BrewError(f"{table}, row {row}: polygon {text[:60]!r}; expected the corners of a rectangle. Correct it")
    return min(numbers[::2]), max(numbers[::2]), min(numbers[1::2]), max(numbers[1::2])


def _bounds(extremes: np.ndarray, table: Path, latitude_first: bool) -> np.ndarray:
    """West, south, east, north; which of the corners' numbers is the longitude shows by the range of all rows."""
    beyond = [bool((np.abs(extremes[:, each]) > 90).any()) for each in (slice(0, 2), slice(2, 4))]
    if all(beyond) or (np.abs(np.nan_to_num(extremes)) > 180).any():
        raise BrewError(
            f"{table}: polygons have numbers beyond 90 in both places, or beyond 180; expected longitudes and "
            "latitudes in one order. Obtain the file again"
        )
    longitude_first = beyond[0] or not (beyond[1] or latitude_first)
    return extremes[:, [0, 2, 1, 3] if longitude_first else [2, 0, 3, 1]]


def choose(rows: np.ndarray, categories: Sequence[str] = (), count: int = 0) -> np.ndarray:
    """Rows of some categories, and so many of them that are drawn by key: a larger count holds the smaller one's.

    categories: names of CATEGORIES, all if empty. count: rows, all if 0. The order stays. BrewError for an unknown
    category and for more rows than there are.
    """
    for name in categories:
        if name not in CATEGORIES:
            raise unknown("category", name, CATEGORIES)
    if categories:
        rows = rows[np.isin(rows["category"], [CATEGORIES.index(name) for name in categories])]
    if count < 0 or count > len(rows):
        raise BrewError(f"{count} images asked for; expected 0 for all, or up to the {len(rows)} there are")
    if not count:
        return rows
    return rows[np.sort(np.argsort(_draws(rows, "fmow/choice"), kind="stable")[:count])]


def held_out(rows: np.ndarray, share: float) -> np.ndarray:
    """Which rows belong to a share of the places that is drawn by key: all images of a place stand on one side."""
    places = rows.copy()
    places["image"] = 0
    return _draws(places, "fmow/held-out") < share


def seen_on(rows: np.ndarray, dates: int) -> np.ndarray:
    """Which rows belong to a place that is seen on so many dates at least."""
    _, place, count = np.unique(_place_ids(rows), return_inverse=True, return_counts=True)
    return count[place] >= dates


def with_other_dates(chosen: np.ndarray, rows: np.ndarray, dates: int) -> np.ndarray:
    """(chosen, date) of ROW: each chosen row, then others of its place among `rows`, drawn by key.

    dates: of each place, which `seen_on` holds for.
    """
    others = rows[np.lexsort((_draws(rows, "fmow/dates"), _place_ids(rows)))]
    first = np.searchsorted(_place_ids(others), _place_ids(chosen))
    drawn = others[first[:, None] + np.arange(dates)]
    itself = drawn["image"] == chosen["image"][:, None]
    kept = np.argsort(itself, axis=1, kind="stable")[:, : dates - 1]
    return np.concatenate([chosen[:, None], np.take_along_axis(drawn, kept, axis=1)], axis=1)


def _place_ids(rows: np.ndarray) -> np.ndarray:
    return (rows["split"].astype(np.int64) * 64 + rows["category"]) * 2**24 + rows["location"]


def _draws(rows: np.ndarray, stream: str) -> np.ndarray:
    """A draw in [0, 1) per row, keyed by what the row is."""
    ids = _place_ids(rows) * 2**16 + rows["image"]
    return randomness.uniform(0, 0, torch.from_numpy(ids), stream, 1)[:, 0].numpy()
