"""The one on-disk form: a Zarr group that xarray opens and training memory-maps.

A store is one xarray Dataset. Dimensions: sample, time, band, y, x for the multispectral images, optical_band,
optical_y, optical_x for the optical ones; labels, splits and origins are variables along `sample`. Values stay in native
units; band coordinates carry names and wavelengths; attributes say what the store was made from.

Arrays are uncompressed, in chunks of whole samples: xarray and Dask read them like any other, and `ArrayReader` maps the
same files into memory, so that a shuffled batch costs a copy and nothing else (docs/decisions says why).

Left out: reading foreign formats (the sources' modules), batching (`brew.data.batches`).
"""

import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr

from brew.errors import BrewError
from brew.sensors import SENSORS

FORMAT = "brew-store/1"
#: Bytes of one chunk file at most: few files for DVC, and small enough to write in one go.
_CHUNK_BYTES = 64 * 2**20

#: Dimensions of the image variables and the sensor that each holds.
IMAGES: dict[str, tuple[str, tuple[str, ...]]] = {
    "multispectral": ("sentinel2", ("sample", "time", "band", "y", "x")),
    "optical": ("rgb", ("sample", "time", "optical_band", "optical_y", "optical_x")),
}


@dataclass(frozen=True)
class Variable:
    """One array of a store: its dimensions (the first is `sample`), shape per sample and type ("text" for strings)."""

    dims: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: str


