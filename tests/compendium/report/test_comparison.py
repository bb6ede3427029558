"""Tables say what was run, what was not, what the paper states, and emphasise only what test samples bear out."""

import math

import numpy as np
import pandas as pd
import pytest

from brew.compendium.report.claims import read_claims
from brew.compendium.report.columns import NOT_COMPARABLE, NOT_RUN, missing
from brew.compendium.report.joint import interval
from brew.compendium.report.ledger import average_scores
from brew.compendium.report.paper import AVERAGES, Group, paper_benchmarks
from brew.compendium.report.scored import Scored, means
from brew.compendium.report.summary import is_primary, summarise
from brew.compendium.report.tables.few_label_tables import few_labels_table
from brew.compendium.report.tables.rank_tables import rank_table
from brew.compendium.report.tables.task_tables import task_table
from brew.evaluation.scores import Score

CLAIMS = read_claims()
SPREAD = np.linspace(-2, 2, 41)


def replicates(centre: float) -> np.ndarray:
    """A score and replicates of it within two points; two of these differ by a constant."""
    return np.concatenate([[centre], centre + SPREAD])


def score(benchmark="oscd", arm="deo", seed=0, label_fraction=1.0, value=0.4, metric="f1", subset="all", decoder=0):
    return Score(
        benchmark, "change", arm, seed, label_fraction, metric, subset, value, value - 0.1, value + 0.1,
        "scene", 10, "s", "m", "d", "e", decoder,
    )  # fmt: skip


def measured(*rows, **more):
    """Scores with replicates around their means."""
    runs = {}
    for row in rows:
        seeds = runs.setdefault((row.benchmark, row.label_fraction), {}).setdefault(row.arm, {})
        seeds.setdefault(row.seed, {})[row.decoder] = replicates(100 * row.value)
    return Scored(runs, summarise(rows, {key: means(arms) for key, arms in runs.items()}), **more)


def full(**benchmarks):
    """One decoder on one seed of each backbone."""
    return {
        (name.replace("_", "-"), 1.0): {backbone: {0: {0: values}} for backbone, values in drawn.items()}
        for name, drawn in benchmarks.items()
    }


OSCD = [score(), score(seed=1, value=0.42), score(arm="random"), score(arm="cva"), score(arm="teacher")]
SCORED = Scored(
    full(
        roofs={"random": replicates(20), "deo": replicates(30), "teacher": replicates(25)},
        crops={"random": replicates(40), "deo": replicates(30), "teacher": replicates(25)},
        oscd={"random": replicates(35), "deo": replicates(40), "teacher": replicates(10), "cva": replicates(45)},
    ),
    measured(*OSCD).summary,
    CLAIMS,
    ("croma", "unet-resnet50"),
)


def cells(table: pd.DataFrame, backbone: str) -> dict[str, str]:
    (row,) = table[table["backbone"] == backbone].to_dict("records")
    return row


def test_seeds_are_averaged_and_their_deviation_is_apart_from_the_interval():
    rows = [score(value=0.38), score(value=0.42, decoder=1), *(score(seed=1, value=0.5, decoder=n) for n in (0, 1))]
    (row,) = summarise(rows, {("oscd", 1.0): {"deo": replicates(45)}}).to_dict("records")
    assert (row["score"], row["seeds"], row["values"]) == (pytest.approx(45), 2, pytest.approx((40, 50)))
    assert row["spread"] == pytest.approx(np.std([40, 50], ddof=1)), "decoders are no seeds of pretraining"
    assert (row["decoders"], row["decoder_spread"]) == (2, pytest.approx(2.0)), "pooled over both seeds"
    assert (row["low"], row["high"]) == pytest.approx(interval(replicates(45)))
    assert math.isnan(measured(score()).summary.loc[0, "spread"])


def test_the_primary_score_is_the_declared_metric_of_the_whole_test():
    every = (score(), score(label_fraction=0.1), score(metric="iou"), score(subset="rio"))
    assert [is_primary(each) for each in every] == [
        True, True, False, False,
    ]  # fmt: skip
    assert measured(score(label_fraction=0.1), score()).summary["label_fraction"].tolist() == [1.0, 0.1]
    assert summarise([], {}).empty


