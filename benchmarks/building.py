"""Stores of GeoTIFFs by Dask: scenes per second with one worker and two, and how much memory a build takes.

The scenes are generated: ten bands at 10 and 20 m, 300 to 500 px per side, deflated, a file per band. Clusters are
started beforehand and have read once, so that rates are those of a long build; one with a cluster's start is measured
beside them. `conventional` is one worker, or `geotiff.build`, which reads every scene twice in one process.
Memory is the largest resident size (VmHWM) that the process with the scheduler, which also writes the store, and any
worker had; what it is without a scene stands beside it. Left out: more workers than this machine has cores.
"""

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from distributed import Client, LocalCluster
from rasterio.transform import Affine

from benchmarks.harness import arguments, compare, machine, single, write
from brew.data.sources import building, clusters, geotiff
from brew.data.sources.geotiff import GeotiffSettings
from brew.data.store import open_store
from brew.errors import BrewError
from brew.files import SCRATCH
from brew.sensors import SENSORS

_MIB = 2**20


def generate(folder: Path, scenes: int, sides: tuple[int, int], seed: int = 0) -> None:
    """Scenes of smooth ground with noise, a file per band. sides: fewest and most pixels of a scene at 10 m."""
    generator = np.random.default_rng(seed)
    for scene in range(scenes):
        place = folder / f"scene{scene:05d}"
        place.mkdir(parents=True)
        side = 2 * int(generator.integers(sides[0] // 2, sides[1] // 2 + 1))
        for band in SENSORS["sentinel2"].bands:
            pixels = side * 10 // int(band.resolution_m)
            y, x = np.mgrid[:pixels, :pixels] * band.resolution_m / 10
            ground = 1500 + 800 * np.sin(x / 37 + scene) + 600 * np.cos(y / 53)
            values = (ground + generator.normal(0, 60, ground.shape)).clip(1).astype(np.uint16)
            where = {"crs": "EPSG:32632", "transform": Affine(band.resolution_m, 0, 5e5, 0, -band.resolution_m, 5e6)}
            with rasterio.open(
                place / f"T32TNS_{band.name}.tif", "w", driver="GTiff", width=pixels, height=pixels, count=1,
                dtype="uint16", compress="deflate", **where,
            ) as file:  # fmt: skip
                file.write(values, 1)


def local_cluster(workers: int) -> LocalCluster:
    return LocalCluster(n_workers=workers, threads_per_worker=1, **clusters.LOCAL)


def builder(settings: GeotiffSettings, **where: Any) -> Callable[[], Path]:
    """A call that builds a store beside the scenes, each time another, and removes the one before."""
    numbers = count()

    def build() -> Path:
        number = next(numbers)
        name = "-".join(str(value) for value in where.values()).replace("/", "") or "alone"
        stores = [settings.folder.with_name(f"{name}-{each}.zarr") for each in (number - 1, number)]
        shutil.rmtree(stores[0], ignore_errors=True)
        if where:
            building.build(stores[1], settings, **where)
        else:
            geotiff.build(stores[1], settings)
        return stores[1]

    return build


def peak() -> float:
    """The largest resident size of this process until now, in MiB; of itself alone, not of what started it."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise BrewError("/proc/self/status has no VmHWM; expected Linux")


def peaks(settings: GeotiffSettings | None, workers: int) -> dict[str, float]:
    """Peak memory of scheduler and largest worker, in MiB, of one build, or of an idle cluster where settings are None.

    To be run in a process of its own, which has the scheduler.
    """
    with local_cluster(workers) as cluster, Client(cluster) as client:
        client.run(__import__, "brew.data.sources.building")
        if settings is not None:
            builder(settings, cluster=cluster.scheduler_address)()
        return {"scheduler": peak(), "worker": max(client.run(peak).values())}


@dataclass(frozen=True)
class Peaks:
    """Peak memory beside the number of scenes; nothing to compare with."""

    name: str
    mib: float
    settings: Mapping[str, object]

    def record(self) -> dict[str, Any]:
        numbers = {"ratio": None, "ours": round(self.mib, 1), "conventional": None, "unit": "MiB"}
        fixed = {"rounds": 1, "spread": {}, "settings": dict(self.settings), "machine": machine()}
        return {"name": self.name} | numbers | fixed

    def __str__(self) -> str:
        return f"{self.name}: {self.mib:.0f} MiB ({dict(self.settings)})"


def memory(folder: Path, scenes: int, sides: tuple[int, int], workers: int = 2) -> list[Peaks]:
    """Peaks of a build of that many scenes."""
    if scenes:
        generate(folder, scenes, sides)
    settings = GeotiffSettings(folder, "generated", tile=sides[0], stride=sides[0]) if scenes else None
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
        found = fresh.submit(peaks, settings, workers).result()
    shutil.rmtree(folder, ignore_errors=True)
    described = {"scenes": scenes, "pixels per side": list(sides), "workers": workers}
    return [Peaks(f"peak memory of a {process}", mib, described) for process, mib in found.items()]


def main(given: Sequence[str] | None = None) -> None:
    chosen = arguments(__doc__, given)
    scenes, sides, tile = (6, (48, 64), 32) if chosen.quick else (60, (300, 500), 96)
    # Scenes of a few pixels leave the list of names and places; none, what the imports take.
    series = (
        ((20, (16, 16)),) if chosen.quick else ((0, sides), (15, sides), (60, sides), (200, (16, 16)), (800, (16, 16)))
    )
    SCRATCH.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=SCRATCH) as scratch, ExitStack() as stack:
        folder = Path(scratch, "scenes")
        generate(folder, scenes, sides)
        chosen_settings = GeotiffSettings(folder, "generated", tile=tile, stride=tile)
        one, two = (
            builder(chosen_settings, cluster=stack.enter_context(local_cluster(workers)).scheduler_address)
            for workers in (1, 2)
        )
        alone = builder(chosen_settings)
        described = {
            "scenes": scenes, "pixels per side": list(sides), "tile": tile,
            "MiB of pixels": round(open_store(alone())["multispectral"].nbytes / _MIB, 1),
        }  # fmt: skip
        timed = partial(compare, unit="scenes/s", work=scenes, rounds=chosen.rounds, settings=described)
        results = [
            timed("two workers beside one", two, one),
            timed("one worker beside one process without Dask", one, alone),
            timed("two workers beside one process without Dask", two, alone),
            single(
                "two workers, with the cluster's start and end", builder(chosen_settings, workers=2),
                unit="scenes/s", work=scenes, rounds=min(2, chosen.rounds), warmup=0, settings=described,
            ),
        ]  # fmt: skip
        stack.close()
        results += [each for size in series for each in memory(Path(scratch, "memory"), *size)]
    write("building", *results, quick=chosen.quick)


if __name__ == "__main__":
    main()
