"""What the pages of a scale are made from: the tidy tables that its stages left, read once."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from brew.compendium.report.charts.gain_chart import directed
from brew.errors import BrewError
from brew.evaluation.benchmarks import BENCHMARKS

#: The tidy tables that stage `tables` leaves, by the names of their files.
TIDY = ("results", "pairs", "means", "orders")


@dataclass(frozen=True)
class ScaleTables:
    """The tidy tables of a scale.

    results, pairs, means, orders: of `tidy_tables`; pairs in both directions. scores: every row with what it was made
    from. answers: of the study beyond the paper, empty unless the scale asks its questions.
    """

    results: pd.DataFrame
    pairs: pd.DataFrame
    means: pd.DataFrame
    orders: pd.DataFrame
    scores: pd.DataFrame
    answers: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def runs(self) -> pd.DataFrame:
        """benchmark, backbone, label fraction, seed, value, and whatever else a run is told apart by."""
        primary = self.scores["metric"] == self.scores["benchmark"].map(lambda name: BENCHMARKS[name].metric)
        table = self.scores[primary & (self.scores["subset"] == "all")]
        table = table.rename(columns={"arm": "backbone", "label_fraction": "label fraction"})
        numbers = ["value", "low", "high"]
        return table.assign(**{name: (100 * table[name]).round(3) for name in numbers})

    @property
    def benchmarks(self) -> list[str]:
        return list(dict.fromkeys(self.results["benchmark"]))

    @property
    def backbones(self) -> list[str]:
        return list(dict.fromkeys(self.results["backbone"]))

    def between(self, arm: str, less: str, label_fraction: float = 1.0) -> pd.DataFrame:
        """`arm` less `less`, a row per benchmark and group that both were scored on."""
        pairs = self.pairs
        chosen = (pairs["arm"] == arm) & (pairs["less"] == less) & (pairs["label fraction"] == label_fraction)
        return pairs[chosen].reset_index(drop=True)


@dataclass(frozen=True)
class Findings:
    """What the pages of a scale are made from.

    cells: (notebook, what it shows) -> its cell. parameters: all parameters of the scale.
    """

    scale: str
    tables: ScaleTables
    cells: Mapping[tuple[str, str], str]
    parameters: Mapping[str, Any]


def read_tables(site: Path) -> ScaleTables:
    """The tables of a scale's folder of reports; BrewError if it has no tidy ones."""
    files = {name: site / "tables" / f"{name}.csv" for name in TIDY} | {"scores": site / "scores" / "scores.csv"}
    for file in files.values():
        if not file.exists():
            raise BrewError(f"{file} does not exist; expected a tidy table of the report there. Run `make repro` first")
    found = {name: pd.read_csv(file) for name, file in files.items()}
    answers = site / "tables" / "beyond-answers.csv"
    asked = {"answers": pd.read_csv(answers)} if answers.exists() else {}
    return ScaleTables(**{**found, "pairs": directed(found["pairs"])}, **asked)


def shown_cells(notebooks: Path) -> dict[tuple[str, str], str]:
    """(notebook, stem of a table's file) -> the cell that shows it; (notebook, "scores") -> the cell that scores."""
    found: dict[tuple[str, str], str] = {}
    for path in sorted(notebooks.glob("*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if ".evaluate(" in "".join(cell["source"]):
                found[path.stem, "scores"] = cell["id"]
            for output in cell.get("outputs", []):
                text = "".join(output.get("data", {}).get("text/plain", ""))
                name, marked, _ = text.partition(".csv:")
                if marked and "\n" not in name:
                    found[path.stem, name] = cell["id"]
    return found
