"""The tables stage on scores and counts of a few test samples: what is written, and what is refused."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brew import files
from brew.compendium.report.style import caption_of, label
from brew.compendium.report.tables import (
    difference_tables,
    doubt_tables,
    few_label_tables,
    gain_tables,
    need_tables,
    rank_tables,
    task_tables,
)
from brew.compendium.settings import load
from brew.compendium.stages import Stage, draw_figures, write_tables
from brew.errors import BrewError
from brew.evaluation.benchmarks import BENCHMARKS
from brew.evaluation.scores import Run, read_scores, scores_of, write_counts, write_scores
from brew.files import Layout

TESTED = {"roofs": 4, "crops": 6}


def keep(
    stage: Stage, seed: int, arm: str, right: float, benchmark: str = "roofs", label_fraction: float = 1.0
) -> None:
    """Scores and counts of eight test images of 100 places each, a share of `right` given their class."""
    classes = TESTED[benchmark]
    drawn = np.random.default_rng(seed).binomial(100, right, 8)
    counts = np.stack(
        [np.eye(classes, dtype=int) * hits + np.roll(np.eye(classes, dtype=int), 1) * (100 - hits) for hits in drawn]
    )
    folder, run = stage.layout.write("segmentation"), Run(benchmark, "segmentation", arm, seed, "abc", label_fraction)
    write_scores(folder / "scores.csv", scores_of(run, counts, ("iou_macro",)))
    write_counts(folder / "counts" / f"{run.name}.npz", counts, range(8))


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setattr(files, "REPORTS", tmp_path)
    found = Stage(load("tiny"), Layout("tiny"))
    for task in ("change", "classification"):
        found.layout.write(task)
    for benchmark in TESTED:
        for seed in (0, 1):
            keep(found, seed, "ms-only", 0.6, benchmark)
            keep(found, seed, "deo", 0.9, benchmark)
    keep(found, 0, "deo", 0.7, label_fraction=0.1)
    return found


def written(stage: Stage, name: str) -> pd.DataFrame:
    path = stage.layout.read("tables") / f"{name}.csv"
    assert caption_of(path)
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def test_every_table_is_written_with_its_caption(stage: Stage) -> None:
    here = write_tables.begin(stage)
    for table in (
        task_tables.of_scale(here, "segmentation"), task_tables.of_paper(here, "segmentation"), rank_tables.ranks(here),
        difference_tables.differences(here, write_tables.REFERENCE), few_label_tables.few_labels(here),
        need_tables.needs(here, "miniature"),
    ):  # fmt: skip
        assert write_tables.write(stage, table) is table
    (deo,) = written(stage, "segmentation").query("backbone == 'DEO (both teachers)'").to_dict("records")
    assert (
        deo["optical: roofs (iou macro)"].startswith("**")
        and " +/- " in deo["average"] + deo["optical: roofs (iou macro)"]
    )
    assert written(stage, "ranks")["all"].tolist() == ["1.0 [1.0, 1.0]", "2.0 [2.0, 2.0]"]
    assert written(stage, "differences")["roofs"].str.startswith("**+").all()
    assert written(stage, "low-data")["backbone"].tolist() == ["MS self-distillation only", "DEO (both teachers)"]
    assert (written(stage, "needs")["needs"] != "").all()
    assert write_tables.write(stage, task_tables.of_scale(here, "change")) is None
    assert rank_tables.ranks(here, paper=True) is None


def test_a_backbone_that_stands_as_the_teacher_needs_nothing(stage: Stage) -> None:
    def weights() -> set[str]:
        table = need_tables.needs(write_tables.begin(stage), "imagenet").frame
        return set(table.loc[table["kind"] == "weights", "not run"])

    assert label("imagenet") in weights()
    keep(stage, 0, "teacher", 0.8)
    assert label("imagenet") not in weights()


def test_the_ledger_of_the_miniature_reproduces_nothing(stage: Stage) -> None:
    counted = write_tables.claims(stage, write_tables.begin(stage))
    assert counted is not None
    ledger = written(stage, "ledger")
    assert len(ledger) == counted.frame.drop(columns="table").to_numpy().sum()
    assert ledger["verdict"].str.match(r"(not comparable|not run): ").all()
    assert "none could be tested here" in caption_of(stage.layout.read("tables") / "ledger.csv")


def test_all_scores_stand_in_one_file(stage: Stage) -> None:
    write_tables.scores(stage)
    kept = read_scores(stage.layout.read("tables") / "scores.csv")
    assert {score.identity: score for score in kept} == {
        score.identity: score for score in write_tables.all_scores(stage)
    }
    assert len(kept) == 9


def test_scores_without_counts_are_refused(stage: Stage) -> None:
    (stage.layout.read("segmentation") / "counts" / "roofs-deo-1.npz").unlink()
    with pytest.raises(BrewError, match="holds no counts roofs-deo-1"):
        write_tables.begin(stage)


def test_backbones_on_different_samples_are_refused(stage: Stage) -> None:
    file = stage.layout.read("segmentation") / "counts" / "roofs-deo-0.npz"
    with np.load(file) as stored:
        counts = stored["counts"]
    write_counts(file, counts, range(1, 9))
    with pytest.raises(BrewError, match="roofs were tested on different samples"):
        write_tables.begin(stage)


def test_figures_show_shares_of_the_labels_only_where_there_are_some(stage: Stage) -> None:
    figure = draw_figures.low_data(stage)
    assert figure is not None
    (axis,) = figure.axes
    assert axis.get_title() == "roofs" and axis.get_xscale() == "log"
    assert {len(line.get_xdata()) for line in axis.get_lines()} == {1, 2}
    scores = draw_figures.scores(stage)
    assert scores is not None and len(scores.axes) == 2
    keep(stage, 0, "deo", 0.7)
    path = stage.layout.read("segmentation") / "scores.csv"
    full = [score for score in read_scores(path) if score.label_fraction == 1]
    path.unlink()
    write_scores(path, full)
    assert draw_figures.low_data(stage) is None


def test_radar_stands_beside_chance(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    assert write_tables.radar(stage, write_tables.begin(stage)) is None
    monkeypatch.setitem(TESTED, "materials-sar", len(BENCHMARKS["materials-sar"].classes))
    for arm, right in (("random", 0.2), ("deo+sar", 0.6)):
        keep(stage, 0, arm, right, "materials-sar")
    write_tables.radar(stage, write_tables.begin(stage))
    table = written(stage, "radar").set_index("backbone")
    assert len(table) == 4 and table.loc["DEO with a radar teacher", "less random trunk"].startswith("**+")


def test_shares_of_the_labels_say_how_many_samples_they_are(stage: Stage) -> None:
    assert gain_tables.few_labels_gains(write_tables.begin(stage)) is None, "no reference was scored from a share"
    keep(stage, 0, "ms-only", 0.5, label_fraction=0.1)
    folder = stage.layout.write("segmentation")
    pd.DataFrame({"benchmark": "roofs", "label_fraction": [1.0, 0.1], "samples": [72, 7]}).to_csv(
        folder / "labelled.csv", index=False
    )
    here = write_tables.begin(stage)
    write_tables.write(stage, gain_tables.few_labels_gains(here))
    write_tables.write(stage, few_label_tables.few_labels(here))
    (row,) = written(stage, "low-data-gains").to_dict("records")
    assert (row["label fraction"], row["arm"], row["labelled samples"]) == ("10 %", "deo", "roofs 7")
    assert set(written(stage, "low-data")["benchmark"]) == {"roofs (72, 7 labelled samples)"}


def test_a_difference_that_rounding_could_give_is_not_told_as_a_finding(stage: Stage) -> None:
    def found() -> pd.Series:
        here = write_tables.begin(stage)
        write_tables.write(stage, doubt_tables.doubts(here))
        write_tables.write(stage, difference_tables.differences(here, "ms-only"))
        return written(stage, "differences")["roofs"]

    assert found().str.startswith("**+").all() and set(written(stage, "doubts")["numerical deviation"]) == {""}
    runs = [(arm, seed) for arm in ("deo", "ms-only") for seed in (0, 1)]
    table = pd.DataFrame(runs, columns=["arm", "seed"])
    table = table.assign(
        benchmark="roofs", label_fraction=1.0, metric="iou_macro", subset="all", numerical_deviation=0.5
    )
    table.to_csv(stage.layout.site / "noise.csv", index=False)
    assert found().str.startswith("+").all()
    assert set(written(stage, "doubts")["numerical deviation"]) == {"", "35.36"}, "of the mean of two seeds"


def test_statements_are_written_with_their_verdicts(stage: Stage) -> None:
    pd.DataFrame(columns=["teacher", "token", "stride", "arm", "less", "measure"]).to_csv(
        stage.layout.write("similarity") / "differences.csv", index=False
    )
    write_tables.statements(stage, write_tables.begin(stage))
    table = written(stage, "statements")
    assert table["id"].nunique() == 8 and (table["statement"] != "").all()
    assert table["verdict"].str.match("supported|not supported|contradicted|not tested: ").all()
    assert table.loc[0, ["low", "high", "seeds", "unit"]].tolist()[2:] == ["2", "points"]
