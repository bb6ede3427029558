"""The one on-disk form: a Zarr group that xarray opens and training reads at the speed of memory or disk.

A store is one xarray Dataset. Dimensions: sample, time, band, y, x for the multispectral images, optical_band,
optical_y, optical_x for the optical ones; labels, splits and origins are variables along `sample`. Values stay in
native units; band coordinates carry names and wavelengths; attributes say what the store was made from.

Arrays are uncompressed, in chunks of whole samples. xarray and Dask read them like any other. `ArrayReader` reads
samples from the same files by their offset, so that a shuffled batch costs a copy and nothing else. The reasons stand
in docs/decisions/0014.

Left out: reading foreign formats (the sources' modules), batching (`brew.data.batches`).
"""

import json
import math
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import xarray as xr
import zarr

from brew.errors import BrewError, unknown
from brew.files import check_room, search, writing
from brew.sensors import SENSORS

FORMAT = "brew-store/1"
#: Bytes of one chunk file at most: few files for DVC, and small enough to write in one go.
_CHUNK_BYTES = 64 * 2**20
#: Samples that one reader has on their way from disk at once, and the most files that it then has open.
_WINDOW = 64

#: Dimensions of the image variables and the sensor that each holds.
IMAGES: dict[str, tuple[str, tuple[str, ...]]] = {
    "multispectral": ("sentinel2", ("sample", "time", "band", "y", "x")),
    "optical": ("rgb", ("sample", "time", "optical_band", "optical_y", "optical_x")),
    "sar": ("sentinel1", ("sample", "time", "sar_band", "y", "x")),
}


@dataclass(frozen=True)
class Variable:
    """One array of a store: its dimensions (the first is `sample`), shape per sample and type ("text" for strings).

    Text is kept in one chunk and in memory while the store is written: names and hashes, a few per sample.
    """

    dims: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: str

    @property
    def bytes(self) -> int:
        """Bytes of one sample; 0 for text, whose length is not known beforehand."""
        return 0 if self.dtype == "text" else math.prod(self.shape) * np.dtype(self.dtype).itemsize


