"""A small scene whose digital numbers are known, and the ways in which tools write it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr
from rasterio.transform import Affine

from brew.sensors import SENSORS, SENTINEL2_BANDS

TEN = SENSORS["sentinel2"].band_names
SIZE = 48
LEFT, TOP = 600_000, 5_100_000
_LAND = dict(
    zip(SENTINEL2_BANDS, (800, 700, 900, 800, 1300, 2400, 2900, 3000, 3200, 3300, 12, 2000, 1200), strict=True)
)


class Scene:
    """numbers: {band: (y, x) float} without offset, of all thirteen bands; 20 m bands are even in 2 x 2 pixels."""

    def __init__(self) -> None:
        random = np.random.default_rng(0)
        self.numbers = {}
        for band, level in _LAND.items():
            times = 2 if SENTINEL2_BANDS[band].resolution_m > 10 else 1
            side = SIZE // times
            self.numbers[band] = (
                (level * random.uniform(0.3, 1.5, (side, side))).round().repeat(times, 0).repeat(times, 1)
            )

    @property
    def ten(self) -> np.ndarray:
        return np.stack([self.numbers[band] for band in TEN])

    def tif(self, path: Path, names: Sequence[str | None] | None = TEN, order: Sequence[str] = TEN, change=None,
            dtype="uint16", pixel=10.0, crs="EPSG:32632", packing=None, **profile) -> str:  # fmt: skip
        """All bands in one file. change: what was done to the numbers. packing: scale and offset to declare."""
        values = np.stack([self.numbers[band] for band in order])
        values = (change(values) if change else values).astype(dtype)
        place = {"transform": Affine(pixel, 0, LEFT, 0, -pixel, TOP), "crs": crs}
        profile = (
            {"driver": "GTiff", "count": len(values), "height": SIZE, "width": SIZE, "dtype": dtype} | place | profile
        )
        with rasterio.open(path, "w", **profile) as file:
            file.write(values)
            if names:
                file.descriptions = tuple(names)
            if packing:
                file.scales, file.offsets = ((number,) * len(values) for number in packing)
        return str(path)

    def array(self, change=None, names: Sequence[str] = TEN, centres=True) -> xr.DataArray:
        half = 5 if centres else 0
        coords = {
            "band": list(names),
            "y": TOP - half - 10.0 * np.arange(SIZE),
            "x": LEFT + half + 10.0 * np.arange(SIZE),
        }
        values = change(self.ten) if change else self.ten.astype(np.uint16)
        return xr.DataArray(values, dims=("band", "y", "x"), coords=coords).rio.write_crs("EPSG:32632")


@pytest.fixture(scope="session")
def scene() -> Scene:
    return Scene()
