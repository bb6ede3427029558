"""Items of STAC: each asset is a file that GDAL reads, and the properties say what was done to the pixels."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from brew.data.images.dialects import is_aside
from brew.data.images.gdal_parts import GdalPart
from brew.data.images.parts import RASTER_BANDS, Opened
from brew.data.images.statements import from_name, from_properties
from brew.errors import BrewError

_IMAGES = ("tif", "jp2", "geotiff", "vrt")


def items_of(source: Any) -> list[Mapping[str, Any]] | None:
    """The items that a mapping, a pystac item, a list or a JSON file holds; None if it holds none."""
    if (
        isinstance(source, (str, Path))
        and str(source).lower().endswith((".json", ".geojson"))
        and Path(source).is_file()
    ):
        try:
            source = json.loads(Path(source).read_text(encoding="utf-8"))
        except ValueError as error:
            raise BrewError(f"{source} is no JSON ({error}); expected an item of STAC. Obtain it again") from error
    if hasattr(source, "to_dict") and hasattr(source, "assets"):
        return [source.to_dict()]
    if isinstance(source, Mapping) and "features" in source:
        return items_of(list(source["features"]))
    if isinstance(source, Mapping) and "assets" in source:
        return [source]
    if isinstance(source, Sequence) and not isinstance(source, str) and source:
        found = [items_of(each) if not isinstance(each, (str, Path)) else None for each in source]
        return [item for each in found if each for item in each] if all(found) else None
    return None


def open_items(items: Sequence[Mapping[str, Any]], date: Any) -> Opened:
    """One item, or that of a date; BrewError if several are left."""
    days = [str(item.get("properties", {}).get("datetime"))[:10] for item in items]
    if date is not None:
        wanted = str(np.datetime64(date, "D"))
        items = [item for item, day in zip(items, days, strict=True) if day == wanted]
    if len(items) != 1:
        raise BrewError(
            f"{len(items)} items{'' if date is None else f' of {date}'}; expected one. Dates are {', '.join(days)}: "
            "pass one by `date=`, or give the item alone"
        )
    item = items[0]
    properties, source = item.get("properties", {}), str(item.get("id", "the item"))
    parts, aside = [], []
    for key, asset in item["assets"].items():
        kind = f"{asset.get('type', '')} {str(asset['href']).rsplit('.', 1)[-1]}".lower()
        if is_aside(key) or not any(word in kind for word in _IMAGES):
            aside.append(key)
        else:
            parts.append(_part(key, asset))
    said = [*from_properties(properties), *from_name(source)]
    return Opened(
        "STAC item", source, tuple(parts), tuple(said), tuple(aside), {"date": str(properties.get("datetime"))}
    )


def _part(key: str, asset: Mapping[str, Any]) -> GdalPart:
    part = GdalPart(str(asset["href"]), (key, *_common_names(asset)))
    bands = asset.get("raster:bands") or asset.get("bands") or [asset]
    layers = []
    for number, layer in enumerate(part.layers):
        said = bands[number] if len(bands) == len(part.layers) else {}
        scale, offset = (said.get(name, said.get(f"raster:{name}")) for name in ("scale", "offset"))
        if layer.scale is None and (scale or 1, offset or 0) != (1, 0):
            layer = replace(layer, scale=float(scale or 1), offset=float(offset or 0), declared_by=RASTER_BANDS)
        if said.get("nodata") is not None and not layer.nodata and _finite(said["nodata"]):
            layer = replace(layer, nodata=(float(said["nodata"]),))
        layers.append(layer)
    part.layers = tuple(layers)
    return part


def _finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and bool(np.isfinite(value))


def _common_names(asset: Mapping[str, Any]) -> list[str]:
    bands = asset.get("eo:bands") or asset.get("bands") or []
    return [str(band[name]) for band in bands[:1] for name in ("name", "common_name", "eo:common_name") if name in band]
