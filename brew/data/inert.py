"""Pickles of others as plain data: what they name is kept as a record, never imported, called or executed.

Unpickling runs whatever a file says. Here a name becomes a `Record` of the arguments and the state that stand behind
it, and a name of a module that has no business in the file is an error.
Left out: unpickling anything back into the objects that it was.
"""

import io
import pickle
from typing import Any

import numpy as np

from brew.errors import BrewError


class Record:
    """What a pickle names. name: module and name. args: it was made from. state: it was given afterwards."""

    name: str
    args: tuple[Any, ...]
    state: Any

    def __new__(cls, *args: Any) -> "Record":
        record = super().__new__(cls)
        record.args, record.state = args, None
        return record

    def __init__(self, *args: Any):
        """Everything is in `__new__`, which is all that a pickle calls for some objects."""

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __setitem__(self, key: Any, value: Any) -> None:
        """Items of a mapping, which pickles set one by one; nothing here is read from one."""


class _Reader(pickle.Unpickler):
    def __init__(self, content: bytes, writers: frozenset[str]):
        super().__init__(io.BytesIO(content))
        self._writers = writers

    def find_class(self, module: str, name: str) -> Any:
        if module.partition(".")[0] not in self._writers:
            raise BrewError(
                f"a pickle that names {module}.{name}; expected names of {', '.join(sorted(self._writers))} alone. "
                "It may be malicious: obtain the file from its publisher"
            )
        return type("Record", (Record,), {"name": f"{module}.{name}"})


def read_inert(content: bytes, writers: frozenset[str]) -> Any:
    """The pickle's numbers, texts and containers, with a `Record` wherever it names something.

    writers: top-level packages whose names may occur. Raises BrewError for any other name and for damaged content.
    """
    try:
        return _Reader(content, writers).load()
    except BrewError:
        raise
    except Exception as error:  # whatever the pickle machine meets in damaged bytes
        raise BrewError(
            f"a pickle that cannot be read ({type(error).__name__}: {error}); expected a whole one. Obtain the file "
            "again"
        ) from error


def to_array(value: Any) -> np.ndarray:
    """Numbers, or a record of NumPy's array or scalar of numbers, as an array; BrewError for anything else."""
    try:
        return _to_array(value)
    except BrewError:
        raise
    except Exception as error:  # whatever odd parts of an array are refused with
        raise BrewError(
            f"a pickle holds an array whose parts do not fit ({error}); expected type, shape and bytes. Obtain the "
            "file again"
        ) from error


def _to_array(value: Any) -> np.ndarray:
    if not isinstance(value, Record):
        array = np.asarray(value)
        return _numbers(array, value)
    made = value.name.rpartition(".")[2]
    if made == "_reconstruct" and value.state is not None:
        _, shape, dtype, fortran, content = value.state
        return _from_bytes(content, dtype, shape, "F" if fortran else "C")
    if made == "scalar":
        dtype, content = value.args
        return _from_bytes(content, dtype, (), "C")
    if made == "_frombuffer":
        content, dtype, shape, order = value.args
        return _from_bytes(content, dtype, shape, order)
    raise BrewError(f"a pickle holds {value.name} where numbers are expected; obtain the file again")


def _from_bytes(content: Any, dtype: Any, shape: tuple[int, ...], order: Any) -> np.ndarray:
    if not isinstance(dtype, Record) or not isinstance(content, bytes | bytearray):
        raise BrewError("a pickle holds an array without its type or bytes; expected both. Obtain the file again")
    kind = f"{dtype.state[1] if dtype.state else ''}{dtype.args[0]}"
    if str(dtype.args[0])[:1] not in "biuf":
        raise BrewError(f"a pickle holds an array of type {kind!r}; expected numbers. Obtain the file again")
    return np.frombuffer(content, np.dtype(kind)).reshape(shape, order=order)


def _numbers(array: np.ndarray, value: Any) -> np.ndarray:
    if array.dtype.kind not in "biuf":
        raise BrewError(f"a pickle holds {str(value)[:60]!r} where numbers are expected; obtain the file again")
    return array
