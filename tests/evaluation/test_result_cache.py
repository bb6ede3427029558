"""Results are kept by what they depend on, whole or not at all."""

import os
import signal
from functools import partial

import numpy as np
import pytest

from brew.errors import BrewError
from brew.evaluation.result_cache import (
    CachedResult,
    Computation,
    cached,
    cached_results,
)


class Counted:
    """A computation that counts its calls, and crashes while it is told to."""

    def __init__(self) -> None:
        self.calls, self.broken = 0, False

    def __call__(self) -> CachedResult:
        self.calls += 1
        if self.broken:
            raise RuntimeError("out of memory")
        return CachedResult({"f1": 0.5, "pair": (1, 2)}, {"counts": np.arange(3)})


def test_a_result_is_computed_once_per_key(tmp_path):
    compute = Counted()
    first = cached("a", {"width": 8}, compute, tmp_path)
    again = cached("a", {"width": 8}, compute, tmp_path)
    assert compute.calls == 1
    assert first.values == again.values == {"f1": 0.5, "pair": [1, 2]}
    assert (first.arrays["counts"] == again.arrays["counts"]).all()
    cached("a", {"width": 9}, compute, tmp_path)
    assert compute.calls == 2
    cached("a", {"width": 8}, compute, tmp_path)
    assert compute.calls == 2


def test_only_what_crashed_or_changed_runs_again(tmp_path):
    computes = {name: Counted() for name in "abc"}
    computes["b"].broken = True
    listed = [Computation(name, {"name": name}, compute) for name, compute in computes.items()]
    with pytest.raises(BrewError, match=r"1 of 3 computations failed \(b: RuntimeError: out of memory\)"):
        cached_results(listed, tmp_path)
    assert not list((tmp_path).glob("b/*"))
    computes["b"].broken = False
    results = cached_results(listed, tmp_path)
    assert list(results) == ["a", "b", "c"]
    assert [compute.calls for compute in computes.values()] == [1, 2, 1]
    with pytest.raises(BrewError, match="two computations"):
        cached_results([listed[0], listed[0]], tmp_path)


def test_forked_processes_keep_the_same_bytes_and_name_what_failed(tmp_path):
    def numbered(number: int) -> CachedResult:
        if number == 3:
            raise RuntimeError("out of memory")
        if number == 6:
            os.kill(os.getpid(), signal.SIGKILL)
        return CachedResult({"number": number, "process": os.getpid()}, {"counts": np.arange(number)})

    def numbers(*numbers: int) -> list[Computation]:
        return [Computation(f"result-{n}", {"n": n}, partial(numbered, n), group=n // 2) for n in numbers]

    sound = cached_results(numbers(0, 1, 2, 4, 5), tmp_path, processes=2)
    assert [result.values["number"] for result in sound.values()] == [0, 1, 2, 4, 5]
    assert [len(result.arrays["counts"]) for result in sound.values()] == [0, 1, 2, 4, 5]
    by = [result.values["process"] for result in sound.values()]
    assert os.getpid() not in by
    assert (by[0], by[3]) == (by[1], by[4]), "computations of one group have one process"
    with pytest.raises(BrewError, match=r"1 of 6 computations failed \(result-3: RuntimeError: out of memory\)"):
        cached_results([*numbers(0, 1, 2, 3, 4), Computation("other", {}, partial(numbered, 8))], tmp_path, processes=2)
    with pytest.raises(BrewError, match=r"result-6: its process died"):
        cached_results([*numbers(0, 6), Computation("more", {}, partial(numbered, 9))], tmp_path, processes=2)
    assert not list(tmp_path.glob("result-6/*"))


def test_results_that_json_cannot_hold_leave_nothing_behind(tmp_path):
    with pytest.raises(BrewError, match="JSON"):
        cached("a", {}, lambda: CachedResult({"path": tmp_path}), tmp_path)
    with pytest.raises(BrewError, match="JSON"):
        cached("a", {}, lambda: CachedResult({"nan": float("nan")}), tmp_path)
    assert not list(tmp_path.glob("a/*"))


def test_kept_bytes_repeat(tmp_path):
    for folder in ("one", "other"):
        cached("a", {"width": 8}, Counted(), tmp_path / folder)
    files = [sorted(path for path in (tmp_path / folder).rglob("*") if path.is_file()) for folder in ("one", "other")]
    assert [path.name for path in files[0]] == ["arrays.npz", "key.json", "values.json"]
    for one, other in zip(*files, strict=True):
        assert one.read_bytes() == other.read_bytes()
