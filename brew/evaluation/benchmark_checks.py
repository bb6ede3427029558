"""What a benchmark's store must hold. It is checked when it is opened, before a backbone is loaded or trained.

Left out: what lies in the images themselves, which reading them shows (`brew.evaluation.frozen_features.read_images`).
"""

from collections import Counter

import numpy as np
import xarray as xr

from brew.data.rasters import check_disjoint
from brew.errors import BrewError, nearest
from brew.evaluation.benchmarks import Benchmark
from brew.evaluation.frozen_features import Reader
from brew.evaluation.metrics import check_labels
from brew.evaluation.splits import NAMES
from brew.sensors import sensor


def check_benchmark(benchmark: Benchmark, dataset: xr.Dataset, images: Reader) -> None:
    """Check that the store holds what the benchmark declares; BrewError that says what it lacks.

    The store has its variables, as many dates as its task compares, and its sensor's bands in their order. Each of the
    three splits has samples, no image is in two of them, and labels lie within the classes.
    """
    for name in (benchmark.labels, "split", "hash"):
        if name not in dataset:
            raise BrewError(f"the store has no variable {name!r}; {nearest(name, tuple(map(str, dataset.data_vars)))}")
    _check_images(benchmark, dataset)
    splits = dataset["split"].values
    empty = [name for name in NAMES if not (splits == name).any()]
    if empty:
        found = dict(sorted(Counter(splits.tolist()).items()))
        raise BrewError(
            f"the {empty[0]} split is empty (samples: {found}); expected some in each of {', '.join(NAMES)}. Build the "
            "store from a list with all three"
        )
    _check_labels(benchmark, dataset, np.isin(splits, NAMES))
    _check_overlap(dataset["hash"].values, splits, images)


def _check_images(benchmark: Benchmark, dataset: xr.Dataset) -> None:
    variable, expected = dataset[benchmark.images], list(sensor(benchmark.sensor).band_names)
    _, time, band = variable.dims[:3]
    found = dataset[band].values.astype(str).tolist()
    if found != expected:
        raise BrewError(
            f"{benchmark.images!r} has {len(found)} bands ({', '.join(found)}); expected the {len(expected)} of sensor "
            f"{benchmark.sensor!r} ({', '.join(expected)}). Correct the benchmark's sensor, or build the store with it"
        )
    dates = 2 if benchmark.task == "change" else 1
    if variable.sizes[time] < dates:
        raise BrewError(
            f"{benchmark.images!r} has {variable.sizes[time]} date per sample; expected {dates} for {benchmark.task}. "
            "Build the store from pairs"
        )


def _check_labels(benchmark: Benchmark, dataset: xr.Dataset, used: np.ndarray) -> None:
    labels = dataset[benchmark.labels].values[used]
    if labels.dtype.kind not in "biu":
        raise BrewError(f"{benchmark.labels!r} is of {labels.dtype}; expected whole numbers. Build the store again")
    classes = len(benchmark.classes)
    if benchmark.multilabel:
        if labels.shape[1:] != (classes,):
            raise BrewError(
                f"{benchmark.labels!r} is of {labels.shape}; expected (sample, {classes}), one 0 or 1 per class. "
                "Correct the list of classes"
            )
        classes = 2
    elif benchmark.task == "change":
        # The miniature's labels name the kind of change; the task asks whether there is any.
        classes = len(dataset.attrs.get("changes", benchmark.classes))
    counted = labels if benchmark.ignore is None else labels[labels != benchmark.ignore]
    check_labels(counted, classes, repr(benchmark.labels))


def _check_overlap(hashes: np.ndarray, splits: np.ndarray, images: Reader) -> None:
    """hashes: of every sample's image, or of each of its dates."""
    members = {name: set(hashes[splits == name].ravel().tolist()) for name in NAMES}
    times = Counter(key for keys in members.values() for key in keys)
    blank = {key for key, count in times.items() if count > 1 and _is_blank(key, hashes, images)}
    check_disjoint({name: sorted(keys - blank) for name, keys in members.items()}, "the image of content hash")


def _is_blank(key: str, hashes: np.ndarray, images: Reader) -> bool:
    """Whether the image shows nothing, like one beyond a mosaic's edge: such images are equal in whatever split."""
    values = images.read(np.flatnonzero((hashes == key).reshape(len(hashes), -1).any(1)))
    return bool((values == values.reshape(len(values), -1)[:, :1, None, None, None]).all())
