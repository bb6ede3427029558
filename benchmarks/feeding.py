"""Reading, batching and views together, from warm files to the paper's views, beside the conventional path.

Ours: `Batches` and `make_views` in one process with as many threads as there are cores. Conventional: a DataLoader
over an uncompressed HDF5 file with as many workers, torchvision's transforms sample by sample and `default_collate`.
Both draw their own parameters; workers run from the round that does not count on. Left out: training beside it,
accelerators.
"""

import itertools
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import views
from benchmarks.conventional import loader, write_hdf5
from benchmarks.harness import Comparison, arguments, compare, write
from benchmarks.reading import VARIABLE, feed, images, write_samples
from brew.files import SCRATCH
from brew.pretraining.allocation import keep_freed_memory
from brew.views import make_views


@dataclass(frozen=True)
class Sizes:
    """samples: of an epoch, which is a round. threads: of ours, and workers of the conventional path."""

    samples: int
    batch: int
    threads: int
    views: views.Sizes


def measure(folder: Path, sizes: Sizes, rounds: int) -> Comparison:
    data, settings = images(sizes.samples, sizes.views.pixels), sizes.views.settings
    write_samples(folder / "samples.zarr", [data], sizes.samples, sizes.views.pixels)
    write_hdf5(folder / "samples.h5", data)
    batches, epochs = feed(folder / "samples.zarr", sizes.batch), itertools.count()
    workers = loader(folder / "samples.h5", settings, sizes.batch, sizes.threads)

    def ours() -> None:
        epoch = next(epochs)
        for batch in batches.epoch(epoch):
            make_views(
                batch.arrays[VARIABLE], None, None, samples=batch.samples, seed=0, epoch=epoch, settings=settings
            )

    def conventional() -> None:
        for _ in workers:
            pass

    with views.threads(sizes.threads):
        return compare(
            "reading, batching and views", ours, conventional, unit="samples/s", work=len(batches) * sizes.batch,
            rounds=rounds,
            settings={
                "sample": [10, sizes.views.pixels, sizes.views.pixels],
                "global": [2, settings.global_size],
                "local": [settings.locals, settings.local_size],
                "samples": sizes.samples,
                "batch": sizes.batch,
                "our_threads": sizes.threads,
                "workers": sizes.threads,
                "hdf5": "uncompressed",
            },
        )  # fmt: skip


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def main(given: Sequence[str] | None = None) -> None:
    chosen = arguments(__doc__, given)
    keep_freed_memory()  # as the loop does; the workers have it too
    cores = _cores()
    # Two batches per worker, so that none waits at the end of an epoch.
    sizes = Sizes(8, 4, 1, views.QUICK) if chosen.quick else Sizes(64 * cores, 32, cores, views.PAPER)
    place = SCRATCH / "benchmarks"
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place) as folder:
        write("feeding", measure(Path(folder), sizes, chosen.rounds), quick=chosen.quick)


if __name__ == "__main__":
    main()
