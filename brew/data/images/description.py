"""What brew assumes of an image, before any student sees it: `brew.describe(image)` and `brew describe FILE`."""

import argparse
import json
from collections.abc import Iterator, Mapping
from typing import Any

from brew.data.images.opening import open_image
from brew.data.images.scene_image import Image
from brew.sensors import SENSORS


def describe(image: Any, sensor: str = "sentinel2", **options: Any) -> dict[str, Any]:
    """Print what was assumed of an image, and return it (`Image.record`).

    image: whatever `open_image` takes, or an `Image`. options: of `open_image`. Raises BrewError as `open_image`.
    """
    record = (image if isinstance(image, Image) else open_image(image, sensor, **options)).record
    print("\n".join(lines(record)))
    return record


def lines(record: Mapping[str, Any]) -> Iterator[str]:
    """A record as lines of text, one per fact and one per band."""
    facts = {name: value for name, value in record.items() if name not in ("bands", "read")}
    width = max(map(len, facts))
    for name, value in facts.items():
        yield f"{name:<{width}}  {_told(value)}"
    for band, facts in record["bands"].items():
        packed = f"x {facts['scale']:g} {facts['offset']:+g}"
        stored = f"{facts['dtype']}, {packed}, {facts['ratio']} x the pixel"
        yield f"  {band:<4} {facts['called']} ({stored}) from {facts['from']}"


def _told(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_told(each)}" for name, each in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_told, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def main(arguments: list[str]) -> int:
    """`brew describe FILE [options]`."""
    parser = argparse.ArgumentParser(prog="brew describe", description="Say what brew assumes of an image.")
    parser.add_argument("image", help="a file, folder, product, Zarr, item of STAC, or another name that GDAL reads")
    add_options(parser)
    parser.add_argument("--json", action="store_true", help="print the record as JSON")
    chosen = vars(parser.parse_args(arguments))
    image, as_json = chosen.pop("image"), chosen.pop("json")
    record = open_image(image, **read_options(chosen)).record
    print(json.dumps(record, indent=2) if as_json else "\n".join(lines(record)))
    return 0


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `open_image`, for every command that takes an image."""
    parser.add_argument("--sensor", default="sentinel2", help=f"{', '.join(SENSORS)} (sentinel2)")
    parser.add_argument("--bands", help="a named order (L1C-13, L2A-12, EuroSAT-13), or names with commas between")
    parser.add_argument("--unit", help="digital numbers, reflectance or percent, where nothing says it")
    parser.add_argument("--scale", type=float, help="value = stored * scale + offset, in the unit")
    parser.add_argument("--offset", type=float, help="alone in digital numbers: -1000 or 0")
    parser.add_argument("--mask", help="classes of SCL without a value, with commas between")
    parser.add_argument("--date", help="of several in the image, as 2024-07-01")
    parser.add_argument("--pixel", type=float, help="side in metres that is accepted though it is not 10")


def read_options(chosen: Mapping[str, Any]) -> dict[str, Any]:
    """What `add_options` read, as `open_image` takes it."""
    options = dict(chosen)
    if options["bands"] and "," in options["bands"]:
        options["bands"] = [name.strip() for name in options["bands"].split(",")]
    if options["mask"]:
        options["mask"] = [int(text) if text.strip().isdigit() else text for text in options["mask"].split(",")]
    return options
