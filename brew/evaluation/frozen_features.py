"""Frozen features, computed once: pooled vectors per image, and maps per image and orientation.

Training a decoder on frozen features repeats the trunk's work every epoch unless the features are kept. Random flips
change what a trunk sees, and no trunk here is equivariant to flips, so the maps of each orientation are kept.
`orientations` is 1 (as it is), 2 (and mirrored), 4 (both flips and their product) or 8 (with quarter turns). With the
cache the trunk runs `orientations` times over the training images; without the cache it runs `epochs` times. So the
cache pays if epochs > orientations: ten epochs against four orientations save 2.5 times the trunk's work.

Memory limits the cache. A Swin of width 48 keeps 5.6 values per pixel: 46 kB per 64 x 64 image and orientation in half
precision, and sixteen times that at 256 x 256. Fewer orientations and training crops need less. Maps that exceed main
memory go to a memory-mapped file (`folder`).
Left out: features of crops and zooms, which no cache can hold.
"""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float32, Int64, Shaped
from torch import Tensor

from brew.errors import BrewError
from brew.evaluation.backbones import Backbone

#: Quarter turns and whether a mirror follows; the first 1, 2, 4 and all 8 entries each form a group.
_ORIENTATIONS = ((0, False), (0, True), (2, False), (2, True), (1, False), (1, True), (3, False), (3, True))

#: Pixels that go through a trunk together on a CPU.
_CACHED_PIXELS = 2**18


@runtime_checkable
class Reader(Protocol):
    """Reads samples by index: what a store's array reader does."""

    def read(self, indices: Int64[np.ndarray, " sample"]) -> np.ndarray: ...


@dataclass(frozen=True)
class InMemory:
    """A reader of an array that is already in memory, sample first."""

    array: np.ndarray

    def read(self, indices: Int64[np.ndarray, " sample"]) -> np.ndarray:
        return self.array[indices]


@dataclass(frozen=True)
class AtTime:
    """One date of a reader of (sample, time, ...)."""

    reader: Reader
    time: int = 0

    def read(self, indices: Int64[np.ndarray, " sample"]) -> np.ndarray:
        return self.reader.read(indices)[:, self.time]


def read_images(reader: Reader, samples: Int64[np.ndarray, " sample"], device: str) -> Float32[Tensor, "sample ..."]:
    """Samples as float32 in their native units, on the device; BrewError if a value is not finite."""
    values = np.asarray(reader.read(samples)).astype(np.float32)
    if not np.isfinite(values).all():
        bad = samples[~np.isfinite(values).reshape(len(values), -1).all(1)]
        raise BrewError(f"samples {bad[:8].tolist()} hold NaN or infinity; expected finite values: rebuild the store")
    return torch.from_numpy(values).to(device)


def orient(images: Shaped[Tensor, "... y x"], orientation: int) -> Shaped[Tensor, "... y2 x2"]:
    """One of the eight orientations of the last two axes; 0 leaves them as they are."""
    turns, mirrored = _ORIENTATIONS[orientation]
    turned = torch.rot90(images, turns, (-2, -1)) if turns else images
    return turned.flip(-1) if mirrored else turned


def orient_each(
    images: Shaped[Tensor, "sample ... y x"], orientations: Int64[Tensor, " sample"]
) -> Shaped[Tensor, "sample ... y x"]:
    """Each sample in its own orientation (quarter turns need square images)."""
    turned = images.clone()
    for orientation in orientations.unique().tolist():
        chosen = orientations == orientation
        turned[chosen] = orient(images[chosen], orientation)
    return turned


@torch.no_grad()
def extract_pooled(
    backbone: Backbone,
    reader: Reader,
    samples: Int64[np.ndarray, " sample"],
    sensor: str,
    *,
    batch: int = 64,
    device: str = "cpu",
) -> Float32[np.ndarray, "sample width"]:
    """Pooled vectors of `samples`, in their order."""
    parts = [
        backbone.pooled(read_images(reader, chunk, device), sensor).float().cpu().numpy()
        for chunk in _chunks(samples, batch)
    ]
    return np.concatenate(parts)


@dataclass(frozen=True)
class Images:
    """The images of some samples themselves: inputs of a network that is trained whole.

    samples: the benchmark's index of each row. read: sample indices -> images, as the network takes them.
    """

    read: Callable[[Int64[np.ndarray, " sample"]], Tensor]
    samples: Int64[np.ndarray, " row"]
    orientations: int

    def batch(self, rows: Int64[Tensor, " batch"], orientations: Int64[Tensor, " batch"], device: str) -> list[Tensor]:
        """Images of each row in its own orientation."""
        return [orient_each(self.read(self.samples[rows.numpy()]), orientations).to(device)]


