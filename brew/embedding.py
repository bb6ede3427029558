"""Imagery in, features out: a scene of any size as dense features on the scene's own grid and coordinate system.

    student = brew.load_student("student.pt")
    features = brew.embed("scene.tif", student)                        # xarray.Dataset, in memory
    features = brew.embed("S2A_MSIL2A_....SAFE", student, out="features.zarr")   # written as it goes; or features.tif

Left out: reprojection, several dates (`brew.maps` compares two), pooled vectors (call the student on tiles for those).
"""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from tqdm import tqdm

import brew
from brew.data.images import open_image
from brew.errors import BrewError
from brew.feature_files import (
    NO_CODE,
    Encoding,
    GrowingStore,
    chunk_cells,
    encoding,
    error_of,
    open_geotiff,
    write_geotiff,
)
from brew.feature_rows import FeatureRows, Scene
from brew.files import locked, writing
from brew.models.student import Student

#: Seconds before a progress bar shows.
_PATIENCE = 3
#: The part of an image's record that changes while it is read.
_COUNTED = "read"
#: What attributes hold as it is; anything else becomes JSON.
_PLAIN = (str, int, float)


def embed(
    image: Any,
    student: Student,
    sensor: str = "sentinel2",
    stride: int = 4,
    tile: int = 128,
    overlap: int | None = None,
    device: str | torch.device = "cpu",
    *,
    out: str | Path | None = None,
    invalid: float | int = 0.5,
    dtype: str = "float32",
    **reading: Any,
) -> xr.Dataset:
    """Dense features of a scene: ``features`` (feature, y, x) and ``valid`` (y, x), a cell per `stride` x `stride` px.

    image: whatever `brew.data.images.open_image` reads, or an image that it opened. reading: its options, such as
        `bands`, `unit`, `offset`, `mask`.
    stride: of the student's map, 4, 8, 16 or 32; the shorter, the fewer of the trunk's stages are computed.
    tile: rows of pixels that are worked on together, a multiple of 32. Memory grows with it; features do not depend on
        it. overlap: pixels that a ViT's windows share (None: a quarter of a window); a Swin computes no pixel twice.
    out: a folder ending in .zarr or a file ending in .tif, written as rows are done. The same call goes on with what an
        interrupted one left, to the same bits, and the result is opened lazily. None keeps all of it in memory. One
        process at a time writes it.
    invalid: features are NaN if more than this share of a cell's pixels has no value. ``valid`` is the share that has.
    dtype: "float32"; "float16"; or "int8", whose variables ``scale`` and ``offset`` lead back (`brew.maps.decoded`).
        Attributes state the measured cosine distance to float32, mean and largest.
    Coordinates are the cells' centres; attributes say what was assumed of the image, and of which student this is.
    Raises BrewError for an image that cannot be read without a guess, a stride that the student does not have, values
    in another unit, an `out` that holds something else, and one that another process writes.
    """
    if not 0 <= invalid < 1:
        raise BrewError(f"invalid={invalid}; expected a share of a cell's pixels from 0 to below 1, such as 0.5")
    path = None if out is None else free_name(Path(out))
    scene = opened_image(image, sensor, reading)
    rows = FeatureRows(scene, student, sensor, stride, tile, overlap, device)
    rows.check()
    stored = encoding(dtype, rows.sample)
    frame = _frame(scene, rows, student)
    if stored.scale is not None:
        frame = frame.assign(scale=("feature", stored.scale), offset=("feature", stored.offset))
    if path is None:
        return _in_memory(rows, frame, stored, invalid)
    settings = {
        "image": [_assumed(scene), scene.shape, frame["y"].values.tolist(), frame["x"].values.tolist(), str(scene.crs)],
        "pixels": _fingerprint(scene), "student": frame.attrs["student"], "sensor": sensor, "stride": stride,
        "tile or overlap": [tile, overlap], "share of invalid pixels": invalid, "dtype": dtype,
    }  # fmt: skip
    geotiff = path.suffix == ".tif"
    place = path.with_name(f"{path.name}.partial.zarr") if geotiff else path
    with _alone(path):
        store = _grown(GrowingStore(place, frame, stored, rows.channels, settings), rows, invalid)
        if not geotiff:
            return store.open()
        write_geotiff(free_name(path), store)
        store.remove()
    return open_geotiff(path)


