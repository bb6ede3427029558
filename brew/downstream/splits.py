"""Which samples train, which choose, which are tested, checked before anything is computed from them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from brew import draws
from brew.errors import BrewError

NAMES = ("train", "validation", "test")


@dataclass(frozen=True)
class Split:
    """Sample indices of the three parts, ascending.

    Raises BrewError where a part is empty or two parts share a sample.
    """

    train: Int64[np.ndarray, " train"]
    validation: Int64[np.ndarray, " validation"]
    test: Int64[np.ndarray, " test"]

    def __post_init__(self) -> None:
        for name in NAMES:
            if not len(getattr(self, name)):
                raise BrewError(f"the {name} split is empty; expected at least one sample in each of {NAMES}")
        for one, other in (("train", "validation"), ("train", "test"), ("validation", "test")):
            shared = np.intersect1d(getattr(self, one), getattr(self, other))
            if len(shared):
                raise BrewError(
                    f"{len(shared)} samples (first: {shared[0]}) are in both the {one} and the {other} split; "
                    "expected each sample in one split only"
                )


def split_by_name(names: np.ndarray, origin: np.ndarray | None = None) -> Split:
    """The split that a store's `split` variable states.

    names: per sample "train", "validation" or "test". origin: per sample the scene that it was cut from, where samples
    of one scene overlap; a scene in two splits is an error that names it.
    """
    names = np.asarray(names).astype(str)
    unknown = sorted(set(names.tolist()) - set(NAMES))
    if unknown:
        raise BrewError(f"split names {unknown}; expected {NAMES}")
    if origin is not None:
        _check_origins(names, np.asarray(origin).astype(str))
    return Split(*(np.flatnonzero(names == name).astype(np.int64) for name in NAMES))


def _check_origins(names: np.ndarray, origin: np.ndarray) -> None:
    for scene in np.unique(origin).tolist():
        splits = sorted(set(names[origin == scene].tolist()))
        if len(splits) > 1:
            raise BrewError(f"{scene!r} is in the splits {splits}; expected each scene in one split only")


def low_data(split: Split, fraction: float, seed: int) -> Split:
    """The same split with a keyed random fraction of its training samples; smaller ones lie in larger ones."""
    if not 0 < fraction <= 1:
        raise BrewError(f"a training fraction of {fraction}; expected a number above 0 and up to 1")
    kept = max(1, round(fraction * len(split.train)))
    order = draws.permutation(seed, 0, len(split.train), stream="low-data")
    return Split(np.sort(split.train[order[:kept]]), split.validation, split.test)