@dataclass(frozen=True)
class FrozenMaps:
    """Cached maps of some samples.

    samples: the benchmark's index of each row. levels: one tensor per stride; channels last, as convolutions on a CPU
    read them fastest.
    """

    samples: Int64[np.ndarray, " row"]
    levels: tuple[Shaped[Tensor, "orientation row _y _x _channel"], ...]

    @property
    def orientations(self) -> int:
        return self.levels[0].shape[0]

    def of(self, samples: Int64[np.ndarray, " part"]) -> "FrozenMaps":
        """The maps of some of the samples."""
        if np.array_equal(samples, self.samples):
            return self
        row_of = {int(sample): row for row, sample in enumerate(self.samples)}
        rows = torch.tensor([row_of[int(sample)] for sample in samples])
        return FrozenMaps(samples, tuple(level[:, rows] for level in self.levels))

    def batch(self, rows: Int64[Tensor, " batch"], orientations: Int64[Tensor, " batch"], device: str) -> list[Tensor]:
        """Maps (batch, channel, y, x) of each row in its own orientation, in the precision in which they are kept."""
        return [level[orientations, rows].to(device).permute(0, 3, 1, 2) for level in self.levels]

    def moments(self) -> tuple[list[Tensor], list[Tensor]]:
        """Per level: mean and standard deviation of each channel, over rows and places, as they are (orientation 0)."""
        means, deviations = [], []
        for level in self.levels:
            total = torch.zeros(level.shape[-1], dtype=torch.float64)
            squares = torch.zeros_like(total)
            for rows in level[0].split(16):
                values = rows.float().flatten(0, 2)
                total += values.sum(0)
                squares += values.square_().sum(0)
            count = level[0].numel() / level.shape[-1]
            mean = total / count
            means.append(mean.float())
            deviations.append((squares / count - mean.square()).clamp(min=0).sqrt().float())
        return means, deviations


@torch.no_grad()
def extract_maps(
    maps_of: Callable[[Tensor], Sequence[Tensor]],
    read: Callable[[Int64[np.ndarray, " sample"]], Tensor],
    samples: Int64[np.ndarray, " sample"],
    *,
    orientations: int = 1,
    batch: int = 32,
    dtype: torch.dtype = torch.float16,
    folder: Path | None = None,
) -> FrozenMaps:
    """Maps of `samples` in the first `orientations` orientations, kept in half precision.

    maps_of: images (of any leading shape, y and x last) -> maps, such as one backbone's pyramid or the difference of
    two dates' pyramids. read: sample indices -> images. folder: keep the maps in a memory-mapped file there (its name
    is removed at once, its space when the maps are), instead of in main memory.
    Raises BrewError if a map leaves the range of `dtype`, or if quarter turns are asked for oblong images.
    """
    if orientations not in (1, 2, 4, 8):
        raise BrewError(f"{orientations} orientations; expected 1, 2, 4 or 8")
    levels: list[Tensor] = []
    for start, chunk in zip(range(0, len(samples), batch), _chunks(samples, batch), strict=True):
        images = read(chunk)
        if orientations == 8 and images.shape[-1] != images.shape[-2]:
            raise BrewError(f"images of {tuple(images.shape[-2:])} pixels; quarter turns need square images: ask for 4")
        for orientation in range(orientations):
            maps = _in_parts(maps_of, orient(images, orientation))
            if not levels:
                shapes = [(orientations, len(samples), *part.shape[2:], part.shape[1]) for part in maps]
                levels = [_allocate(shape, dtype, folder) for shape in shapes]
            for level, part in zip(levels, maps, strict=True):
                stored = part.to(dtype)
                if not torch.isfinite(stored).all():
                    raise BrewError(
                        f"a feature map reaches {part.abs().max():.3g}, outside {dtype}, or is NaN; expected finite "
                        "values: cache in torch.bfloat16, or look for NaN in the images"
                    )
                level[orientation, start : start + len(chunk)] = stored.permute(0, 2, 3, 1).cpu()
    return FrozenMaps(samples, tuple(levels))


def _in_parts(maps_of: Callable[[Tensor], Sequence[Tensor]], images: Tensor) -> Sequence[Tensor]:
    """`maps_of`, on a CPU in parts whose activations stay in its cache: a Swin at 256 x 256 is 1.4 times as fast."""
    fitting = max(1, _CACHED_PIXELS // (images.shape[-2] * images.shape[-1]))
    size = fitting if images.device.type == "cpu" else len(images)
    return [torch.cat(parts) for parts in zip(*(maps_of(part) for part in images.split(size)), strict=True)]


def _chunks(samples: np.ndarray, size: int) -> list[np.ndarray]:
    return [samples[start : start + size] for start in range(0, len(samples), size)]


def _allocate(shape: tuple[int, ...], dtype: torch.dtype, folder: Path | None) -> Tensor:
    if folder is None:
        return torch.empty(shape, dtype=dtype)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        count = int(np.prod(shape))
        file.truncate(count * dtype.itemsize)
        return torch.from_file(file.name, shared=True, size=count, dtype=dtype).view(shape)
