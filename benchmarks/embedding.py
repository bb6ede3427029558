"""Features of a scene: brew's rows beside overlapping tiles through the whole student, and the peak memory of both.

The conventional way cuts tiles of 256 px that overlap by 64 px, passes each through all of the student, and fades them
into each other in memory: brew's own way until version 0.1. Scenes are generated GeoTIFFs of ten bands; the student has
the miniature's trunk and random weights; one thread. Memory is the largest resident size (VmHWM) of a process of its
own that embeds one scene, beside that of one that only imports. Left out: the whole product the conventional way, which
needs 20 GB.
"""

import math
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import rasterio
import torch
from rasterio.windows import Window

import brew
from benchmarks.building import Peaks, peak
from benchmarks.harness import Comparison, arguments, compare, write
from brew.data.tiles import blend_window, tile_corners
from brew.files import SCRATCH
from brew.models.student import Student, build_student
from brew.sensors import SENSORS

_TILE, _OVERLAP = 256, 64
_NAMES = SENSORS["sentinel2"].band_names


def generate(path: Path, side: int) -> Path:
    """A scene of smooth ground with noise, written in blocks."""
    generator, x = np.random.default_rng(0), np.arange(side)
    profile = {
        "driver": "GTiff", "width": side, "height": side, "count": len(_NAMES), "dtype": "uint16", "crs": "EPSG:32632",
        "transform": rasterio.transform.from_origin(4e5, 5e6, 10, 10), "tiled": True, "BIGTIFF": "IF_SAFER",
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as file:
        file.descriptions = _NAMES
        for start in range(0, side, 256):
            y = np.arange(start, min(start + 256, side))[:, None]
            ground = 1500 + 600 * np.sin(x / 37) + 400 * np.cos(y / 53)
            values = ground + generator.normal(0, 80, (len(_NAMES), *ground.shape))
            file.write(values.clip(1).astype(np.uint16), window=Window(0, start, side, len(y)))
    return path


@torch.no_grad()
def overlapping_tiles(path: Path, student: Student, stride: int) -> np.ndarray:
    """The conventional way. The scene's sides are at least a tile's, and multiples of 32."""
    with rasterio.open(path) as file:
        values = torch.from_numpy(file.read().astype(np.float32))
    cells, name = _TILE // stride, f"stride{stride}"
    total = np.zeros((student.channels[name], *(side // stride for side in values.shape[1:])), dtype=np.float32)
    weight, fade = np.zeros(total.shape[1:], dtype=np.float32), blend_window(cells, cells).astype(np.float32)
    for y, x in tile_corners(*values.shape[1:], _TILE, _TILE - _OVERLAP):
        found = student(values[None, :, y : y + _TILE, x : x + _TILE]).maps[name][0].numpy()
        place = np.s_[y // stride : y // stride + cells, x // stride : x // stride + cells]
        total[:, *place] += fade * found
        weight[place] += fade
    return total / weight


def ours(path: Path, student: Student, stride: int) -> np.ndarray:
    return brew.embed(path, student, stride=stride)["features"].values


def to_file(path: Path, student: Student, stride: int) -> None:
    """As whoever embeds a whole product does."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        brew.embed(path, student, stride=stride, out=Path(folder, "features.zarr"))


def nothing(path: Path, student: Student, stride: int) -> None:
    """What imports, and a student, take."""


def peak_of(way: Callable[[Path, Student, int], object], path: Path, trunk: str, stride: int) -> float:
    """In MiB; to be called in a process of its own."""
    torch.set_num_threads(1)
    way(path, build_student(trunk, seed=0).eval(), stride)
    return peak()


def main(given: Sequence[str] | None = None) -> None:
    chosen = arguments(__doc__, given, rounds=3)
    trunk, side, sides = ("swin-nano", 256, (256,)) if chosen.quick else ("swin-micro", 1024, (1024, 4096, 10980))
    torch.set_num_threads(1)
    student, results = build_student(trunk, seed=0).eval(), []
    SCRATCH.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=SCRATCH) as scratch:
        scene = generate(Path(scratch, "scene.tif"), side)
        results += [_timed(scene, student, stride, chosen.rounds) for stride in (4, 32)]
        memory = [Peaks("peak memory without a scene", _alone(nothing, scene, trunk), {"trunk": trunk})]
        for length in sides:
            path = generate(Path(scratch, f"{length}.tif"), length)
            ways = {"ours, to a file": to_file} | ({} if length > 4096 else {"conventional": overlapping_tiles})
            for name, way in ways.items():
                described = {"side": length, "trunk": trunk, "stride": 4}
                memory.append(Peaks(f"peak memory, {name}", _alone(way, path, trunk), described))
            path.unlink()
    write("embedding", *results, *memory, quick=chosen.quick)


def _timed(scene: Path, student: Student, stride: int, rounds: int) -> Comparison:
    with rasterio.open(scene) as file:
        side = file.width
    return compare(
        f"stride {stride}", partial(ours, scene, student, stride), partial(overlapping_tiles, scene, student, stride),
        unit="Mpx/s", work=side**2 / 1e6, rounds=rounds,
        settings={"side": side, "trunk": student.trunk_size, "threads": 1},
    )  # fmt: skip


def _alone(way: Callable[[Path, Student, int], object], path: Path, trunk: str) -> float:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
        found = fresh.submit(peak_of, way, path, trunk, 4).result()
    return math.ceil(found)


if __name__ == "__main__":
    main()
