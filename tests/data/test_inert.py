"""Pickles read as plain data: the values come back, nothing is imported or run."""

import datetime
import pickle
from collections import OrderedDict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from brew.data.inert import Record, read_inert, to_array
from brew.errors import BrewError

WRITERS = frozenset({"numpy", "datetime", "collections", "tests"})
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
)


@given(PLAIN, st.integers(3, pickle.HIGHEST_PROTOCOL))
def test_plain_values_come_back(value, protocol):
    assert read_inert(pickle.dumps(value, protocol), WRITERS) == value


@given(arrays(st.sampled_from(["<i8", ">i2", "u1", "?", "<f4"]), array_shapes(max_dims=3)), st.integers(4, 5))
def test_arrays_come_back(value, protocol):
    found = to_array(read_inert(pickle.dumps(value, protocol), WRITERS | {"_codecs"}))
    np.testing.assert_array_equal(found, value)


def test_scalars_and_fortran_order_come_back():
    assert to_array(read_inert(pickle.dumps(np.int64(7)), WRITERS)) == 7
    value = np.asfortranarray(np.arange(6).reshape(2, 3))
    np.testing.assert_array_equal(to_array(read_inert(pickle.dumps(value), WRITERS)), value)


class Remembering:
    """An object whose unpickling would leave a trace."""

    traces: list = []  # noqa: RUF012

    def __init__(self):
        self.kept = {"answer": 42}

    def __setstate__(self, state):
        self.traces.append(state)


def test_objects_become_records_and_nothing_of_theirs_runs():
    content = pickle.dumps({"one": Remembering(), "day": datetime.date(2019, 11, 5), "map": OrderedDict(a=1)})
    found = read_inert(content, WRITERS | {Remembering.__module__.partition(".")[0]})
    assert isinstance(found["one"], Record) and found["one"].state == {"kept": {"answer": 42}}
    assert found["day"].name == "datetime.date" and Remembering.traces == []


class Malicious:
    def __init__(self, call, *args):
        self.call, self.args = call, args

    def __reduce__(self):
        return self.call, self.args


@pytest.mark.parametrize("call", [eval, exec, __import__, getattr])
def test_a_malicious_pickle_is_refused_and_not_run(call, tmp_path):
    trace = tmp_path / "trace"
    content = pickle.dumps({"label": Malicious(call, f"open({str(trace)!r}, 'w')", "x")})
    with pytest.raises(BrewError, match=r"names builtins\.\w+.*malicious"):
        read_inert(content, WRITERS)
    assert not trace.exists()


def test_a_name_of_a_known_package_is_not_called_either(tmp_path):
    trace = tmp_path / "trace.npy"
    content = pickle.dumps(Malicious(np.save, str(trace), 1))
    found = read_inert(content, WRITERS)
    assert isinstance(found, Record) and found.args == (str(trace), 1) and not trace.exists()
    with pytest.raises(BrewError, match="where numbers are expected"):
        to_array(found)


def test_damaged_and_strange_content_is_an_error():
    with pytest.raises(BrewError, match="cannot be read"):
        read_inert(pickle.dumps([1, 2, 3])[:-4], WRITERS)
    with pytest.raises(BrewError, match="without its type or bytes"):
        to_array(read_inert(pickle.dumps(np.array([None])), WRITERS))
    with pytest.raises(BrewError, match=r"array of type .*U1"):
        to_array(read_inert(pickle.dumps(np.array(["a"])), WRITERS))
    with pytest.raises(BrewError, match="where numbers are expected"):
        to_array(["a", "b"])
