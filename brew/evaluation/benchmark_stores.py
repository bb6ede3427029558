"""A benchmark's store, opened: its labels and names in memory, its images mapped."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from brew.data.labelled import reading
from brew.data.store import ArrayReader, open_store
from brew.errors import BrewError
from brew.evaluation.benchmark_checks import check_benchmark
from brew.evaluation.benchmarks import Benchmark
from brew.evaluation.splits import NAMES, Split, low_data, named_part


@dataclass(frozen=True)
class OpenedBenchmark:
    """images: reader of (sample, time, band, y, x). labels, splits: of every sample, the latter by name."""

    benchmark: Benchmark
    dataset: xr.Dataset
    images: ArrayReader
    labels: np.ndarray
    splits: np.ndarray

    def split(self, most: Sequence[int] | None = None) -> Split:
        """The three parts. most: the first so many samples of each alone."""
        parts = [np.flatnonzero(self.splits == name) for name in NAMES]
        return Split(*(part[:count] for part, count in zip(parts, most or map(len, parts), strict=True)))


def open_benchmark(benchmark: Benchmark, store: Path) -> OpenedBenchmark:
    """Open the benchmark's store; BrewError naming the benchmark if it is absent or `check_benchmark` objects."""
    with reading(f"benchmark {benchmark.name!r}"):
        dataset, images = open_store(store), ArrayReader(store, benchmark.images)
        check_benchmark(benchmark, dataset, images)
    return OpenedBenchmark(benchmark, dataset, images, dataset[benchmark.labels].values, dataset["split"].values)


def with_label_fraction(opened: OpenedBenchmark, split: Split, fraction: float, seed: int) -> Split:
    """The split with that fraction of its training labels: the part that the data set itself names, else a drawn one.

    Raises BrewError if a dense task is left with one image, on which no decoder's batch norm can be trained.
    """
    named = f"partition_{fraction:.2f}"
    if fraction == 1:
        return split
    if named in opened.dataset:
        part = named_part(split, opened.dataset[named].values)
    else:
        classes = opened.labels if opened.labels.ndim == 1 else None
        part = low_data(split, fraction, opened.benchmark.name, seed, classes)
    least = 1 if opened.benchmark.task == "classification" else 2
    if len(part.train) < least:
        raise BrewError(
            f"benchmark {opened.benchmark.name!r}: {100 * fraction:g} % of its {len(split.train)} training samples are "
            f"{len(part.train)}; expected at least {least}: raise `evaluation.samples`, or leave that fraction out of "
            "`evaluation.label_fractions`"
        )
    return part
