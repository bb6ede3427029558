"""Shuffled samples from a store: warm beside HDF5, on one core; cold beside what `dd` reads from the same files.

Warm: everything is in the page cache and the process may use one core only, so the rate is per core. `Batches` reads
from the store; beside it one HDF5 file of the same samples, a chunk each, is read in another shuffled order and
collated, once uncompressed and once with gzip. Images are smooth fields with noise, so that gzip finds about as much
as in real scenes. Cold: before each reading the files leave the page cache, which `mincore` confirms; where they
stay, the result is called so. `dd` reads file after file; its seconds are the ones it reports, without the starts of
its processes. Rates count the bytes each side read: `Batches` leaves out the last, incomplete batch.
`--gigabytes` sets the size of the cold store, below scratch/. Left out: several readers of one disk, network storage.
"""

import argparse
import ctypes
import itertools
import mmap
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt16
from torch.utils.data import default_collate

from benchmarks.conventional import HDF5Samples, write_hdf5
from benchmarks.harness import Comparison, Measurement, arguments, compare, machine, seconds_of, write
from brew.data.batches import Batch, Batches
from brew.data.store import Variable, write_store
from brew.errors import BrewError
from brew.files import SCRATCH

VARIABLE = "multispectral"
_BANDS = 10
_DD_BLOCK = "4M"
#: More than this share of the files in memory, and a reading is not called cold.
_COLD = 0.01


@dataclass(frozen=True)
class Sizes:
    """pixels: per side. samples: of the warm store. block: samples that are made at a time."""

    samples: int = 256
    pixels: int = 256
    batch: int = 64
    block: int = 64


QUICK = Sizes(samples=40, pixels=16, batch=8, block=8)


