"""What the pages of a scale are made from: the tidy tables that its stages left, read once."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from brew.compendium.report.charts.gain_chart import directed
from brew.evaluation.benchmarks import BENCHMARKS

#: The tidy tables that stage `tables` leaves, by the names of their files.
TIDY = ("results", "pairs", "means", "orders")


@dataclass(frozen=True)
class Findings:
    """The tidy tables of a scale.

    results, pairs, means, orders: of `tidy_tables`; pairs in both directions. runs: a row per run of a primary score,
    in percent. scores: every row with what it was made from. cells: (notebook, what it shows) -> its cell.
    parameters: all parameters of the scale.
    """

    scale: str
    results: pd.DataFrame
    pairs: pd.DataFrame
    means: pd.DataFrame
    orders: pd.DataFrame
    scores: pd.DataFrame
    cells: Mapping[tuple[str, str], str]
    parameters: Mapping[str, Any]

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


def read_findings(scale: str, tables: Path, notebooks: Path, parameters: Mapping[str, Any]) -> Findings:
    """tables: the folder of stage `tables`. notebooks: of the executed notebooks."""
    tidy = {name: pd.read_csv(tables / "tidy" / f"{name}.csv") for name in TIDY}
    tidy["pairs"] = directed(tidy["pairs"])
    return Findings(
        scale, **tidy, scores=pd.read_csv(tables / "scores.csv"), cells=shown_cells(notebooks), parameters=parameters
    )


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
