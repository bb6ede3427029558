"""Labelled images as a store: what the readers of published benchmarks share.

A reader says which samples are in which split and how one is read. Here every sample is read and checked before
anything is written. Then samples are read again and written one by one, so that memory holds one sample.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from brew.data.rasters import check_disjoint, content_hash
from brew.data.sources.forms import Form
from brew.data.store import Variable, check_store_fits, write_store
from brew.errors import BrewError
from brew.sensors import Sensor, sensor

_SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Labelled:
    """One sample. image: (time, band, y, x) in the sensor's unit and type. label: as its `Form` says."""

    image: np.ndarray
    label: np.ndarray


def write_labelled(
    path: Path,
    form: Form,
    splits: Mapping[str, Sequence[str]],
    read: Callable[[str], Labelled],
    attributes: Mapping[str, Any],
    marks: Mapping[str, Collection[str]] | None = None,
) -> None:
    """Write the store of all samples: images, `label`, `split`, `origin` (the sample's name) and `hash`.

    splits: names of samples by train, validation and test. read: of one name. marks: named parts of the training
    samples, each a variable that is 1 on them.
    Raises BrewError for an empty split, a sample or an image's content in two splits, and a disk without room. Raises
    BrewError for a wrong shape or type, a label outside the classes, and whatever `read` raises. Nothing is written
    then.
    """
    _check_splits(splits, marks or {})
    marked = {mark: frozenset(names) for mark, names in (marks or {}).items()}
    variables = form.variables | {mark: Variable(("sample",), (), "uint8") for mark in marked}
    members = [(name, split) for split in _SPLITS for name in splits[split]]
    check_store_fits(path, len(members), variables)
    hashes = _hashes(form, members, read)

    def blocks() -> Iterator[dict[str, np.ndarray]]:
        for (name, split), key in zip(members, hashes, strict=True):
            sample = read(name)
            texts = {"split": split, "origin": name, "hash": key}
            yield (
                {form.images: sample.image[None], "label": _label(form, sample.label)[None]}
                | {each: np.array([text], dtype=object) for each, text in texts.items()}
                | {mark: np.array([name in names], dtype=np.uint8) for mark, names in marked.items()}
            )

    write_store(path, len(members), variables, blocks(), {**attributes, "classes": list(form.classes)})


def _check_splits(splits: Mapping[str, Sequence[str]], marks: Mapping[str, Collection[str]]) -> None:
    empty = [split for split in _SPLITS if not splits.get(split)]
    if empty:
        raise BrewError(
            f"the {empty[0]} split is empty; expected samples in each of {', '.join(_SPLITS)}. Restore the list of "
            "samples"
        )
    check_disjoint(splits, "sample")
    for mark, names in marks.items():
        strangers = sorted(set(names) - set(splits["train"]))
        if strangers or not names:
            found = f"{strangers[0]!r}, which does not train," if strangers else "no sample"
            raise BrewError(f"{mark} holds {found} of {len(names)}; expected training samples. Restore its file")


def _hashes(form: Form, members: Sequence[tuple[str, str]], read: Callable[[str], Labelled]) -> list[str]:
    """Hashes of every sample's image; BrewError if one is not sound or stands in two splits."""
    hashes, seen = [], dict[str, tuple[str, str]]()
    for name, split in members:
        sample = read(name)
        key = _hash(form, name, sample)
        hashes.append(key)
        if sample.image.min() == sample.image.max():
            continue  # all black, for example beyond a mosaic's edge: such images are equal and show nothing
        other, other_split = seen.setdefault(key, (name, split))
        if other_split != split:
            raise BrewError(
                f"{other} ({other_split}) and {name} ({split}) hold the same image; expected each image in one split. "
                "Remove one from its list"
            )
    return hashes


def _hash(form: Form, name: str, sample: Labelled) -> str:
    """The hash of a sound sample's image; BrewError says what is wrong with another sample."""
    shape = form.variables[form.images].shape
    dtype = sensor(form.sensor).dtype
    if sample.image.shape != shape or sample.image.dtype != dtype:
        raise BrewError(
            f"{name}: image of {sample.image.shape} of {sample.image.dtype}; expected {shape} (date, band, y, x) of "
            f"{dtype}. Obtain the file again"
        )
    expected = form.variables["label"].shape
    if sample.label.shape != expected:
        raise BrewError(f"{name}: label of {sample.label.shape}; expected {expected}. Obtain the file again")
    top = 1 if form.label == "classes" else len(form.classes) - 1
    if sample.label.dtype.kind not in "biu" or sample.label.min() < 0 or sample.label.max() > top:
        values = np.unique(sample.label)
        raise BrewError(
            f"{name}: labels {values[:3].tolist()} to {values[-1]} of {sample.label.dtype}; expected whole numbers "
            f"from 0 to {top}, one per class. Correct the label or the list of classes"
        )
    return content_hash(sample.image)


def _label(form: Form, label: np.ndarray) -> np.ndarray:
    return label.astype(form.variables["label"].dtype)


@contextmanager
def reading(what: object) -> Iterator[None]:
    """Whatever a library raises on a damaged file becomes a BrewError that names `what`."""
    try:
        yield
    except BrewError as error:
        raise BrewError(f"{what}: {error}") from error
    except Exception as error:  # each library has its own kinds
        raise BrewError(
            f"{what} cannot be read ({type(error).__name__}: {error}); it may be truncated. Obtain the file again"
        ) from error


def to_native(values: np.ndarray, of: Sensor, what: object, scale: float = 1.0) -> np.ndarray:
    """`values` times `scale`, rounded, in the sensor's unit and type.

    Raises BrewError for NaN, values outside the sensor's range, and reflectance in place of digital numbers.
    """
    if values.dtype.kind not in "biuf" or not values.size:
        raise BrewError(f"{what}: {values.size} values of {values.dtype}; expected numbers. Obtain the file again")
    numbers = np.rint(values.astype(np.float64) * scale)
    if not np.isfinite(numbers).all():
        raise BrewError(f"{what}: NaN or infinite values; expected {of.unit}. Obtain the file again")
    low, high = float(numbers.min()), float(numbers.max())
    if low < of.valid[0] or high > of.valid[1]:
        raise BrewError(
            f"{what}: values from {low:g} to {high:g} after multiplying by {scale:g}; expected {of.unit}, "
            f"{of.valid[0]:g} to {of.valid[1]:g}. Obtain the file again"
        )
    if values.dtype.kind == "f" and of.dtype == "uint16" and scale == 1 and 0 < values.max() <= 2:
        raise BrewError(
            f"{what}: values up to {values.max():.3g} look like reflectance; expected {of.unit}. Convert it"
        )
    return numbers.astype(of.dtype)
