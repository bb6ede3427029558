"""How features are kept: their type, and files that grow row by row and go on after an interruption.

A Zarr store holds `features` (feature, y, x) in chunks of whole vectors, and `valid` (y, x). Its attributes say what
was done and how far it is. A GeoTIFF is made from such a store once all of it is there (cloud-optimised, bands named).
"""

import hashlib
import json
import math
import shutil
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil
import rioxarray
import xarray as xr
import zarr
from jaxtyping import Float32, Shaped
from rasterio.transform import Affine
from rasterio.windows import Window

from brew.errors import BrewError, unknown
from brew.files import replacing, write_bytes, writing

DTYPES = ("float32", "float16", "int8")
#: What an int8 feature is where there is none.
NO_CODE = -128
_CODES = 127
_LARGEST_HALF = float(np.finfo(np.float16).max)
#: Bytes of a chunk in float32 at most, and cells per side at most.
_CHUNK_BYTES, _CHUNK_CELLS = 8 * 2**20, 128
#: Codes reach so much beyond the range that was seen in a sample, as a share of that range.
_MARGIN = 0.25


@dataclass(frozen=True)
class Encoding:
    """The type of stored features. scale, offset: of each feature of int8, which stands for code x scale + offset."""

    dtype: str
    scale: Float32[np.ndarray, " feature"] | None = None
    offset: Float32[np.ndarray, " feature"] | None = None

    def encode(self, values: Float32[np.ndarray, "feature y x"]) -> Shaped[np.ndarray, "feature y x"]:
        """float32 features as they are stored; what is beyond the type's range becomes its end."""
        if self.dtype == "float32":
            return values
        if self.scale is None or self.offset is None:
            return values.clip(-_LARGEST_HALF, _LARGEST_HALF).astype(np.float16)
        codes = (values - self.offset[:, None, None]) / self.scale[:, None, None]
        return np.nan_to_num(np.rint(codes).clip(-_CODES, _CODES), nan=NO_CODE).astype(np.int8)

    def decode(self, stored: Shaped[np.ndarray, "feature y x"]) -> Float32[np.ndarray, "feature y x"]:
        values = stored.astype(np.float32)
        if self.scale is None or self.offset is None:
            return values
        values[stored == NO_CODE] = np.nan
        return values * self.scale[:, None, None] + self.offset[:, None, None]

    def error(
        self, values: Float32[np.ndarray, "feature y x"], stored: Shaped[np.ndarray, "feature y x"]
    ) -> dict[str, float]:
        """Cosine distance of stored features to the right ones: sum, number of cells, and the largest."""
        again = self.decode(stored)
        norms = np.sqrt(np.square(values).sum(0) * np.square(again).sum(0))
        distance = 1 - (values * again).sum(0) / norms.clip(1e-12)
        distance = distance[np.isfinite(distance)].clip(0)
        return {"sum": float(distance.sum()), "cells": distance.size, "largest": float(distance.max(initial=0))}


def encoding(dtype: str, sample: Callable[[], list[np.ndarray]]) -> Encoding:
    """How features of that type are stored. sample: gives features (feature, cell) that show the range of int8.

    Raises BrewError for an unknown type, and for int8 without a sample.
    """
    if dtype not in DTYPES:
        raise unknown("dtype", dtype, DTYPES)
    if dtype != "int8":
        return Encoding(dtype)
    found = sample()
    if not found:
        raise BrewError(
            "no window that was tried has a pixel with a value; expected some that show the range of int8. "
            'Take dtype="float16"'
        )
    seen = np.concatenate(found, axis=1)
    low, high = seen.min(1), seen.max(1)
    half = (high - low).clip(1e-6) / 2 * (1 + _MARGIN)
    return Encoding(dtype, (half / _CODES).astype(np.float32), ((low + high) / 2).astype(np.float32))


def error_of(parts: list[dict[str, float]]) -> dict[str, float]:
    """Mean and largest cosine distance of all parts, as attributes."""
    cells = sum(part["cells"] for part in parts)
    mean = sum(part["sum"] for part in parts) / cells if cells else 0.0
    largest = max((part["largest"] for part in parts), default=0.0)
    return {"error_mean_cosine_distance": mean, "error_largest_cosine_distance": largest}


