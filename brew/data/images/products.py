"""Sentinel-2 products as ESA delivers them (SAFE), by GDAL's own driver: a folder, a zip or the MTD xml."""

import re
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from brew.data.images.gdal_parts import GdalPart, opened
from brew.data.images.parts import Opened
from brew.data.images.statements import from_name, from_properties
from brew.data.images.validity import is_scl
from brew.errors import BrewError
from brew.files import search

_DRIVER = "SENTINEL2"
_XML = re.compile(r"MTD_MSIL(1C|2A)\.xml|S2[A-D]_.*MTD_SAFL(1C|2A)_.*\.xml")
#: Subdatasets that hold pictures, or are cut to other grids.
_BANDS = re.compile(r":(10|20|60)m:EPSG_\d+$")


def product_name(source: str) -> str | None:
    """GDAL's name of the product that a path or name means, None if it means none."""
    match = re.match(r"SENTINEL2_L(?:1C|2A)(?:_TILE)?:(.*?):(?:10m|20m|60m|TCI|PREVIEW)(?::EPSG_\d+)?$", source)
    if match:
        return match[1]
    path = Path(source)
    if path.is_dir():
        found = sorted(each for each in path.iterdir() if _XML.fullmatch(each.name))
        inner = search(path, "*.SAFE")
        if not found and len(inner) == 1:
            return product_name(str(inner[0]))
        return str(found[0]) if found else None
    if _XML.fullmatch(source.rsplit("/", 1)[-1]):
        return source
    return _in_zip(path) if path.suffix.lower() == ".zip" and path.is_file() else None


def _in_zip(path: Path) -> str | None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if _XML.fullmatch(name.rsplit("/", 1)[-1])]
    except zipfile.BadZipFile as error:
        raise BrewError(f"{path} cannot be read ({error}); it may be truncated. Obtain the zip again") from error
    # The product's own file lies above the xml of tiles.
    return f"/vsizip/{path.absolute()}/{min(names, key=lambda name: name.count('/'))}" if names else None


def _part(name: str, tags: Mapping[str, str]) -> GdalPart:
    """One resolution, with the product's own nodata value and scale, which GDAL names beside the bands alone."""
    part = GdalPart(name)
    level = next(
        (tags[key] for key in tags if key.endswith("QUANTIFICATION_VALUE") and key[:3] in ("BOA", "QUA")), None
    )
    none = tags.get("SPECIAL_VALUE_NODATA")
    part.layers = tuple(
        replace(
            layer,
            nodata=(float(none),) if none and not is_scl(layer) else layer.nodata,
            scale=1 / float(level) if level else None,
            declared_by="quantification value of the MTD xml" if level else "",
        )
        for layer in part.layers
    )
    return part


def open_product(name: str, source: str) -> Opened:
    """All resolutions of a product; `name` as GDAL takes it."""
    file = opened(name)
    if file.driver != _DRIVER:
        raise BrewError(
            f"{source}: GDAL reads it as {file.driver}; expected a Sentinel-2 product. Give its MTD_MSIL xml"
        )
    subdatasets = [each for each in file.subdatasets if _BANDS.search(each)]
    grids = {each.rsplit(":", 1)[-1] for each in subdatasets}
    if len(grids) != 1:
        raise BrewError(
            f"{source}: bands in {', '.join(sorted(grids)) or 'no coordinate system'}; expected one. Give one of "
            f"{', '.join(subdatasets) or 'a product with its images'}"
        )
    tags = file.tags()
    said = from_properties({"processing:version": tags.get("PROCESSING_BASELINE", "")}) + from_name(source)
    notes = {"product": tags.get("PRODUCT_URI", ""), "baseline": tags.get("PROCESSING_BASELINE", "")}
    parts = tuple(_part(each, tags) for each in subdatasets)
    kind = f"SAFE product, {tags.get('PROCESSING_LEVEL', 'level unknown')}"
    return Opened(kind, source, parts, tuple(said), ("TCI",), notes)