def test_a_column_has_the_best_in_bold_and_others_plain():
    table = task_table(SCORED, "segmentation", ["roofs", "crops"])
    assert list(table.columns) == [
        "backbone", "optical: roofs (iou macro)", "multispectral: crops (iou macro)", "average"
    ]  # fmt: skip
    assert cells(table, "random trunk") == {
        "backbone": "random trunk", "optical: roofs (iou macro)": "20.0 [18.1, 21.9]",
        "multispectral: crops (iou macro)": "**40.0 [38.1, 41.9]**", "average": "30.0 [28.1, 31.9]",
    }  # fmt: skip
    assert cells(table, "DEO (both teachers)")["average"] == "30.0 [28.1, 31.9]", "a tie is not bold"


def test_the_paper_form_names_its_models_and_says_what_was_not_run():
    table = task_table(SCORED, "change", paper_benchmarks(), paper=True)
    column = "multispectral: oscd (f1)"
    assert cells(table, "DEO (both teachers)")[column] == "40.0 +/- 1.4 [38.1, 41.9]"
    assert cells(table, "DEO Swin-B (released)")[column] == f"{NOT_RUN} (paper: 60.5, 59.2?)"
    assert cells(table, "TerraFM")[column] == f"{NOT_RUN} (paper: 57.5?)"
    assert cells(table, "CROMA")[column] == NOT_COMPARABLE, "it reads bands that no benchmark has"
    assert cells(table, "U-Net, ResNet-50 (supervised)")[column] == "-", "a reference of segmentation"
    assert table["average"].str.match(f"{NOT_RUN}|{NOT_COMPARABLE}|-").all(), "no average without all its parts"
    assert "TerraFM" not in set(task_table(SCORED, "change", ["oscd"])["backbone"])


def test_references_of_change_are_neither_ranked_nor_missed_elsewhere():
    table, ranked = rank_table(SCORED, ["roofs", "crops", "oscd", "scenes"])
    assert ranked == ["roofs", "crops", "oscd"]
    assert "change vector analysis" not in set(table["backbone"])
    assert cells(table, "DEO (both teachers)") == {
        "backbone": "DEO (both teachers)", "segmentation": "1.5 [1.5, 1.5]", "change": "1.0 [1.0, 1.0]",
        "classification": NOT_RUN, "all": "1.3 [1.3, 1.3]",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("backbone", "sensor", "found"),
    [
        ("deo+sar", "sentinel1", NOT_RUN), ("ms-only", "rgb", NOT_RUN), ("teacher", "sentinel2", NOT_RUN),
        ("deo", "sentinel1", NOT_COMPARABLE), ("teacher", "sentinel1", NOT_COMPARABLE),
    ],
)  # fmt: skip
def test_what_cannot_read_a_sensor_is_not_comparable(backbone, sensor, found):
    assert missing(backbone, "segmentation", sensor) == found


def test_few_labels_stand_beside_all_of_them():
    rows = [score(), score(label_fraction=0.1, value=0.3), score(arm="random"), score("new-sites")]
    here = measured(*rows, claims=CLAIMS)
    table = few_labels_table(here, ["oscd", "new-sites"])
    assert list(table.columns) == ["benchmark", "backbone", "100 %", "10 %"]
    assert set(table["benchmark"]) == {"oscd"}, "a benchmark without shares is no part of it"
    assert cells(table, "DEO (both teachers)")["10 %"] == "30.0 [28.1, 31.9]"
    assert cells(table, "random trunk")["10 %"] == NOT_RUN
    paper = few_labels_table(here, paper_benchmarks(), paper=True)
    stated = paper[paper["benchmark"] == "m-sa-crop-type"]
    assert stated["10 %"].tolist() == [f"{NOT_RUN} (paper: 28.98)"]
    assert few_labels_table(measured(score()), ["oscd"]).empty


def test_an_average_that_was_run_whole_answers_claims_about_it():
    group = AVERAGES["avg(LEVIR,OSCD)"]
    drawn = full(levir_cd={"deo-swin-b": replicates(91)}, oscd={"deo-swin-b": replicates(61), "deo": replicates(40)})
    both = Scored(drawn, SCORED.summary)
    ((found, ours),) = average_scores(both, paper_benchmarks(), [group, Group("classification")])
    assert (found, ours.backbone, ours.score) == (group, "deo-swin-b", 76.0)
    assert ours.low < 75.9 < ours.high
    assert average_scores(SCORED, paper_benchmarks(), [group]) == []
