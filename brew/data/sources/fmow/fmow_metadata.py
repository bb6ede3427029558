"""The JSON file beside an fMoW-RGB image: what is used of it, in the forms in which it is found.

`bounding_boxes` is a list, in old files one object; the ground truth adds an entry of ID -1 that holds the place.
Places were taken out of the challenge's files. What some files lack, such as `abs_cal_factors`, is not used.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from brew.data.labelled import reading
from brew.data.plain import read_json
from brew.data.sources.fmow.footprints import Bounds
from brew.errors import BrewError

#: Boxes up to this many pixels per side are no objects, as for the authors' baseline.
_SMALL = 2
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?Z")


@dataclass(frozen=True)
class Metadata:
    """time: seconds since 1970 in UTC. metres: ground sampling distance, NaN if it is not told. bounds: None if taken
    out. boxes: x, y, width, height of every object in pixels of the published image."""

    time: int
    metres: float
    bounds: Bounds | None
    boxes: tuple[tuple[float, float, float, float], ...]


def read_metadata(file: Path) -> Metadata:
    """BrewError naming the file if it is absent or damaged, or its time, place or boxes cannot be read."""
    found = read_json(file)
    with reading(file):
        if not isinstance(found, dict):
            raise BrewError(f"holds {type(found).__name__}; expected an object of fMoW-RGB. Obtain it again")
        entries = _entries(found.get("bounding_boxes", []))
        location = next((each["raw_location"] for each in (found, *entries) if each.get("raw_location")), None)
        metres = found.get("gsd")
        return Metadata(
            _time(found.get("timestamp")),
            float(metres) if isinstance(metres, int | float) else float("nan"),
            None if location is None else _bounds(str(location)),
            tuple(_objects(entries)),
        )


def _entries(boxes: Any) -> list[dict[str, Any]]:
    """The entries of `bounding_boxes`, which is one object in old files."""
    listed = boxes if isinstance(boxes, list) else [boxes]
    if not all(isinstance(each, dict) for each in listed):
        raise BrewError(f"bounding_boxes {str(boxes)[:60]}; expected objects. Obtain the file again")
    return listed


def _objects(entries: list[dict[str, Any]]) -> list[tuple[float, float, float, float]]:
    objects = []
    for entry in entries:
        if entry.get("ID") == -1 or "box" not in entry:
            continue
        x, y, width, height = (float(each) for each in entry["box"])
        if min(width, height) > _SMALL:
            objects.append((x, y, width, height))
    return objects


def _time(text: Any) -> int:
    found = _TIME.fullmatch(str(text))
    if not found:
        raise BrewError(f"timestamp {text!r}; expected a time such as 2016-03-01T10:30:00Z. Obtain the file again")
    return int(datetime.fromisoformat(f"{found[1]}+00:00").timestamp())


def _bounds(location: str) -> Bounds:
    """Of a WKT polygon, longitude first."""
    numbers = [float(each) for each in re.findall(r"[-+]?\d+\.?\d*(?:[eE][-+]?\d+)?", location)]
    west, south, east, north = min(numbers[::2]), min(numbers[1::2]), max(numbers[::2]), max(numbers[1::2])
    if len(numbers) % 2 or not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
        raise BrewError(
            f"raw_location {location[:60]!r}; expected a polygon of longitudes and latitudes. Obtain it again"
        )
    return west, south, east, north