def chunk_cells(features: int) -> int:
    """Cells per side of a chunk: a power of two, so that chunks of any student take about as many bytes."""
    return max(8, min(_CHUNK_CELLS, 2 ** int(math.log2(math.sqrt(_CHUNK_BYTES / 4 / features)))))


class GrowingStore:
    """A Zarr store of features that is filled in bands, each a row of chunks, and remembers which are there.

    frame: everything but `features` and `valid`: coordinates, coordinate system, attributes. settings: all that
    decides on the values; a store of other settings is refused.
    """

    def __init__(self, path: Path, frame: xr.Dataset, stored: Encoding, features: int, settings: Mapping[str, Any]):
        self.path, self.frame, self.encoding, self.features = path, frame, stored, features
        self.settings = {name: _digest(value) for name, value in settings.items()}
        self.height, self.width = frame.sizes["y"], frame.sizes["x"]
        self.rows = chunk_cells(features)
        self.errors: dict[str, dict[str, float]] = {}
        self.complete = False
        if path.exists():
            self._go_on()
        else:
            with writing(path):
                self._begin()

    @property
    def missing(self) -> list[tuple[int, int]]:
        """First row and end of each band that is not there yet."""
        starts = range(0, self.height, self.rows)
        return [(start, min(start + self.rows, self.height)) for start in starts if str(start) not in self.errors]

    def write(self, start: int, values: Float32[np.ndarray, "feature y x"], valid: Float32[np.ndarray, "y x"]) -> None:
        """A band that begins at row `start`. It counts once all of it is on disk."""
        stored = self.encoding.encode(values)
        with writing(self.path, stored.nbytes):
            self.arrays["features"][:, start : start + values.shape[1]] = stored
            self.arrays["valid"][start : start + values.shape[1]] = valid
            self.errors[str(start)] = self.encoding.error(values, stored) if self.encoding.dtype != "float32" else {}
            self._note({"brew_bands": self.errors})

    def finish(self, attributes: Mapping[str, Any]) -> None:
        """Say that all is there, what else is known by now, and how far stored features are from the right ones."""
        measured = error_of(list(self.errors.values())) if self.encoding.dtype != "float32" else {}
        with writing(self.path):
            self._note({"complete": 1, "brew_bands": None, **measured, **attributes})
        self.complete = True

    def remove(self) -> None:
        shutil.rmtree(self.path)

    def open(self) -> xr.Dataset:
        return xr.open_zarr(self.path, consolidated=False)

    @cached_property
    def arrays(self) -> dict[str, Any]:
        """The store's Zarr arrays by name, as they are stored."""
        return dict(zarr.open_group(self.path, mode="r+").arrays())

    def _begin(self) -> None:
        """The whole store without features, moved to its place in one step."""
        partial = self.path.with_name(f".partial-{self.path.name}")
        shutil.rmtree(partial, ignore_errors=True)
        partial.parent.mkdir(parents=True, exist_ok=True)
        self.frame.to_zarr(partial, mode="w", zarr_format=3, consolidated=False)
        group, side = zarr.open_group(partial, mode="r+"), self.rows
        coordinates: dict[str, Any] = {"grid_mapping": "spatial_ref"} if "spatial_ref" in group else {}
        shape = (self.features, self.height, self.width)
        fill = {"int8": NO_CODE}.get(self.encoding.dtype, np.nan)
        group.create_array(
            "features", shape=shape, dtype=self.encoding.dtype, chunks=(self.features, side, side), fill_value=fill,
            dimension_names=("feature", "y", "x"),
            attributes=coordinates | ({"_FillValue": NO_CODE} if self.encoding.dtype == "int8" else {}),
        )  # fmt: skip
        group.create_array(
            "valid", shape=shape[1:], dtype="float32", chunks=(side, side), fill_value=0,
            dimension_names=("y", "x"), attributes=coordinates,
        )  # fmt: skip
        _note(partial, {"brew_settings": json.dumps(self.settings), "brew_bands": {}, "complete": 0})
        partial.rename(self.path)

    def _go_on(self) -> None:
        try:
            noted = json.loads((self.path / "zarr.json").read_text())["attributes"]
            found, self.complete = json.loads(noted["brew_settings"]), bool(noted["complete"])
            self.errors = noted.get("brew_bands", {})
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BrewError(
                f"{self.path} is there and no result of brew.embed; expected a free name or a result to go on with. "
                "Name another `out`"
            ) from error
        differing = sorted(name for name in {*found, *self.settings} if found.get(name) != self.settings.get(name))
        if differing:
            raise BrewError(
                f"{self.path} was made with another {', '.join(differing)}; expected a result of the same image, "
                f"student and settings to go on with. Remove {self.path.name}, or name another `out`"
            )

    def _note(self, attributes: Mapping[str, Any]) -> None:
        _note(self.path, attributes)


