"""Planned runs are computed once each, by as many processes as are asked for, and name what they come from."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brew import files
from brew.compendium.processes import processes
from brew.compendium.scoring import Latest, PlannedRun, finish
from brew.compendium.settings import load
from brew.compendium.stage import Stage
from brew.errors import BrewError
from brew.evaluation.benchmarks import BENCHMARKS
from brew.evaluation.result_cache import CachedResult
from brew.files import Layout

MODULE = "brew.evaluation.segmentation"


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """A scale whose data stage left one store."""
    for name in ("DATA", "REPORTS", "SCRATCH"):
        monkeypatch.setattr(files, name, tmp_path / name.lower())
    found = Stage(load("tiny"), Layout("tiny"))
    table = pd.DataFrame({"source": ["oscd"], "store": ["0f" * 32]})
    table.to_csv(found.layout.write("data") / "sources.csv", index=False)
    yield found


def planned(benchmark: str, computed: list[float], seed: int = 0) -> PlannedRun:
    def compute() -> CachedResult:
        computed.append(seed)
        return CachedResult({"seed": seed}, {"counts": np.eye(2)})

    return PlannedRun(BENCHMARKS[benchmark], "bands", "b" * 64, seed, ((1, 2), 0.5), compute, 0.1, 7)


def test_a_kept_run_is_read_back(stage: Stage) -> None:
    computed: list[float] = []
    for _ in range(2):
        one, other = finish(stage, MODULE, [planned("oscd", computed, seed) for seed in (1, 0)])
    assert computed == [1, 0], "each run once, in the order of the plan"
    assert (one.result.values, other.result.values) == ({"seed": 1}, {"seed": 0})
    assert (one.run.benchmark, one.run.arm, one.run.label_fraction, one.training_samples) == ("oscd", "bands", 0.1, 7)
    assert (one.run.model, one.run.data) == ("b" * 12, "0f" * 6)


def test_a_changed_module_or_setting_runs_again(stage: Stage) -> None:
    computed: list[float] = []
    finish(stage, MODULE, [planned("oscd", computed)])
    finish(stage, "brew.evaluation.change_detection", [planned("oscd", computed)])
    assert len(computed) == 2


def test_a_store_that_the_data_stage_does_not_list_is_named(stage: Stage) -> None:
    computed: list[float] = []
    with pytest.raises(BrewError, match=r"^benchmark 'crops': .*lists oscd; expected 'miniature'.*Run the data stage"):
        finish(stage, MODULE, [planned("crops", computed)])
    assert not computed


def test_the_latest_value_alone_is_held() -> None:
    latest, computed = Latest(), []

    def of(key: str) -> str:
        return latest.get(key, lambda: computed.append(key) or key)

    assert [of(key) for key in "aabba"] == list("aabba")
    assert computed == ["a", "b", "a"]


@pytest.mark.parametrize("text", ["0", "-1", "auto", "1.5", ""])
def test_a_number_of_processes_that_is_none_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BREW_PROCESSES", text)
    with pytest.raises(BrewError, match=rf"BREW_PROCESSES is '{text}'; expected a whole number from 1. Unset it"):
        processes()


def test_processes_are_as_many_as_asked_for_and_one_beside_an_accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.delenv("BREW_PROCESSES", raising=False)
    assert processes() == 1
    monkeypatch.setenv("BREW_PROCESSES", "3")
    assert processes() == 3
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert processes() == 1