def images(count: int, pixels: int, seed: int = 0) -> UInt16[np.ndarray, "sample 10 y x"]:
    """Smooth fields of digital numbers with a noise of some thirty."""
    generator = np.random.default_rng(seed)
    coarse = generator.integers(200, 4000, (count, _BANDS, pixels // 8, pixels // 8))
    smooth = coarse.repeat(8, axis=2).repeat(8, axis=3)
    return (smooth + generator.integers(0, 64, smooth.shape)).astype(np.uint16)


def write_samples(path: Path, blocks: Iterable[np.ndarray], samples: int, pixels: int) -> None:
    """A store of one date per sample, all in the split "train"."""
    variables = {
        VARIABLE: Variable(("sample", "time", "band", "y", "x"), (1, _BANDS, pixels, pixels), "uint16"),
        "split": Variable(("sample",), (), "text"),
    }
    write_store(
        path,
        samples,
        variables,
        ({VARIABLE: block[:, None], "split": np.full(len(block), "train", object)} for block in blocks),
        {"source": "synthetic, for benchmarks"},
    )


def feed(path: Path, batch: int) -> Batches:
    return Batches("benchmark", path, (VARIABLE,), ("train",), batch, seed=0)


def consume(batches: Iterable[Batch]) -> int:
    """Bytes of all batches."""
    return sum(batch.arrays[VARIABLE].nbytes for batch in batches)


def warm(folder: Path, sizes: Sizes, rounds: int) -> list[Comparison]:
    """`Batches` beside HDF5, uncompressed and with gzip."""
    data = images(sizes.samples, sizes.pixels)
    write_samples(folder / "warm.zarr", [data], sizes.samples, sizes.pixels)
    batches, epochs = feed(folder / "warm.zarr", sizes.batch), itertools.count()
    results = []
    for compression in (None, "gzip"):
        file = folder / f"{compression}.h5"
        write_hdf5(file, data, compression)
        samples = HDF5Samples(file, lambda image: image)

        def conventional(samples: HDF5Samples = samples) -> None:
            order = torch.randperm(len(samples)).tolist()
            for first in range(0, len(batches) * sizes.batch, sizes.batch):
                default_collate([samples[index] for index in order[first : first + sizes.batch]])

        with one_core() as pinned:
            results.append(
                compare(
                    f"warm, beside HDF5 {'with gzip' if compression else 'uncompressed'}",
                    lambda: consume(batches.epoch(next(epochs))),
                    conventional,
                    unit="samples/s/core" if pinned else "samples/s",
                    work=len(batches) * sizes.batch,
                    rounds=rounds,
                    settings={
                        "sample": [_BANDS, sizes.pixels, sizes.pixels],
                        "samples": sizes.samples,
                        "batch": sizes.batch,
                        "hdf5_bytes_of_raw": round(file.stat().st_size / data.nbytes, 2),
                    },
                )
            )
        file.unlink()
    return results


@contextmanager
def one_core() -> Iterator[bool]:
    """Let this thread, and those it starts, use one core only; False where the system cannot."""
    if not hasattr(os, "sched_setaffinity"):  # macOS
        yield False
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield True
    finally:
        os.sched_setaffinity(0, before)


def cold(folder: Path, sizes: Sizes, gigabytes: float, rounds: int) -> Comparison:
    """`Batches` beside `dd`, in turn, in GB/s."""
    if not shutil.which("dd"):
        raise BrewError("there is no `dd`; expected it to measure the disk with. Install GNU coreutils")
    files, batches = _cold_store(folder / "cold.zarr", sizes, gigabytes)
    epochs = itertools.count()
    held, per_gigabyte = [], ([], [])

    def ours() -> float:
        read = 0

        def run() -> None:
            nonlocal read
            read = consume(batches.epoch(next(epochs)))

        seconds = seconds_of(run)
        return seconds / read * 1e9

    def conventional() -> float:
        return sum(map(_dd_seconds, files)) / sum(file.stat().st_size for file in files) * 1e9

    sides = (ours, conventional)
    for turn in range(-1, rounds):  # the first does not count
        for side in (0, 1) if turn % 2 == 0 else (1, 0):
            drop(files)
            share = cached_share(files)
            seconds = sides[side]()
            if turn >= 0:
                held.append(share)
                per_gigabyte[side].append(seconds)
    settings = {
        "gigabytes": round(sum(file.stat().st_size for file in files) / 1e9, 2),
        "files": len(files),
        "batch": sizes.batch,
        "sample": [_BANDS, sizes.pixels, sizes.pixels],
        "dd_block": _DD_BLOCK,
        "cached_before": round(max(held), 4),
    }
    name = "cold, beside dd" if max(held) <= _COLD else "not cold (the page cache could not be dropped), beside dd"
    found = machine()
    return Comparison(*(Measurement(name, "GB/s", 1, tuple(each), settings, found) for each in per_gigabyte))


def _cold_store(path: Path, sizes: Sizes, gigabytes: float) -> tuple[list[Path], Batches]:
    """The files of a store of that size, and a feed from it."""
    block = images(sizes.block, sizes.pixels)
    count = max(1, round(gigabytes * 1e9 / block.nbytes))
    # Blocks differ, so that no storage can hold them once.
    write_samples(path, (block + np.uint16(turn) for turn in range(count)), count * sizes.block, sizes.pixels)
    return sorted(path.glob(f"{VARIABLE}/c/*/0/0/0/0")), feed(path, sizes.batch)


def drop(files: Iterable[Path]) -> None:
    """Ask the system to forget these files; what is not yet on disk or mapped somewhere stays."""
    if not hasattr(os, "posix_fadvise"):  # macOS
        return
    for path in files:
        with open(path, "rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def cached_share(files: Sequence[Path]) -> float:
    """Share of the files' pages that are in memory, by `mincore`."""
    library = ctypes.CDLL(None, use_errno=True)
    resident = total = 0
    for path in files:
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            view = np.frombuffer(mapped, np.uint8)
            pages = np.zeros(-(-len(view) // mmap.PAGESIZE), np.uint8)
            address, flags = ctypes.c_void_p(view.ctypes.data), ctypes.c_void_p(pages.ctypes.data)
            failed = library.mincore(address, ctypes.c_size_t(len(view)), flags)
            del view  # or the map could not be closed
            if failed:
                raise BrewError(f"mincore of {path} failed: {os.strerror(ctypes.get_errno())}; expected a mapped file")
            resident, total = resident + int((pages & 1).sum()), total + len(pages)
    return resident / total


def _dd_seconds(file: Path) -> float:
    command = ["dd", f"if={file}", "of=/dev/null", f"bs={_DD_BLOCK}"]
    report = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, "LC_ALL": "C"})
    found = re.search(r"([\d.e-]+) s", report.stderr)
    if not found:
        raise BrewError(f"dd reported {report.stderr!r}; expected its seconds, as GNU coreutils' does")
    return float(found[1])


def main(given: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--gigabytes", type=float, default=4.0)
    own, rest = parser.parse_known_args(given)
    chosen = arguments(__doc__, rest)
    sizes, gigabytes = (QUICK, 0.001) if chosen.quick else (Sizes(), own.gigabytes)
    place = SCRATCH / "benchmarks"
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place) as folder:  # not /tmp, which may be memory
        results = [*warm(Path(folder), sizes, chosen.rounds), cold(Path(folder), sizes, gigabytes, chosen.rounds)]
    write("reading", *results, quick=chosen.quick)


if __name__ == "__main__":
    main()
