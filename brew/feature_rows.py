"""Features of a scene of any height, row after row: an image's windows are read, and its map is taken, as it goes.

A Swin's rows follow from each other without overlap (`brew.models.swin_rows`). A ViT sees windows of the size that its
position table was made for; they lie at fixed places, overlap, and fade into each other.
"""

import math
from typing import Any, Protocol, runtime_checkable

import numpy as np
import rioxarray  # noqa: F401  registers `.rio`
import torch
import xarray as xr
from jaxtyping import Bool, Float, Float32
from torch import Tensor

from brew.data.tiles import blend_window
from brew.errors import BrewError, nearest
from brew.models.student import Student
from brew.models.swin import Swin
from brew.models.swin_rows import Rows, swin_rows
from brew.models.vit import ViT
from brew.sensors import sensor as find_sensor

#: Images are filled to whole cells of the coarsest map, whose stride this is.
CELL = 32
#: Rows of pixels that pass a stem at a time.
_STEM_ROWS = 32
#: A scene is tried in windows of so many pixels, so many along each side.
_TRIED, _TRIALS = 128, 4


@runtime_checkable
class Scene(Protocol):
    """What is asked of an opened image. read: digital numbers (band, y, x) and which pixels have a value (y, x)."""

    @property
    def shape(self) -> tuple[int, int]: ...
    @property
    def y(self) -> np.ndarray: ...
    @property
    def x(self) -> np.ndarray: ...
    @property
    def crs(self) -> Any: ...
    @property
    def record(self) -> dict[str, Any]: ...
    def read(self, rows: slice, columns: slice) -> tuple[np.ndarray, np.ndarray]: ...


class FeatureRows:
    """A student's map of a scene, of which any rows can be taken; downwards, each costs once.

    stride: of the map. tile: rows of pixels that are worked on together. overlap: pixels that a ViT's windows share.
    Raises BrewError for a stride that the student does not have, and for sizes that are no multiples of 32.
    """

    def __init__(
        self,
        image: Scene,
        student: Student,
        sensor: str,
        stride: int,
        tile: int = 128,
        overlap: int | None = None,
        device: str | torch.device = "cpu",
    ):
        self.name = f"stride{stride}"
        if self.name not in student.channels:
            raise BrewError(f"the student has no map {self.name!r}; {nearest(self.name, tuple(student.channels))}")
        if tile % CELL or tile <= 0:
            raise BrewError(f"a tile of {tile} px; expected multiples of {CELL}, such as 128")
        self.image, self.student, self.sensor, self.stride = image, student.to(device).eval(), sensor, stride
        self.device = torch.device(device)
        self.shape = tuple(math.ceil(side / stride) for side in image.shape)
        self.channels = student.channels[self.name]
        self._tokens = _Tokens(image, student, sensor, stride, self.device)
        trunk = student.trunk
        if isinstance(trunk, Swin):
            self._rows: Rows = swin_rows(trunk, self._tokens, stride, tile)
        else:
            self._rows = _WindowRows(trunk, self._tokens, stride, overlap, tile)

    @torch.inference_mode()
    def take(self, start: int, stop: int) -> tuple[Float32[np.ndarray, "feature y x"], Float32[np.ndarray, "y x"]]:
        """Rows of cells from `start` until `stop`: features, and the share of each cell's pixels that have a value."""
        rows = self._rows.take(start, stop)[:, : self.shape[1]]
        features = rows.permute(2, 0, 1).float().contiguous().cpu().numpy()
        return features, self._tokens.valid(start, stop)

    def grid(self) -> xr.Dataset:
        """Centres of the cells, and the scene's coordinate system where it has one."""
        coords = {
            name: _centres(np.asarray(pixels, dtype=np.float64), count, self.stride)
            for name, pixels, count in (("y", self.image.y, self.shape[0]), ("x", self.image.x, self.shape[1]))
        }
        grid = xr.Dataset(coords=coords)
        return grid if self.image.crs is None else grid.rio.write_crs(self.image.crs)

    def check(self) -> None:
        """Try one window; BrewError for values in another unit, before anything long begins."""
        next(filter(lambda found: found is not None, map(self._tried, self._windows())), None)

    def sample(self) -> list[Float32[np.ndarray, "feature cell"]]:
        """Features of small windows all over the scene; near a window's border they are not exact."""
        tried = map(self._tried, self._windows())
        return [found for found in tried if found is not None]

    @torch.inference_mode()
    def _tried(self, window: tuple[slice, slice]) -> Float32[np.ndarray, "feature cell"] | None:
        """Features of a window by the whole student; None if no pixel has a value."""
        values, valid = self.image.read(*window)
        if not valid.any():
            return None
        features = self.student(torch.from_numpy(values)[None].to(self.device), self.sensor).maps[self.name]
        return features[0].flatten(1).float().cpu().numpy()

    def _windows(self) -> list[tuple[slice, slice]]:
        """Windows on a coarse grid over the scene, those in the middle first."""
        sides = [min(_TRIED, side) for side in self.image.shape]
        starts = [_from_the_middle(whole - side) for side, whole in zip(sides, self.image.shape, strict=True)]
        return [(slice(y, y + sides[0]), slice(x, x + sides[1])) for y in starts[0] for x in starts[1]]


