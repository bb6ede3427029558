"""What tools call Sentinel-2's bands. A scene speaks one dialect: names of two that disagree are an error."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from brew.errors import BrewError, unknown
from brew.sensors import SENTINEL2_BANDS, Sensor

#: Orders in which files without names hold the bands.
ORDERS: dict[str, tuple[str, ...]] = {
    "L1C-13": tuple(SENTINEL2_BANDS),
    "L2A-12": tuple(name for name in SENTINEL2_BANDS if name != "B10"),
    "EuroSAT-13": (*(f"B{number}" for number in range(1, 13)), "B8A"),
}

_COMMON = {
    "coastal": "B1", "blue": "B2", "green": "B3", "red": "B4", "rededge1": "B5", "rededge2": "B6", "rededge3": "B7",
    "nir09": "B9", "watervapour": "B9", "cirrus": "B10",
}  # fmt: skip
#: Names by dialect, without separators. A dialect counts if it names all bands of the sensor.
DIALECTS: dict[str, dict[str, str]] = {
    "STAC common names": _COMMON | {
        "rededge071": "B5", "rededge075": "B6", "rededge078": "B7", "nir": "B8", "nir08": "B8A", "swir16": "B11",
        "swir22": "B12",
    },
    "Open Data Cube": _COMMON | {
        "nir": "B8", "nir1": "B8", "nirwide": "B8", "nir2": "B8A", "nirnarrow": "B8A", "swir1": "B11", "swir2": "B12",
        "swir16": "B11", "swir22": "B12",
    },
    "Digital Earth Australia": {
        "nbart" + name: band
        for name, band in (_COMMON | {"nir1": "B8", "nir2": "B8A", "swir2": "B11", "swir3": "B12"}).items()
    },
    "FORCE": _COMMON | {"broadnir": "B8", "nir": "B8A", "swir1": "B11", "swir2": "B12"},
    "spectral indices": {
        "a": "B1", "b": "B2", "g": "B3", "r": "B4", "re1": "B5", "re2": "B6", "re3": "B7", "n": "B8", "n2": "B8A",
        "wv": "B9", "s1": "B11", "s2": "B12",
    },
}  # fmt: skip
_SENTINEL = "Sentinel-2 names"
#: Words beside a band's name that make the text something else than the band.
_NOT_A_BAND = frozenset(
    {
        "aot", "wvp", "scl", "tci", "cld", "snw", "qa10", "qa20", "qa60", "qa", "msk", "mask", "clm", "clp", "visual",
        "overview", "preview", "pvi", "thumbnail", "stddev", "std", "stdev", "variance", "var", "count", "valid", "dx",
        "flag", "flags", "quality", "uncertainty", "unc", "anomaly", "trend", "slope", "ratio", "diff", "difference",
        "index", "detector", "footprint", "view", "sun", "zenith", "azimuth", "angle", "ndvi", "dy",
    }
)  # fmt: skip
#: Words at the end of a name that say how the band was made.
_HOW = re.compile(r"\d+m|raw|median|mean|min|max|p\d+|first|last|mosaic|reflectance|boa|toa|sr|refl|float|uint16|int16")
_BAND = re.compile(r"b0?([1-9]|1[0-2]|8a)")
_WORD = re.compile(r"[a-z0-9]+")


@dataclass(frozen=True)
class Named:
    """dialect: in words. bands: of the sensor, by name: the candidates' numbers. rest: numbers of all others."""

    dialect: str
    bands: dict[str, list[int]]
    rest: list[int]
    others: dict[str, list[int]]


def sentinel_band(text: str) -> str | None:
    """The band that a text names in Sentinel-2's own way ("B04", "b8a", "T32TPS_B04_10m"), None if it names none."""
    words = _WORD.findall(text.lower())
    found = {match[1].upper() for word in words if (match := _BAND.fullmatch(word))}
    return f"B{found.pop()}" if len(found) == 1 and not _NOT_A_BAND & set(words) else None


def is_aside(text: str) -> bool:
    """Whether a text names what comes with bands: classes, masks, angles, pictures."""
    return bool(_NOT_A_BAND & set(_WORD.findall(text.lower())))


def name_bands(names: Sequence[Sequence[str]], sensor: Sensor, source: str) -> Named:
    """Which of the layers hold the sensor's bands. names: of each layer, the most telling first.

    Raises BrewError if no dialect names all bands, or if two do and disagree.
    """
    wanted = sensor.band_names
    known = {_SENTINEL: None, **DIALECTS} if wanted[0] in SENTINEL2_BANDS else {f"names of {sensor.name}": {}}
    readings = {dialect: _read(names, table, sensor) for dialect, table in known.items()}
    complete = {dialect: found for dialect, found in readings.items() if set(wanted) <= set(found)}
    if not complete:
        raise _incomplete(names, readings, wanted, source)
    first = next(iter(complete))
    for other, found in complete.items():
        for band in wanted:
            if found[band] != complete[first][band]:
                raise BrewError(
                    f"{source}: {band} is {_told(names, complete[first][band])} in {first} and "
                    f"{_told(names, found[band])} in {other}; expected names of one kind. Say which band each is: "
                    f"{_how(names)}"
                )
    bands = {band: complete[first][band] for band in wanted}
    chosen = {number for numbers in bands.values() for number in numbers}
    others = {band: numbers for band, numbers in complete[first].items() if band not in bands}
    return Named(first, bands, [number for number in range(len(names)) if number not in chosen], others)