def write_store(
    path: Path,
    samples: int,
    variables: Mapping[str, Variable],
    blocks: Iterable[Mapping[str, np.ndarray]],
    attributes: Mapping[str, Any],
) -> None:
    """Write a store from consecutive blocks of samples; memory holds one chunk, whatever the size of the store.

    samples: how many all blocks hold together. variables: every array of a block. attributes: source, licence, units and
    whatever else a reader should know; plain JSON values.
    The store appears at `path` in one step when it is complete, so an interrupted build leaves nothing that looks
    complete. Raises BrewError where a block does not have the declared shape or type, or their number differs.
    """
    partial = path.with_name(f".partial-{path.name}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.parent.mkdir(parents=True, exist_ok=True)
    group = zarr.open_group(partial, mode="w", zarr_format=3)
    arrays = {name: _create(group, name, variable, samples) for name, variable in variables.items()}
    written = 0
    for block in blocks:
        lengths = {_checked(name, block, variable, path) for name, variable in variables.items()}
        if len(lengths) != 1 or written + max(lengths) > samples:
            raise BrewError(f"{path}: a block of {sorted(lengths)} samples after {written}; expected {samples} in all")
        stop = written + lengths.pop()
        for name, array in arrays.items():
            array[written:stop] = block[name]
        written = stop
    if written != samples:
        raise BrewError(f"{path}: blocks hold {written} samples; expected {samples} as declared")
    for name, (sensor, dims) in IMAGES.items():
        if name in variables:
            _coordinates(group, sensor, dims[2])
    group.attrs.update({"format": FORMAT, **attributes, "samples": samples})
    shutil.rmtree(path, ignore_errors=True)
    os.replace(partial, path)


def _create(group: zarr.Group, name: str, variable: Variable, samples: int) -> zarr.Array:
    if variable.dtype == "text":  # Zarr's own strings: fixed-length ones are no part of its format
        return group.create_array(
            name, shape=(samples,), chunks=(samples,), dtype=str, compressors=None, dimension_names=("sample",)
        )
    dtype = np.dtype(variable.dtype)
    size = max(1, int(np.prod(variable.shape)) * dtype.itemsize)
    per_chunk = max(1, min(samples, _CHUNK_BYTES // size))
    return group.create_array(
        name, shape=(samples, *variable.shape), chunks=(per_chunk, *variable.shape), dtype=dtype,
        compressors=None, filters=None, dimension_names=("sample", *variable.dims[1:]), fill_value=0,
    )  # fmt: skip


def _checked(name: str, block: Mapping[str, np.ndarray], variable: Variable, path: Path) -> int:
    if name not in block:
        raise BrewError(f"{path}: a block lacks {name!r}; expected {variable}")
    values = np.asarray(block[name])
    right_type = values.dtype.kind in "UTO" if variable.dtype == "text" else values.dtype == np.dtype(variable.dtype)
    if values.shape[1:] != variable.shape or not right_type:
        raise BrewError(
            f"{path}: block of {name!r} has shape {values.shape} and type {values.dtype}; expected "
            f"(samples, {', '.join(map(str, variable.shape))}) and {variable.dtype}"
        )
    return len(values)


def _coordinates(group: zarr.Group, name: str, dim: str) -> None:
    """Names and wavelengths of a sensor's bands along `dim`."""
    sensor = SENSORS[name]
    names = group.create_array(
        dim, shape=(len(sensor),), chunks=(len(sensor),), dtype=str, compressors=None, dimension_names=(dim,)
    )
    names[:] = np.array(sensor.band_names, dtype=object)
    wavelengths = np.array(sensor.wavelengths_um)
    group.create_array(
        f"{dim}_wavelength_um", data=wavelengths, chunks=wavelengths.shape, compressors=None, dimension_names=(dim,)
    )


def open_store(path: Path) -> xr.Dataset:
    """The store as an xarray Dataset, lazily; BrewError where it is absent, incomplete or damaged."""
    if not (path / "zarr.json").is_file():
        raise BrewError(f"{path} is no store; expected one that the data stage writes. Run `make repro`")
    attributes = json.loads((path / "zarr.json").read_text()).get("attributes", {})
    if attributes.get("format") != FORMAT:
        raise BrewError(f"{path} has format {attributes.get('format')!r}; expected {FORMAT!r}. Build the store again")
    _check_files(path)
    return xr.open_zarr(path, consolidated=False, chunks=None)


def _check_files(path: Path) -> None:
    """Every chunk is there in its full length: an uncompressed chunk that is shorter was cut off."""
    for name, array in zarr.open_group(path, mode="r").arrays():
        if array.dtype.kind not in "uif":
            continue
        expected = int(np.prod(array.chunks)) * array.dtype.itemsize
        for index in range(-(-array.shape[0] // array.chunks[0])):
            file = _chunk_file(path, name, index, array.ndim)
            found = file.stat().st_size if file.is_file() else 0
            if found != expected:
                raise BrewError(f"{file} has {found} bytes; expected {expected}. Build the store again")


def _chunk_file(path: Path, name: str, index: int, dimensions: int) -> Path:
    return path.joinpath(name, "c", str(index), *["0"] * (dimensions - 1))


class ArrayReader:
    """One variable of a store, its chunk files mapped into memory."""

    def __init__(self, path: Path, name: str):
        group = zarr.open_group(path, mode="r")
        if name not in group:
            raise BrewError(f"{path} has no variable {name!r}; expected one of {', '.join(sorted(group.array_keys()))}")
        array = group[name]
        self.shape, self.dtype, self._per_chunk = array.shape, array.dtype, array.chunks[0]
        self._chunks = [
            np.memmap(_chunk_file(path, name, index, array.ndim), array.dtype, "r", shape=array.chunks)
            for index in range(-(-self.shape[0] // self._per_chunk))
        ]

    def __len__(self) -> int:
        return self.shape[0]

    def read(self, samples: Sequence[int] | np.ndarray, time: np.ndarray | None = None) -> np.ndarray:
        """The samples in the order asked for. time: of each sample, one index of the second dimension."""
        shape = self.shape[1:] if time is None else self.shape[2:]
        out = np.empty((len(samples), *shape), self.dtype)
        for row, sample in enumerate(np.asarray(samples)):
            chunk = self._chunks[sample // self._per_chunk][sample % self._per_chunk]
            out[row] = chunk if time is None else chunk[time[row]]
        return out
