"""The harness: order, arithmetic and files. No test depends on how long anything takes."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import all as everything
from benchmarks import harness
from benchmarks.harness import Comparison, Measurement, arguments, compare, single, write
from benchmarks.overhead import breakdown
from benchmarks.report import KEYS
from brew.errors import BrewError

SECONDS = st.floats(1e-3, 1e3)


def measurement(*seconds: float) -> Measurement:
    return Measurement("thing", "samples/s", 10, seconds, {"batch": 2}, {"cpu": "one"})


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(harness, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(harness, "QUICK_RESULTS", tmp_path / "quick")
    return tmp_path


def test_both_sides_run_in_turn_and_swap_places_from_round_to_round() -> None:
    calls: list[str] = []
    result = compare(
        "order", lambda: calls.append("o"), lambda: calls.append("c"), unit="x/s", work=1, rounds=4, settings={}
    )
    assert "".join(calls) == "co" + "oc" + "co" + "oc" + "co"
    assert len(result.ours.seconds) == len(result.conventional.seconds) == 4


def test_rounds_of_warm_up_do_not_count() -> None:
    calls: list[int] = []
    result = single("warm", lambda: calls.append(0), unit="x/s", work=1, rounds=3, warmup=2, settings={})
    assert (len(calls), len(result.seconds)) == (5, 3)


def test_the_ratio_is_the_median_of_the_rounds() -> None:
    result = Comparison(measurement(1.0, 2.0, 4.0), measurement(3.0, 2.0, 8.0))
    assert result.ratios == (3.0, 1.0, 2.0)
    assert result.ratio == 2.0
    assert result.record()["spread"]["ratio"] == [1.0, 3.0]


@given(st.lists(st.tuples(SECONDS, SECONDS), min_size=1, max_size=7))
def test_medians_lie_within_their_spread(rounds: list[tuple[float, float]]) -> None:
    ours, conventional = zip(*rounds, strict=True)
    record = Comparison(measurement(*ours), measurement(*conventional)).record()
    for side in ("ours", "conventional", "ratio"):
        low, high = record["spread"][side]
        assert low <= record[side] <= high


def test_results_are_written_as_a_list_with_every_key(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write("both", Comparison(measurement(1.0), measurement(2.0)), measurement(4.0))
    assert path == results / "results" / "both.json"
    compared, alone = json.loads(path.read_text())
    assert tuple(compared) == tuple(alone) == KEYS
    assert (compared["ours"], compared["conventional"], compared["ratio"]) == (10.0, 5.0, 2.0)
    assert (alone["ours"], alone["conventional"], alone["ratio"]) == (2.5, None, None)
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_a_trial_leaves_measurements_alone(results: Path) -> None:
    assert write("both", measurement(1.0), quick=True) == results / "quick" / "both.json"
    assert not (results / "results").exists()


@pytest.mark.parametrize(("rounds", "warmup", "work"), [(0, 1, 1), (1, -1, 1), (1, 1, 0)])
def test_impossible_numbers_are_refused(rounds: int, warmup: int, work: float) -> None:
    with pytest.raises(BrewError, match="expected at least one round"):
        single("none", lambda: None, unit="x/s", work=work, rounds=rounds, warmup=warmup, settings={})


def test_a_crash_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        compare("crash", lambda: 1 / 0, lambda: None, unit="x/s", work=1, settings={})


def test_the_machine_is_described_in_what_json_holds() -> None:
    found = harness.machine()
    assert json.loads(json.dumps(found)) == found
    assert {"cpu", "cores", "threads", "accelerator", "load", "torch"} <= set(found)


def test_every_script_takes_rounds_and_quick() -> None:
    assert vars(arguments(None, ["--rounds", "2", "--quick"])) == {"rounds": 2, "quick": True}
    assert arguments(None, [], rounds=1).rounds == 1


def test_a_failing_script_is_named_and_does_not_stop_the_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run: list[str] = []

    def pretend(script: str, budget: float, options: list[str]) -> str | None:
        run.append(script)
        return "exit status 3" if script == "evaluation" else None

    monkeypatch.setattr(everything, "run", pretend)
    assert everything.main(["--quick", "evaluation", "overhead"]) == 1
    assert run == ["evaluation", "overhead"]
    assert capsys.readouterr().err == "failed: evaluation: exit status 3\n"


def test_a_script_that_overruns_its_budget_is_ended() -> None:
    assert everything.run("evaluation", 0.05, ["--quick"]) == "took longer than 0.05 s"


def test_overhead_is_what_no_computing_cell_took() -> None:
    rows = [
        ("pretrain", "1", "# Parameters", "0.1"),
        ("pretrain", "2", "from brew import stages", "2"),
        ("pretrain", "3", "pretrain.train(stage, arm)", "10"),
        ("pretrain", "", "", "13"),
    ]
    parts = breakdown(rows, whole=20, rendering=3)
    assert parts["computing pretrain"] == 10
    assert parts["imports"] == 2.1
    assert parts["kernels' start and end"] == 0.9
    assert parts["Python's start and DVC"] == 4
    assert sum(parts.values()) == pytest.approx(20)


def test_a_log_without_computing_cells_is_refused() -> None:
    with pytest.raises(BrewError, match="no computing cell"):
        breakdown([("pretrain", "2", "import brew", "2")], whole=3, rendering=0)
