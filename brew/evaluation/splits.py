"""Which samples train, which choose, which are tested, checked before anything is computed from them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64, Integer, Shaped

from brew import randomness
from brew.errors import BrewError

NAMES = ("train", "validation", "test")
#: Shares of the training labels in low-data tables.
LABEL_FRACTIONS = (1.0, 0.1, 0.05, 0.01)


@dataclass(frozen=True)
class Split:
    """Sample indices of the three parts, ascending.

    Raises BrewError if a part is empty or two parts share a sample.
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

    names: per sample "train", "validation" or "test". origin: per sample the scene that it was cut from, if samples
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
    if len(origin) != len(names):
        raise BrewError(f"{len(origin)} scenes for {len(names)} samples; expected one each")
    for scene in np.unique(origin).tolist():
        splits = sorted(set(names[origin == scene].tolist()))
        if len(splits) > 1:
            raise BrewError(f"{scene!r} is in the splits {splits}; expected each scene in one split only")


def low_data(
    split: Split, share: float, benchmark: str, seed: int, classes: Integer[np.ndarray, " _sample"] | None = None
) -> Split:
    """The same split with that share of its training samples, drawn for a benchmark and seed.

    A smaller share lies in every larger one. classes: of every sample, if each has one. Every class then keeps its
    share, and at least one sample.
    """
    if not 0 < share <= 1:
        raise BrewError(f"a share of {share} of the training labels; expected a number above 0 and up to 1")
    order = split.train[randomness.permutation(seed, 0, len(split.train), stream=f"low-data/{benchmark}")]
    strata = np.zeros(len(order), dtype=np.int64) if classes is None else classes[order]
    members = [order[strata == value] for value in np.unique(strata)]
    kept = [part[: max(1, round(share * len(part)))] for part in members]
    return Split(np.sort(np.concatenate(kept)), split.validation, split.test)


def named_part(split: Split, member: Shaped[np.ndarray, " _sample"]) -> Split:
    """The same split with those training samples alone that the data set itself marks."""
    return Split(split.train[member[split.train].astype(bool)], split.validation, split.test)