def given_bands(
    given: str | Sequence[str] | Mapping[str, str], names: Sequence[Sequence[str]], sensor: Sensor, source: str
) -> Named:
    """The same as the caller says: by a named order, the bands in the layers' order, or {band: name in the source}."""
    dialect = "as the caller says"
    if isinstance(given, Mapping):
        order: list[str] = [""] * len(names)
        for band, text in given.items():
            here = [number for number, each in enumerate(names) if str(text) in (*each, str(number + 1))]
            if len(here) != 1:
                raise BrewError(
                    f"{source}: {len(here)} bands called {text!r}; expected one for {band}. Names are "
                    f"{', '.join(each[0] for each in names)}"
                )
            order[here[0]] = band
    elif isinstance(given, str):
        if given not in ORDERS:
            raise unknown("order of bands", given, ORDERS)
        order, dialect = list(ORDERS[given]), f"order {given}, as the caller says"
    else:
        order = [str(band) for band in given]
    if len(order) != len(names):
        raise BrewError(
            f"{source}: {len(names)} bands, and `bands` names {len(order)}; expected a name for each. The image calls "
            f"them {', '.join(each[0] for each in names)}"
        )
    found: dict[str, list[int]] = {}
    for number, text in enumerate(order):
        own = _own_name(text, sensor)
        if own:
            found.setdefault(own, []).append(number)
    missing = [band for band in sensor.band_names if band not in found]
    if missing:
        raise BrewError(
            f"{source}: `bands` lacks {', '.join(missing)}; expected all of {', '.join(sensor.band_names)}. Name them"
        )
    bands = {band: found[band] for band in sensor.band_names}
    chosen = {number for numbers in bands.values() for number in numbers}
    others = {band: numbers for band, numbers in found.items() if band not in bands}
    return Named(dialect, bands, [number for number in range(len(names)) if number not in chosen], others)


def _own_name(text: str, sensor: Sensor) -> str | None:
    if sensor.band_names[0] not in SENTINEL2_BANDS:
        return _exact(text, sensor.band_names)
    return sentinel_band(text) or DIALECTS["STAC common names"].get("".join(_WORD.findall(text.lower())))


def best_reading(names: Sequence[Sequence[str]], sensor: Sensor) -> dict[str, list[int]]:
    """{band: the numbers of the names that mean it} in the dialect of Sentinel-2 that reads most of the names."""
    return max((_read(names, table, sensor) for table in (None, *DIALECTS.values())), key=len)


def _read(names: Sequence[Sequence[str]], table: Mapping[str, str] | None, sensor: Sensor) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for number, texts in enumerate(names):
        for text in texts:
            if table is None:
                band = sentinel_band(text)
            elif table:
                band = _colour(text, table)
            else:
                band = _exact(text, sensor.band_names)
            if band:
                found.setdefault(band, []).append(number)
                break
    return found


def _colour(text: str, table: Mapping[str, str]) -> str | None:
    """The band that the end of a text names: "red", "S2_red edge 1", "NIR_10m"."""
    words = _WORD.findall(text.lower())
    if _NOT_A_BAND & set(words):
        return None
    while len(words) > 1 and _HOW.fullmatch(words[-1]):
        words.pop()
    ends = ("".join(words[start:]) for start in range(len(words)))
    return next((table[end] for end in ends if end in table), None)


def _exact(text: str, bands: Iterable[str]) -> str | None:
    words = _WORD.findall(text.lower())
    found = [band for band in bands if band.lower() in words]
    return found[0] if len(found) == 1 else None


def _incomplete(
    names: Sequence[Sequence[str]], readings: Mapping[str, Mapping[str, list[int]]], wanted: Sequence[str], source: str
) -> BrewError:
    missing = min(([band for band in wanted if band not in found] for found in readings.values()), key=len)
    held = [each[0] for each in names]
    doubt = ""
    if [text.lower() for text in held].count("nir") == 1 and {"B8", "B8A"} & set(missing):
        doubt = " (a band 'nir' alone may be B8 or B8A)"
    found = f"{source}: band {', '.join(missing)} missing; found {', '.join(held)}{doubt}"
    if len(names) < len(wanted):
        return BrewError(
            f"{found}. The image has {len(names)} of {len(wanted)} bands: obtain the others too, and give all as a "
            f"folder, or a list of files or arrays. A student needs {', '.join(wanted)}"
        )
    return BrewError(
        f"{found}. Name the bands {', '.join(wanted)} in the image (a GeoTIFF's descriptions, an array's coordinate "
        f"`band`), or say which they are: {_how(names)}"
    )


def _how(names: Sequence[Sequence[str]]) -> str:
    orders = [f'`bands="{name}"`' for name, order in ORDERS.items() if len(order) == len(names)]
    return " or ".join([*orders, f'`bands=["B2", ...]`, a name for each of the {len(names)} in their order'])


def _told(names: Sequence[Sequence[str]], numbers: Iterable[int]) -> str:
    return " and ".join(repr(names[number][0]) for number in numbers)
