"""Sensors: their bands, wavelengths, units and the statistics that the student normalises with.

Each fact stands here once. A sensor names the `path` (the student's stem) that reads its images. So an aerial image
and Sentinel-2's own true-colour bands, which differ in unit and statistics, share the optical stem.

Statistics: the released DEO weights' (fMoW-Sentinel digital numbers and fMoW-RGB), see `docs/methodology.md`.
Central wavelengths: Sentinel-2A Spectral Response Functions v3.1 (ESA COPE-GSEG-EOPG-TN-15-0007). Sentinel-1 (C band,
5.405 GHz): means and deviations of BigEarthNet's Sentinel-1 patches (Clasen et al. 2024, arXiv 2407.03653).
"""

from dataclasses import dataclass

from brew.errors import unknown


@dataclass(frozen=True)
class Band:
    """One band: its Sentinel (or colour) name, central wavelength and native ground sampling distance."""

    name: str
    wavelength_um: float
    resolution_m: float


@dataclass(frozen=True)
class Sensor:
    """What one kind of image is made of.

    path: the student's stem that reads it (`PATHS`).
    bands: in the order of the channels.
    unit, dtype: of stored values. valid: the smallest and largest value that a sound image holds.
    white: the value shown as full brightness in true colour; optical augmentation works on value / white in [0, 1].
    mean, std: per band, in `unit`.
    """

    name: str
    path: str
    bands: tuple[Band, ...]
    unit: str
    dtype: str
    valid: tuple[float, float]
    white: float
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def band_names(self) -> tuple[str, ...]:
        return tuple(band.name for band in self.bands)

    @property
    def wavelengths_um(self) -> tuple[float, ...]:
        return tuple(band.wavelength_um for band in self.bands)

    def __len__(self) -> int:
        return len(self.bands)


#: All thirteen Sentinel-2 bands: what readers may meet in files.
SENTINEL2_BANDS = {
    band.name: band
    for band in (
        Band("B1", 0.4427, 60.0), Band("B2", 0.4924, 10.0), Band("B3", 0.5598, 10.0), Band("B4", 0.6646, 10.0),
        Band("B5", 0.7041, 20.0), Band("B6", 0.7405, 20.0), Band("B7", 0.7828, 20.0), Band("B8", 0.8328, 10.0),
        Band("B8A", 0.8647, 20.0), Band("B9", 0.9451, 60.0), Band("B10", 1.3735, 60.0), Band("B11", 1.6137, 20.0),
        Band("B12", 2.2024, 20.0),
    )
}  # fmt: skip

#: Per band mean and standard deviation in digital numbers, in the released weights' order (60 m bands left out).
_SENTINEL2_STATISTICS = {
    "B4": (1136.26, 965.23), "B3": (1120.77, 712.13), "B2": (1184.38, 650.28), "B5": (1263.74, 948.98),
    "B6": (1645.40, 1108.07), "B7": (1846.87, 1258.36), "B8": (1762.60, 1233.15), "B8A": (1972.62, 1364.39),
    "B11": (1732.16, 1310.37), "B12": (1247.92, 1087.60),
}  # fmt: skip

_C_BAND_UM = 55465.8
#: Digital number shown as white in ESA's true-colour images (TCI maps 0..3558 to 1..255).
_SENTINEL2_WHITE = 3558.0
_DIGITAL_NUMBER = "digital number (reflectance x 10000)"


def _sentinel2(name: str, path: str, bands: tuple[str, ...]) -> Sensor:
    return Sensor(
        name=name,
        path=path,
        bands=tuple(SENTINEL2_BANDS[band] for band in bands),
        unit=_DIGITAL_NUMBER,
        dtype="uint16",
        valid=(0.0, 65534.0),  # sun glint and metal roofs pass 28000 in real scenes; 65535 marks nodata
        white=_SENTINEL2_WHITE,
        mean=tuple(_SENTINEL2_STATISTICS[band][0] for band in bands),
        std=tuple(_SENTINEL2_STATISTICS[band][1] for band in bands),
    )


SENSORS: dict[str, Sensor] = {
    "sentinel2": _sentinel2("sentinel2", "multispectral", tuple(_SENTINEL2_STATISTICS)),
    "sentinel2-rgb": _sentinel2("sentinel2-rgb", "optical", ("B4", "B3", "B2")),
    "rgb": Sensor(
        name="rgb",
        path="optical",
        bands=(Band("red", 0.65, 0.5), Band("green", 0.56, 0.5), Band("blue", 0.48, 0.5)),
        unit="8-bit brightness (0-255)",
        dtype="uint8",
        valid=(0.0, 255.0),
        white=255.0,
        mean=(0.4182 * 255, 0.4215 * 255, 0.3991 * 255),
        std=(0.2877 * 255, 0.2754 * 255, 0.2764 * 255),
    ),
    "sentinel1": Sensor(
        name="sentinel1",
        path="sar",
        bands=(Band("VV", _C_BAND_UM, 10.0), Band("VH", _C_BAND_UM, 10.0)),
        unit="backscatter in dB",
        dtype="float32",
        valid=(-100.0, 50.0),
        white=0.0,
        mean=(-12.62, -19.29),
        std=(5.12, 5.46),
    ),
}

#: The stems that a student can have and the number of channels that each reads.
PATHS: dict[str, int] = {sensor.path: len(sensor) for sensor in SENSORS.values()}
#: Stems of the paper, which every student has. A student has other stems if an arm trains them.
PAPER_PATHS: tuple[str, ...] = ("multispectral", "optical")


def sensor_of(path: str) -> Sensor:
    """The sensor whose statistics normalise images of that stem; the first of several."""
    return next(entry for entry in SENSORS.values() if entry.path == path)


def sensor(name: str) -> Sensor:
    """The sensor of that name; BrewError with the nearest known one if there is none."""
    if name not in SENSORS:
        raise unknown("sensor", name, SENSORS)
    return SENSORS[name]