def _note(store: Path, attributes: Mapping[str, Any]) -> None:
    """Set a group's attributes, or drop those that are None, in one step: a reader finds the old or the new ones."""
    path = store / "zarr.json"
    content = json.loads(path.read_text())
    told = content["attributes"] | attributes
    content["attributes"] = {name: value for name, value in told.items() if value is not None}
    write_bytes(path, json.dumps(content, indent=1).encode())


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:16]


def write_geotiff(path: Path, store: GrowingStore) -> None:
    """A cloud-optimised GeoTIFF of a whole store: bands named, scale and offset of int8 declared, NaN as no value."""
    dataset = store.open()
    integer = store.encoding.dtype == "int8"
    profile = {
        "driver": "GTiff", "height": store.height, "width": store.width, "count": store.features,
        # Half precision is float32 in the file, with values that half precision has: few programs read GDAL's own.
        "dtype": "int8" if integer else "float32", "nodata": NO_CODE if integer else np.nan, "crs": dataset.rio.crs,
        "transform": _transform(dataset["y"].values, dataset["x"].values), "BIGTIFF": "IF_SAFER", "interleave": "band",
        "tiled": True, "blockxsize": max(16, store.rows), "blockysize": max(16, store.rows),
    }  # fmt: skip
    raw = store.arrays["features"]
    plain = path.with_name(f".plain-{path.name}")
    with rasterio.Env(GDAL_CACHEMAX=128), replacing(path) as partial:
        try:
            with rasterio.open(plain, "w", **profile) as file:
                file.update_tags(**{name: _text(value) for name, value in dataset.attrs.items()})
                for number in range(store.features):
                    file.set_band_description(number + 1, f"{dataset.attrs['map']} feature {number}")
                if store.encoding.scale is not None and store.encoding.offset is not None:
                    file.scales, file.offsets = store.encoding.scale.tolist(), store.encoding.offset.tolist()
                for start in range(0, store.height, store.rows):
                    band = np.asarray(raw[:, start : start + store.rows])
                    file.write(band.astype(profile["dtype"]), window=Window(0, start, store.width, band.shape[1]))
            rasterio.shutil.copy(plain, partial, driver="COG", COMPRESS="DEFLATE", LEVEL=1, BIGTIFF="IF_SAFER")
        finally:
            plain.unlink(missing_ok=True)


def _transform(y: np.ndarray, x: np.ndarray) -> Affine:
    """From the centres of cells; a single row or column is as high as cells are wide."""
    across, down = ((axis[-1] - axis[0]) / max(1, len(axis) - 1) for axis in (x, y))
    across, down = across or abs(down) or 1.0, down or -across or -1.0
    return Affine(across, 0, x[0] - across / 2, 0, down, y[0] - down / 2)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def open_geotiff(path: Path) -> xr.Dataset:
    """Features that `write_geotiff` wrote, read as they are asked for; of int8 codes, with `scale` and `offset`."""
    with rasterio.open(path) as file:
        scale, offset = (np.array(each, dtype=np.float32) for each in (file.scales, file.offsets))
        attributes = file.tags()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "(Scales|Offsets) differ across bands", UserWarning)
        found = rioxarray.open_rasterio(path, chunks={"band": -1}, masked=True)
    features = found.rename(band="feature").drop_vars("feature")  # type: ignore[union-attr]
    features.attrs.clear()
    dataset = xr.Dataset({"features": features}, attrs=attributes)
    if (scale == 1).all() and not offset.any():
        return dataset
    return dataset.assign(scale=("feature", scale), offset=("feature", offset))


def decoded(dataset: xr.Dataset) -> xr.DataArray:
    """The features (feature, y, x) of a dataset in float32, NaN where there are none, whatever type they have there."""
    features = dataset["features"].astype(np.float32)
    if "scale" not in dataset:
        return features
    return features.where(features != NO_CODE) * dataset["scale"] + dataset["offset"]
