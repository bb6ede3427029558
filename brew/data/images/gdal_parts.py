"""Rasters that GDAL reads, band by band and window by window.

Each thread opens a file for itself, since GDAL's handles serve one thread at a time.
"""

import os
import re
import threading
import warnings
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.windows import Window

from brew.data.images.parts import Grid, Layer
from brew.data.rasters import check_upright
from brew.errors import BrewError

_handles = threading.local()
#: Files that one thread keeps open.
_OPEN = 64
#: The file's name in a source of a VRT's band.
_SOURCE = re.compile(r"<SourceFilename[^>]*>([^<]*)<")
_COLOURS = {ColorInterp.red: "red", ColorInterp.green: "green", ColorInterp.blue: "blue"}


def opened(name: str) -> rasterio.DatasetReader:
    """The file, opened by this thread; BrewError if GDAL cannot open it."""
    if getattr(_handles, "process", None) != os.getpid():  # a forked process shares no handles
        _handles.process, _handles.files = os.getpid(), {}
    files: dict[Any, Any] = _handles.files
    key = (name, *_state(name))  # a file that was replaced is opened anew
    if key not in files:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", NotGeoreferencedWarning)
                found = rasterio.open(name)
        except RasterioError as error:
            raise BrewError(
                f"{name} cannot be opened ({error}); expected an image that GDAL reads. Check its name, or obtain it "
                "again if it is truncated"
            ) from error
        while len(files) >= _OPEN:
            files.pop(next(iter(files))).close()
        files[key] = found
    return files[key]


def _state(name: str) -> tuple[int, ...]:
    """Size and time of change of a file on this machine; empty for other names."""
    try:
        status = os.stat(name)
    except (OSError, ValueError):
        return ()
    return status.st_size, status.st_mtime_ns


def data_file(name: str) -> str:
    """The name as it is, or the data file beside a header of ENVI."""
    path = Path(name)
    if path.suffix.lower() != ".hdr":
        return name
    beside = [path.with_suffix(end) for end in ("", ".dat", ".img", ".bsq", ".bil", ".bip", ".raw")]
    return next((str(each) for each in beside if each.is_file()), name)


def _stem_of_source(file: rasterio.DatasetReader, index: int) -> str | None:
    """The name, without its ending, of the one file that a band of a VRT shows; None for other bands."""
    sources = file.tags(index, ns="vrt_sources") if file.driver == "VRT" else {}
    found = {Path(name).stem for text in sources.values() for name in _SOURCE.findall(text)}
    return found.pop() if len(found) == 1 else None


class GdalPart:
    """All bands of one raster. name: as GDAL takes it. other_names: of its band, if it has only one."""

    def __init__(self, name: str, other_names: Sequence[str] = ()):
        self.name, self._other_names = name, tuple(other_names)
        file = opened(name)
        check_upright(file, name)
        alpha = {index for index, meaning in enumerate(file.colorinterp, 1) if meaning == ColorInterp.alpha}
        # One band alone is never opacity.
        self._alpha = sorted(alpha) if len(alpha) < file.count else []
        self.layers: tuple[Layer, ...]
        self.indexes = [index for index in file.indexes if index not in self._alpha]
        self.layers = tuple(self._layer(file, index) for index in self.indexes)
        crs = file.crs
        placed = crs is not None or not file.transform.is_identity
        self.grid = Grid(
            file.shape, file.transform if placed else None, crs.to_wkt() if crs else "", bool(crs and crs.is_geographic)
        )

    @property
    def subdatasets(self) -> list[str]:
        """Names of the images that the file holds, if it is none itself."""
        return list(opened(self.name).subdatasets)

    @cached_property
    def tags(self) -> dict[str, str]:
        """What the file as a whole says of itself."""
        return dict(opened(self.name).tags())

    def _layer(self, file: rasterio.DatasetReader, index: int) -> Layer:
        if np.dtype(file.dtypes[index - 1]).kind not in "iuf":
            raise BrewError(
                f"{self.name}, band number {index}: {file.dtypes[index - 1]}; expected real numbers. Convert the file"
            )
        alone = len(self.indexes) == 1
        names = [file.descriptions[index - 1], _stem_of_source(file, index), _COLOURS.get(file.colorinterp[index - 1])]
        names += self._other_names if alone else []
        scale, offset = file.scales[index - 1], file.offsets[index - 1]
        declared = (scale, offset) != (1.0, 0.0)
        nodata = file.nodatavals[index - 1]
        return Layer(
            names=tuple(name for name in names if name) or (str(index),),
            where=self.name if alone else f"{self.name}, band number {index}",
            dtype=np.dtype(file.dtypes[index - 1]),
            scale=scale if declared else None,
            offset=offset if declared else None,
            unit=file.units[index - 1] or "",
            declared_by="scale and offset of the file" if declared else "",
            nodata=() if nodata is None else (float(nodata),),
            tags=file.tags(index),
        )

    def read(self, which: Sequence[int], rows: slice, columns: slice) -> tuple[np.ndarray, np.ndarray]:
        file = opened(self.name)
        window = Window.from_slices(rows, columns, *self.grid.shape)
        indexes = [self.indexes[number] for number in which]
        try:
            values = file.read(indexes, window=window)
            valid = np.stack([self._valid(file, n, layer, window) for n, layer in zip(which, values, strict=True)])
            for index in self._alpha:
                valid &= file.read(index, window=window) != 0
        except RasterioError as error:
            names = ", ".join(self.layers[number].names[0] for number in which)
            raise BrewError(
                f"{self.name}, band {names} cannot be read ({error}); it may be truncated. Obtain the file again"
            ) from error
        return values, valid

    def _valid(self, file: rasterio.DatasetReader, number: int, values: np.ndarray, window: Window) -> np.ndarray:
        """By the declared nodata value and by a mask, of which GDAL itself would take one alone."""
        index = self.indexes[number]
        valid = ~self.layers[number].is_none(values)
        flags = file.mask_flag_enums[index - 1]
        if MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags:
            valid &= file.read_masks(index, window=window) != 0
        return valid
