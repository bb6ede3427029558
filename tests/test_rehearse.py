"""A cut of the paper's rehearsal, from clone to report: one benchmark of each kind, three backbones, both protocols."""

import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

from brew.compendium import rehearse
from brew.compendium.plan.holdings import data_holdings
from brew.compendium.plan.stage_states import stage_states
from brew.compendium.rehearsal.cells import Cells
from brew.compendium.report.ledger import VERDICTS
from brew.compendium.settings import load
from brew.compendium.stamp import STAMP

BENCHMARKS, BACKBONES = ("levir-cd", "m-cashew-plant", "m-eurosat"), ("band-statistics", "dofa", "croma")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rehearsal")


@pytest.fixture(scope="module")
def cells(folder: Path) -> Cells:
    return rehearse.rehearse("paper", folder, BENCHMARKS, BACKBONES)


def test_no_cell_is_silent(cells: Cells) -> None:
    assert {cell.benchmark for cell in cells.every} == set(BENCHMARKS)
    assert not cells.silent, cells.in_words()
    # Of three benchmarks and random, ms-only, deo, teacher and three backbones; CROMA wants bands that no store has.
    assert {cell.model for cell in cells.refused} == {"croma"} and len(cells.every) == 21
    assert len(cells.scored) == sum(cell.model != "croma" or not cell.refused for cell in cells.every)


def test_every_page_table_and_figure_says_that_it_holds_no_results(folder: Path, cells: Cells) -> None:
    site = rehearse.site("paper", folder / "tree")
    pages = sorted(site.rglob("*.html"))
    texts = [page.read_text().lower() for page in pages]
    assert len(pages) > 8 and all(f">{STAMP}</p>" in text.partition("<main")[0] for text in texts)
    captions = [caption for text in texts for caption in re.findall(r"<figcaption><strong>.*", text)]  # of exhibits
    assert len(captions) > 20 and all(STAMP in caption for caption in captions)


def test_claims_that_can_be_decided_get_a_verdict(folder: Path, cells: Cells) -> None:
    ledger = pd.read_csv(rehearse.site("paper", folder / "tree") / "tables" / "ledger.csv", keep_default_na=False)
    verdicts = ledger["verdict"].str.partition(":")[0]
    assert set(verdicts) <= set(VERDICTS)
    decided = ledger[verdicts.isin(["reproduced", "not reproduced"])]
    assert {"m-eurosat", "m-cashew-plant", "LEVIR-CD"} <= {name.split(" ")[0] for name in decided["data set"]}


def test_what_has_run_is_done_and_a_changed_arm_runs_alone(folder: Path, cells: Cells) -> None:
    tree = folder / "tree"
    runs = load("paper", tree).arms

    def states() -> dict[str, str]:
        return {each.name: each.state for each in stage_states("paper", runs, {}, tree)}

    assert set(states().values()) == {"done"}
    parameters = tree / "scales" / "paper" / "params.yaml"
    before = parameters.read_text()
    parameters.write_text(before.replace("  deo: {}", "  deo: {clip: 1.0}"))
    assert parameters.read_text() != before
    try:
        found = states()
    finally:
        parameters.write_text(before)
    assert found["pretrain@deo"] == found["classification"] == found["site"] == "to run"
    assert found["data"] == found["optical-teacher"] == found["pretrain@ms-only"] == "done"


def test_a_removed_data_set_is_named_and_written_anew(
    folder: Path, cells: Cells, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, settings = folder / "data", load("paper", folder / "tree")
    monkeypatch.setenv("BREW_DATA", str(data))
    shutil.rmtree(data / "m-eurosat")
    absent = [each.name for each in data_holdings(settings) if not each.usable]
    assert absent == ["m-eurosat"]
    rehearse.write_data(data, list(settings.data.present()))
    assert all(each.usable for each in data_holdings(settings))
