"""The notebook of results: every cell runs on the tidy tables of a report, and its choices are checked."""

from pathlib import Path

import nbformat
import pytest

from brew import files
from brew.compendium import your_results
from brew.compendium.report.charts.house import CaptionedChart
from brew.compendium.report.site.scale_findings import TIDY
from brew.errors import BrewError
from brew.files import ROOT
from tests.compendium.report.small_report import leave_stages


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("reports")
        patch.setattr(files, "REPORTS", folder)
        layout = leave_stages("tiny")
        tables = layout.read("tables")
        for name in ("tables", "scores"):
            (layout.site / name).mkdir()
        for name in TIDY:
            (tables / "tidy" / f"{name}.csv").rename(layout.site / "tables" / f"{name}.csv")
        (tables / "scores.csv").rename(layout.site / "scores" / "scores.csv")
        return folder


def test_every_cell_of_the_notebook_runs(reports: Path) -> None:
    notebook = nbformat.read(ROOT / "notebooks" / "explore" / "results.ipynb", as_version=4)
    names: dict[str, object] = {}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            exec(compile(cell.source, "results.ipynb", "exec"), names)
            if "parameters" in cell.metadata.get("tags", []):
                names |= {"scale": "tiny", "reports": reports, "arms": ["deo", "ms-only"]}
    opened = names["opened"]
    assert set(opened.results["backbone"]) == {"deo", "ms-only"}
    assert (opened.between("deo", "ms-only")["value"] > 0).all()
    chart = names["gain_chart"](opened.pairs, "ms-only")
    assert isinstance(chart, CaptionedChart) and chart._repr_svg_().startswith("<svg")


def test_a_name_that_was_not_scored_is_named(reports: Path) -> None:
    with pytest.raises(BrewError, match=r"benchmark 'roof' .*roofs"):
        your_results.read("tiny", benchmarks=["roof"], reports=reports)
    with pytest.raises(BrewError, match="Run `make repro` first"):
        your_results.read("study", reports=reports)