class _Tokens:
    """The trunk's input from an image, normalised and filled to whole cells; and how many pixels have a value."""

    def __init__(self, image: Scene, student: Student, sensor: str, stride: int, device: torch.device):
        self.image, self.student, self.device = image, student, device
        self.source, self.route = find_sensor(sensor), student.route(sensor)
        self.patch = student.trunk.patch
        self.filled = tuple(side + -side % CELL for side in image.shape)
        self.height = self.filled[0] // self.patch
        #: Pixels per side of a grain, of which the pixels with a value are counted.
        self.grain, self.stride = math.gcd(self.patch, stride), stride
        self.counts = np.zeros([math.ceil(side / self.grain) for side in image.shape], dtype=np.uint16)

    def take(self, start: int, stop: int) -> Float[Tensor, "y x width"]:
        height, width = self.image.shape
        first, last = min(start * self.patch, height - 1), min(stop * self.patch, height)
        values, valid = self.image.read(slice(first, last), slice(0, width))
        self._count(start * self.patch, valid)
        below, right = (stop - start) * self.patch - (last - first), self.filled[1] - width
        if below or right:
            # The border is repeated, so that whole cells cover the scene; what it adds is cut off again.
            values = np.pad(values, ((0, 0), (0, below), (0, right)), mode="edge")
        strips = np.split(values, range(_STEM_ROWS, values.shape[1], _STEM_ROWS), axis=1)
        return torch.cat([self._stem(torch.from_numpy(np.ascontiguousarray(strip))) for strip in strips])

    def valid(self, start: int, stop: int) -> Float32[np.ndarray, "y x"]:
        """Share of each cell's pixels that have a value, of rows that were taken."""
        times = self.stride // self.grain
        counts = self.counts[start * times : stop * times].astype(np.float32)
        for axis in (0, 1):
            counts = np.add.reduceat(counts, np.arange(0, counts.shape[axis], times), axis=axis)
        edges = [np.minimum(np.arange(side // self.stride + 2) * self.stride, side) for side in self.image.shape]
        rows, columns = (np.diff(edge) for edge in edges)
        return (counts / np.outer(rows[start:stop], columns[: counts.shape[1]])).astype(np.float32)

    def _count(self, first: int, valid: Bool[np.ndarray, "y x"]) -> None:
        """first: row of pixels of the first of `valid`, where a grain begins unless it lies below the image."""
        if first < self.image.shape[0]:
            starts = [np.arange(0, side, self.grain) for side in valid.shape]
            counts = np.add.reduceat(np.add.reduceat(valid, starts[0], axis=0, dtype=np.uint16), starts[1], axis=1)
            self.counts[first // self.grain :][: len(counts)] = counts

    def _stem(self, values: Float32[Tensor, "band _y _x"]) -> Float[Tensor, "y x width"]:
        values = values.to(self.device, self.student.trunk.norm.weight.dtype)
        mean, std = (values.new_tensor(each).view(-1, 1, 1) for each in (self.source.mean, self.source.std))
        return self.student.tokens(self.route.apply(((values - mean) / std)[None]), self.route.path)[0]


class _WindowRows:
    """Rows of a ViT's map from windows at fixed places, of the size that its position table was made for."""

    def __init__(self, trunk: ViT, tokens: _Tokens, stride: int, overlap: int | None, tile: int):
        whole = trunk.patch * trunk.grid
        unit = math.lcm(trunk.patch, stride)
        shared = math.ceil(whole / 4 / unit) * unit if overlap is None else overlap
        if overlap is not None and (overlap % CELL or not 0 <= overlap < whole):
            raise BrewError(f"windows that overlap by {overlap} px; expected multiples of {CELL}, less than {whole}")
        self.trunk, self.tokens, self.stride = trunk, tokens, stride
        self.height = tokens.filled[0] // stride
        self.sides = [min(whole, side) for side in tokens.filled]
        self.starts = [_starts(side, own, whole - shared) for side, own in zip(tokens.filled, self.sides, strict=True)]
        self.batch = max(1, tile // whole) * 8
        self.fade = torch.from_numpy(blend_window(*(side // stride for side in self.sides))).to(tokens.device).float()
        self.kept: dict[int, tuple[Tensor, Tensor]] = {}

    def take(self, start: int, stop: int) -> Float[Tensor, "y x channel"]:
        """Rows of cells: the weighted mean of all windows that cover a cell."""
        cells = self.sides[0] // self.stride
        begins = [y // self.stride for y in self.starts[0]]
        needed = [begin for begin in begins if begin < stop and start < begin + cells]
        self.kept = {begin: strip for begin, strip in self.kept.items() if begin >= needed[0]}
        total: Tensor | float = 0.0
        weight: Tensor | float = 0.0
        for begin in needed:
            if begin not in self.kept:
                self.kept[begin] = self._strip(begin * self.stride)
            first, last = max(start, begin), min(stop, begin + cells)
            around = (0, 0, 0, 0, first - start, stop - last)
            values, weights = (each[first - begin : last - begin] for each in self.kept[begin])
            total = total + torch.nn.functional.pad(values, around)
            weight = weight + torch.nn.functional.pad(weights, around)
        return total / weight  # type: ignore[return-value]  # at least one window covers every row

    def _strip(self, y: int) -> tuple[Float[Tensor, "y x channel"], Float[Tensor, "y x 1"]]:
        """Windows beside each other: their weighted sum, and the sum of weights."""
        patch, stride, fade = self.trunk.patch, self.stride, self.fade[..., None]
        tokens = self.tokens.take(y // patch, (y + self.sides[0]) // patch)
        windows = [tokens[:, x // patch : (x + self.sides[1]) // patch] for x in self.starts[1]]
        parts = torch.stack(windows).split(self.batch)
        maps = torch.cat([self.trunk.map(part, stride) for part in parts]).permute(0, 2, 3, 1)
        total = maps.new_zeros(maps.shape[1], self.tokens.filled[1] // stride, maps.shape[3])
        weight = total.new_zeros(*total.shape[:2], 1)
        for x, each in zip(self.starts[1], maps, strict=True):
            place = slice(x // stride, (x + self.sides[1]) // stride)
            total[:, place] += fade * each
            weight[:, place] += fade
        return total, weight


def _centres(pixels: np.ndarray, count: int, stride: int) -> np.ndarray:
    """Of cells, from the centres of pixels. Of a single pixel, no spacing is known: its cell lies where it does."""
    spacing = (pixels[-1] - pixels[0]) / max(1, len(pixels) - 1)
    return pixels[0] + spacing * (stride * (np.arange(count) + 0.5) - 0.5)


def _from_the_middle(last: int) -> list[int]:
    """Evenly spaced places from 0 to `last`, those in the middle first."""
    return sorted({int(at) for at in np.linspace(0, last, _TRIALS)}, key=lambda at: abs(2 * at - last))


def _starts(side: int, window: int, step: int) -> list[int]:
    return [*range(0, side - window, step), side - window]
