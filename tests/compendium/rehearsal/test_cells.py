"""Every cell of a rehearsal is scored, refused with a reason, or named as silent."""

from dataclasses import replace
from pathlib import Path

from brew.compendium.rehearsal.cells import cells_of, models
from brew.compendium.settings import Settings, Sources, load
from brew.data.sources.oscd import OscdSettings
from brew.evaluation.protocols import AUTHORS, COMMON
from brew.evaluation.scores import Score, write_scores

BACKBONES = ("dofa", "croma", "unet-resnet50")


def scale() -> Settings:
    """One benchmark of change and one of classification."""
    settings = load("paper")
    return replace(settings, backbones=BACKBONES, data=Sources(oscd=OscdSettings(), benchmarks=("m-eurosat",)))


def score(benchmark: str, model: str, protocol: str, share: float) -> Score:
    return Score(
        benchmark, "change", model, 0, share, "f1", "all", 0.5, 0.4, 0.6, "scene", 3, "a", "b", "c", "d",
        protocol=protocol,
    )  # fmt: skip


def test_a_missing_protocol_makes_a_cell_silent_and_a_reason_makes_it_refused(tmp_path: Path) -> None:
    assert models(scale()) == ["random", "ms-only", "deo", "teacher", *BACKBONES]
    found = [
        score(benchmark, model, protocol, share)
        for benchmark in ("oscd", "m-eurosat") for model in models(scale())
        for protocol in (COMMON, AUTHORS) for share in (1.0, 0.1)
        if (benchmark, model, protocol) != ("oscd", "dofa", AUTHORS)
    ]  # fmt: skip
    write_scores(tmp_path / "scores.csv", found)
    cells = cells_of(scale(), tmp_path / "scores.csv")
    assert len(cells.every) == 2 * 7 == len(cells.scored) + len(cells.refused) + len(cells.silent)
    (silent,) = cells.silent
    assert (silent.benchmark, silent.model, silent.lacking) == ("oscd", "dofa", ("authors, 1", "authors, 0.1"))
    assert {(cell.benchmark, cell.model) for cell in cells.refused} == {
        (benchmark, model) for benchmark in ("oscd", "m-eurosat") for model in ("croma", "unet-resnet50")
    }
    assert "croma: sensor 'sentinel2' lacks B1, B9 (oscd, m-eurosat)" in cells.in_words()
    assert "it is trained whole, for segmentation alone (" in cells.in_words()
    assert "  silent   oscd, dofa: authors, 1; authors, 0.1" in cells.in_words()
