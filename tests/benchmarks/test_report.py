"""The page of measurements: complete, and the same bytes from the same files."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.report import BARS, page, read
from brew.errors import BrewError


def record(**changes: Any) -> dict[str, Any]:
    return {
        "name": "warm",
        "ratio": 2.5,
        "ours": 1234.0,
        "conventional": 493.6,
        "unit": "samples/s",
        "rounds": 5,
        "spread": {"ours": [1200.0, 1300.0], "conventional": [480.0, 500.0], "ratio": [2.4, 2.6]},
        "settings": {"workers": 1, "batch": 64},
        "machine": {"cpu": "one", "load": 0.5},
    } | changes


def row(text: str, start: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(f"| {start}"))


def test_without_measurements_every_bar_says_not_run() -> None:
    text = page({})
    assert text.count("not run") == len(BARS)
    assert "not run: no accelerator at hand" in row(text, "6.")
    assert "Nothing was measured" in text


def test_a_measurement_stands_beside_its_bar() -> None:
    text = page({"reading": [record()]})
    assert row(text, "1.") == (
        "| 1. Reading: warm | warm at least 800 samples/s/core; cold at least 80 % of `dd` | "
        "1234 (1200-1300) samples/s | 493.6 (480-500) samples/s | 2.5 (2.4-2.6) | 5 | "
        "batch 64, workers 1 | A, load 0.5 |"
    )
    assert "- A: cpu one\n" in text


def test_what_has_no_counterpart_has_no_ratio() -> None:
    alone = record(ratio=None, conventional=None, spread={"ours": [1.0, 2.0]})
    assert "samples/s |  |  | 5 |" in row(page({"reading": [alone]}), "1.")


def test_a_file_that_no_bar_names_is_listed() -> None:
    assert row(page({"novel": [record()]}), "novel: warm")


def test_one_machine_is_listed_once_whatever_its_load() -> None:
    busy, other = record(machine={"cpu": "one", "load": 7.0}), record(machine={"cpu": "two", "load": 0.1})
    text = page({"reading": [record(), busy, other]})
    assert [line for line in text.splitlines() if line.startswith("- ")] == ["- A: cpu one", "- B: cpu two"]


def test_the_order_of_keys_and_files_changes_no_byte(tmp_path: Path) -> None:
    turned = dict(reversed(record(settings={"batch": 64, "workers": 1}).items()))
    one = page({"reading": [record()], "novel": [record()]})
    assert page({"novel": [turned], "reading": [turned]}) == one


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "is no JSON"), ("{}", "holds dict"), (json.dumps([{"name": "x"}]), "a result lacks ratio, ours")],
)
def test_a_broken_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "reading.json").write_text(text)
    with pytest.raises(BrewError, match=message) as error:
        read(tmp_path)
    assert "reading.json" in str(error.value)