def student_hash(student: Student) -> str:
    """SHA-256 of a student's weights, whatever file they were read from."""
    digest = hashlib.sha256()
    for name, value in sorted(student.state_dict().items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def opened_image(image: Any, sensor: str, reading: dict[str, Any]) -> Scene:
    """The image as it is if it is open already, otherwise what `open_image` makes of it."""
    if not isinstance(image, Scene):
        return open_image(image, sensor, **reading)
    if reading:
        raise BrewError(f"an image that is open already, with {', '.join(reading)}; expected them at `open_image`")
    return image


def free_name(path: Path) -> Path:
    """The name as it is; BrewError if features cannot be written there: another ending, or a file that is there."""
    if path.suffix not in (".tif", ".zarr"):
        raise BrewError(f"{path} ends in {path.suffix!r}; expected .tif or .zarr. Name such a file")
    if path.suffix == ".tif" and path.exists():
        raise BrewError(f"{path} is there; expected a free name. Remove the file, or name another `out`")
    return path


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep a second call that writes the same result out. A whole result may be opened in a folder of others."""
    if path.exists() and not os.access(path.parent, os.W_OK):
        yield
        return
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    refusal = "is being written by another process; expected one. Wait for it: the same call then opens the result"
    with locked(path.with_name(f".lock-{path.name}"), f"{path} {refusal}"):
        yield


def _grown(store: GrowingStore, rows: FeatureRows, invalid: float | int) -> GrowingStore:
    """The store with all that was missing."""
    if not store.complete:
        for start, features, valid in _bands(rows, store.missing, invalid):
            store.write(start, features, valid)
        store.finish(_counted(rows.image))
    return store


def _in_memory(rows: FeatureRows, frame: xr.Dataset, stored: Encoding, invalid: float | int) -> xr.Dataset:
    height, width = rows.shape
    features = np.empty((rows.channels, height, width), dtype=stored.dtype)
    valid, errors, step = np.empty((height, width), dtype=np.float32), [], chunk_cells(rows.channels)
    bands = [(start, min(start + step, height)) for start in range(0, height, step)]
    for start, values, shares in _bands(rows, bands, invalid):
        place = slice(start, start + values.shape[1])
        features[:, place], valid[place] = stored.encode(values), shares
        if stored.dtype != "float32":
            errors.append(stored.error(values, features[:, place]))
    kept = {"_FillValue": NO_CODE} if stored.dtype == "int8" else {}
    whole = frame.assign(features=(("feature", "y", "x"), features, kept), valid=(("y", "x"), valid))
    told = (error_of(errors) if errors else {}) | _counted(rows.image)
    return xr.decode_cf(whole.assign_attrs(told), decode_coords="all")


def _bands(
    rows: FeatureRows, bands: list[tuple[int, int]], invalid: float | int
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """First row, features with NaN where too much of a cell has no value, and shares of pixels with a value."""
    with tqdm(total=rows.shape[0], unit="row", disable=None, delay=_PATIENCE, desc="brew.embed") as bar:
        bar.update(rows.shape[0] - sum(stop - start for start, stop in bands))
        for start, stop in bands:
            features, valid = rows.take(start, stop)
            features[:, 1 - valid > invalid] = np.nan
            yield start, features, valid
            bar.update(stop - start)


def _frame(scene: Scene, rows: FeatureRows, student: Student) -> xr.Dataset:
    """Coordinates, coordinate system and attributes of the features, without the features."""
    attributes = {
        "sensor": rows.sensor, "map": rows.name, "stride": rows.stride, "student": student_hash(student),
        "trunk": student.trunk_size, "version": brew.__version__,
    }  # fmt: skip
    return rows.grid().assign_attrs({**_plain(_assumed(scene)), **attributes})


def _assumed(scene: Scene) -> dict[str, Any]:
    """The image's record without what it counts while it is read."""
    return {name: value for name, value in scene.record.items() if name != _COUNTED}


def _plain(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value if isinstance(value, _PLAIN) else json.dumps(value) for name, value in record.items()}


def _counted(scene: Scene) -> dict[str, Any]:
    """What the image counted while it was read: pixels without a value, and what was clipped."""
    return _plain({name: value for name, value in scene.record.items() if name == _COUNTED})


def _fingerprint(scene: Scene) -> str:
    """Of some rows of pixels: tells images apart whose files have one name."""
    height, width = scene.shape
    digest = hashlib.sha256()
    for row in sorted({0, height // 3, height // 2, height - 1}):
        values, valid = scene.read(slice(row, row + 1), slice(0, width))
        digest.update(np.ascontiguousarray(values).tobytes() + np.ascontiguousarray(valid).tobytes())
    return digest.hexdigest()