def write_store(
    path: Path,
    samples: int,
    variables: Mapping[str, Variable],
    blocks: Iterable[Mapping[str, np.ndarray]],
    attributes: Mapping[str, Any],
) -> None:
    """Write a store from consecutive blocks of samples, straight into its chunk files; memory holds one block.

    samples: how many all blocks hold together. variables: every array of a block; `split` and `hash`
    (`brew.data.rasters.content_hash` of the source's images) are among them. blocks: of any length. attributes: source,
    licence and whatever else a reader should know; plain JSON values.
    The store appears at `path` in one step when it is complete, so an interrupted build leaves nothing that looks
    complete. The same blocks give the same bytes.
    Raises BrewError before the first block if the disk has no room for all samples. Raises BrewError later if a block
    has another shape or type, the number of samples differs, or the disk cannot be written. Then nothing is left.
    """
    partial = path.with_name(f".partial-{path.name}")
    shutil.rmtree(partial, ignore_errors=True)
    check_store_fits(path, samples, variables)
    needed = _store_bytes(samples, variables)
    try:
        _write(path, partial, samples, variables, blocks, attributes)
        with writing(path, needed):
            shutil.rmtree(path, ignore_errors=True)
            os.replace(partial, path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def check_store_fits(path: Path, samples: int, variables: Mapping[str, Variable]) -> None:
    """BrewError if the disk has no room for a store of so many samples: to know before they are read or rendered."""
    check_room(path, _store_bytes(samples, variables))


def _store_bytes(samples: int, variables: Mapping[str, Variable]) -> int:
    """Bytes of all numbers. Text, a few letters per sample, does not count."""
    return samples * sum(variable.bytes for variable in variables.values())


def _write(
    path: Path,
    partial: Path,
    samples: int,
    variables: Mapping[str, Variable],
    blocks: Iterable[Mapping[str, np.ndarray]],
    attributes: Mapping[str, Any],
) -> None:
    """Write into `partial` what becomes the store `path`."""
    needed = _store_bytes(samples, variables)
    with writing(path, needed):
        partial.mkdir(parents=True)
        group = zarr.open_group(partial, mode="w", zarr_format=3)
        writers = {name: _writer(partial, group, name, variable, samples) for name, variable in variables.items()}
    written = 0
    for block in blocks:
        lengths = {_checked(name, block, variable, path) for name, variable in variables.items()}
        if len(lengths) != 1 or written + max(lengths) > samples:
            raise BrewError(f"{path}: a block of {sorted(lengths)} samples after {written}; expected {samples} in all")
        with writing(path, needed):
            for name, writer in writers.items():
                writer.write(written, np.asarray(block[name]))
        written += lengths.pop()
    if written != samples:
        raise BrewError(f"{path}: blocks hold {written} samples; expected {samples} as declared")
    with writing(path, needed):
        for writer in writers.values():
            writer.close()
        for name, (sensor, dims) in IMAGES.items():
            if name in variables:
                group[name].attrs["units"] = SENSORS[sensor].unit
                _coordinates(group, sensor, dims[2])
        # The attributes come last: without `format` a folder is no store, whatever its name.
        group.attrs.update({"format": FORMAT, **attributes, "samples": samples})


class _NumberWriter:
    """Samples into the chunk files of one uncompressed array, where `ArrayReader` finds them again.

    Zarr's own assignment would read and rewrite a whole chunk file for every block, and leave out chunks of zeros.
    Blocks follow each other, so each is appended. On a full disk a mapped file would end the process by a signal.
    """

    def __init__(self, path: Path, group: zarr.Group, name: str, variable: Variable, samples: int):
        dtype = np.dtype(variable.dtype)
        self._per_chunk = max(1, min(samples, _CHUNK_BYTES // max(1, variable.bytes)))
        array = group.create_array(
            name, shape=(samples, *variable.shape), chunks=(self._per_chunk, *variable.shape), dtype=dtype,
            compressors=None, filters=None, dimension_names=variable.dims, fill_value=0,
        )  # fmt: skip
        self._path, self._name, self._dtype, self._dimensions = path, name, _little(dtype), array.ndim
        self._samples, self._chunk_bytes = samples, self._per_chunk * variable.bytes

    def write(self, first: int, values: np.ndarray) -> None:
        values = np.ascontiguousarray(values, self._dtype)
        while len(values):
            index, row = divmod(first, self._per_chunk)
            count = min(len(values), self._per_chunk - row)
            with self._opened(index) as file:
                file.write(values[:count].data)
                if row + count == self._per_chunk:
                    self._complete(file)
            first, values = first + count, values[count:]

    def close(self) -> None:
        """Fill the last chunk with zeros: every chunk file has its full length."""
        if self._samples % self._per_chunk:
            with self._opened(self._samples // self._per_chunk) as file:
                self._complete(file)

    def _opened(self, index: int) -> BinaryIO:
        file = _chunk_file(self._path, self._name, index, self._dimensions)
        file.parent.mkdir(parents=True, exist_ok=True)
        return file.open("ab")

    def _complete(self, file: BinaryIO) -> None:
        """Give the file its length, and wait for the disk, which may still refuse what it took."""
        file.truncate(self._chunk_bytes)
        os.fsync(file.fileno())


class _TextWriter:
    """Strings, by Zarr's own codec: fixed-length ones are no part of its format. Written when complete."""

    def __init__(self, group: zarr.Group, name: str, variable: Variable, samples: int):
        shape = (samples, *variable.shape)
        self._values = np.full(shape, "", dtype=object)
        self._array = group.create_array(
            name, shape=shape, chunks=shape, dtype=str, compressors=None, dimension_names=variable.dims
        )

    def write(self, first: int, values: np.ndarray) -> None:
        self._values[first : first + len(values)] = values

    def close(self) -> None:
        self._array[:] = self._values


def _writer(path: Path, group: zarr.Group, name: str, variable: Variable, samples: int) -> _NumberWriter | _TextWriter:
    if variable.dtype == "text":
        return _TextWriter(group, name, variable, samples)
    return _NumberWriter(path, group, name, variable, samples)


def _little(dtype: np.dtype) -> np.dtype:
    """Zarr's default byte order, said in full, so that the files are the same whatever machine wrote them."""
    return dtype.newbyteorder("<")


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
    """The store as an xarray Dataset, read when used; BrewError if it is absent, incomplete or damaged."""
    if not (path / "zarr.json").is_file():
        raise BrewError(f"{path} is no store; expected one that the data stage writes. Run `make repro`")
    attributes = _attributes(path / "zarr.json")
    if attributes.get("format") != FORMAT:
        raise BrewError(f"{path} has format {attributes.get('format')!r}; expected {FORMAT!r}. Build the store again")
    with _described(path):
        return _opened_store(path)


def _opened_store(path: Path) -> xr.Dataset:
    _check_files(path)
    dataset = xr.open_zarr(path, consolidated=False, chunks=None)
    dataset = dataset.set_coords([name for name in dataset.variables if str(name).endswith("_wavelength_um")])
    # Zarr's strings have no length; NumPy's fixed-length ones sort, compare and convert as everybody expects.
    texts = [name for name, variable in dataset.variables.items() if variable.dtype.kind in "TO"]
    dataset = dataset.assign({name: (dataset[name].dims, np.array(dataset[name].values.tolist())) for name in texts})
    return dataset[sorted(dataset.data_vars, key=str)]  # Zarr lists arrays as the file system does


def _attributes(file: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = dict(json.loads(file.read_text()).get("attributes", {}))
    except (ValueError, AttributeError, TypeError) as error:
        raise BrewError(f"{file} is damaged ({error}); expected a Zarr group. Build the store again") from error
    return found


def image_hashes(path: Path, splits: Sequence[str]) -> set[str]:
    """Content hashes of every source image that the splits show, so that what is trained on and scored can be compared.

    An image is what the source publishes as one: a city on one date, an aerial chip, a rendered scene; never a tile.
    """
    dataset = open_store(path)
    hashes = dataset["hash"].values[np.isin(dataset["split"].values, list(splits))]
    return set(hashes.ravel().tolist())


@contextmanager
def _described(path: Path) -> Iterator[None]:
    """Whatever Zarr and xarray raise on a damaged description becomes a BrewError that names the store."""
    try:
        yield
    except BrewError:
        raise
    except Exception as error:  # each library has its own kinds
        raise BrewError(
            f"{path} has a damaged zarr.json ({type(error).__name__}: {error}); expected a Zarr group. Build the store "
            "again"
        ) from error


def _check_files(path: Path) -> None:
    """Every chunk is there in its full length: an uncompressed chunk that is shorter was cut off."""
    for folder in [each for each in search(path, "*") if each.is_dir()]:
        if not (folder / "zarr.json").is_file():
            raise BrewError(f"{folder / 'zarr.json'} does not exist; expected an array's. Build the store again")
    for name, array in zarr.open_group(path, mode="r").arrays():
        if array.dtype.kind not in "uif":
            _check_text(path, name, array)
            continue
        expected = int(np.prod(array.chunks)) * array.dtype.itemsize
        for index in range(-(-array.shape[0] // array.chunks[0])):
            file = _chunk_file(path, name, index, array.ndim)
            found = file.stat().st_size if file.is_file() else 0
            if found != expected:
                raise BrewError(f"{file} has {found} bytes; expected {expected}. Build the store again")


def _check_text(path: Path, name: str, array: zarr.Array) -> None:
    file = _chunk_file(path, name, 0, array.ndim)
    try:
        array[:]
    except Exception as error:  # whatever the codec meets in a damaged file
        raise BrewError(f"{file} cannot be decoded ({error}); expected text. Build the store again") from error
    if not file.is_file():
        raise BrewError(f"{file} does not exist; expected the text of {name!r}. Build the store again")


def _chunk_file(path: Path, name: str, index: int, dimensions: int) -> Path:
    return path.joinpath(name, "c", str(index), *["0"] * (dimensions - 1))


class ArrayReader:
    """One variable of a store, read from its chunk files by offset.

    No file stays open or mapped: a large store has more of them than a process may hold, and one that is cut off
    becomes an error instead of a crash. BrewError if the store has no such variable of numbers.
    """

    def __init__(self, path: Path, name: str):
        with _described(path):
            arrays = dict(zarr.open_group(path, mode="r").arrays())
        if name not in arrays:
            raise unknown(f"{path}: variable", name, arrays)
        array = arrays[name]
        if array.dtype.kind not in "biuf":
            raise BrewError(
                f"{path}: variable {name!r} holds {array.dtype}; expected numbers. Open the store for texts"
            )
        self.shape, self.dtype, self._per_chunk = array.shape, array.dtype, array.chunks[0]
        chunks = range(-(-self.shape[0] // self._per_chunk))
        self._files = [str(_chunk_file(path, name, index, array.ndim)) for index in chunks]

    def __len__(self) -> int:
        return self.shape[0]

    def read(self, samples: Sequence[int] | np.ndarray, time: np.ndarray | None = None) -> np.ndarray:
        """The samples in the order asked for. time: of each sample, one index of the second dimension.

        Raises BrewError if a sample or time lies outside the variable, if a sample has no time, or if a chunk file is
        cut off.
        """
        places = np.asarray(samples, np.int64)
        _check_within("sample", places, len(self))
        chunks, parts = np.divmod(places, self._per_chunk)
        shape = self.shape[1:]
        if time is not None:
            if len(time) != len(places):
                raise BrewError(f"{len(time)} times for {len(places)} samples; expected one of each sample")
            _check_within("time", time, shape[0])
            parts, shape = parts * shape[0] + time, shape[1:]
        size = int(np.prod(shape)) * self.dtype.itemsize
        out = np.empty((len(places), size), np.uint8)
        for first in range(0, len(places), _WINDOW):
            window = slice(first, first + _WINDOW)
            self._read_window(chunks[window].tolist(), (parts[window] * size).tolist(), out[window])
        return out.view(_little(self.dtype)).astype(self.dtype, copy=False).reshape(len(places), *shape)

    def _read_window(self, chunks: list[int], offsets: list[int], out: np.ndarray) -> None:
        with ExitStack() as stack:
            files = {chunk: stack.enter_context(_opened(self._files[chunk])) for chunk in sorted(set(chunks))}
            for chunk, offset in zip(chunks, offsets, strict=True):
                _prefetch(files[chunk], offset, out.shape[1])
            for chunk, offset, row in zip(chunks, offsets, out, strict=True):
                found = os.preadv(files[chunk], [row], offset)
                if found != len(row):
                    raise BrewError(
                        f"{self._files[chunk]} holds {found} bytes from {offset} on; expected {len(row)}. "
                        "Build the store again"
                    )


@contextmanager
def _opened(path: str) -> Iterator[int]:
    file = os.open(path, os.O_RDONLY)
    try:
        yield file
    finally:
        os.close(file)


def _prefetch(file: int, offset: int, size: int) -> None:
    """Let the system fetch exactly these bytes meanwhile: many requests at once keep a disk busy.

    Its own guess, reading on after each request, fetches what a shuffled order does not use.
    """
    if hasattr(os, "posix_fadvise"):  # absent on macOS
        os.posix_fadvise(file, offset, size, os.POSIX_FADV_WILLNEED)


def _check_within(dimension: str, indices: np.ndarray, length: int) -> None:
    if len(indices) and not 0 <= indices.min() <= indices.max() < length:
        raise BrewError(f"{dimension} {indices.min()} to {indices.max()} asked for; expected 0 to {length - 1}")
