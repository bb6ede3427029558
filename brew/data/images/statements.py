"""What metadata say of the offset: properties of STAC, a product's name, its MTD xml."""

import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

from brew.data.images.parts import ADDED, Statement

#: The flag of Earth Search, which its own `raster:bands` contradict.
FLAG = "earthsearch:boa_offset_applied"
_BASELINES = ("s2:processing_baseline", "processing:version", "processing_baseline", "PROCESSING_BASELINE")
_PRODUCT = re.compile(r"S2[A-D]_MSIL[12][AC]_\d{8}T\d{6}_N(\d{2})(\d{2})_")
#: The first baseline that adds to the pixels.
_FIRST = 4.0


def from_properties(properties: Mapping[str, Any]) -> list[Statement]:
    """What the properties of a STAC item say, the first to be believed first."""
    baseline = next((properties[key] for key in _BASELINES if properties.get(key) not in (None, "")), None)
    found = []
    if str(properties.get(FLAG, "")).lower() in ("true", "1"):
        found.append(Statement(f"{FLAG} (taken off)", 0.0, above_bands=True))
    if baseline is not None and (number := _number(baseline)) is not None:
        found.append(Statement(f"processing baseline {baseline}", _offset(number)))
    return found


def from_name(text: str) -> list[Statement]:
    """What the baseline in a product's name says."""
    match = _PRODUCT.search(text)
    return [Statement(f"baseline in the name {match[0]}...", _offset(float(f"{match[1]}.{match[2]}")))] if match else []


def from_xml(text: bytes | str) -> list[Statement]:
    """What a product's MTD xml says; nothing if it is no such file."""
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError:
        return []
    offsets = {
        float(node.text) for node in root.iter() if node.text and re.fullmatch("(BOA|RADIO)_ADD_OFFSET", _tag(node.tag))
    }
    if len(offsets) == 1:
        return [Statement("offset of the MTD xml", offsets.pop())]
    for node in root.iter():
        if _tag(node.tag) == "PROCESSING_BASELINE" and node.text and (number := _number(node.text)) is not None:
            return [Statement(f"baseline {node.text} of the MTD xml", _offset(number))]
    return []


def _tag(name: str) -> str:
    return name.rsplit("}", 1)[-1]


def _number(text: Any) -> float | None:
    match = re.fullmatch(r"\s*(\d{1,2}\.\d{2})\s*", str(text))
    return float(match[1]) if match else None


def _offset(baseline: float) -> float:
    return -ADDED if baseline >= _FIRST else 0.0
