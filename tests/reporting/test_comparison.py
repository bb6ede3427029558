"""Tables say what was run, what was not, what the paper states, and emphasise only what test samples bear out."""

import math

import numpy as np
import pandas as pd
import pytest

from brew.downstream.scores import Score
from brew.reporting.claims import read_claims
from brew.reporting.comparison import (
    NOT_RUN,
    Scored,
    average_scores,
    difference_table,
    low_data_table,
    rank_table,
    task_table,
)
from brew.reporting.paper import AVERAGES, Group, paper_benchmarks
from brew.reporting.summary import primary, summarise

CLAIMS = read_claims()
SPREAD = np.linspace(-2, 2, 41)


def draws(centre: float) -> np.ndarray:
    """A score and draws of it within two points; two of these differ by a constant."""
    return np.concatenate([[centre], centre + SPREAD])


def score(benchmark="oscd", arm="deo", seed=0, labels=1.0, value=0.4, metric="f1", subset="all"):
    return Score(
        benchmark, "change", arm, seed, labels, metric, subset, value, value - 0.1, value + 0.1, "scene", 10, "s", "m",
        "d", "e",
    )  # fmt: skip


def summary(*rows):
    return primary(summarise(rows), None)


SCORED = Scored(
    {
        "roofs": {"random": draws(20), "deo": draws(30), "teacher": draws(25)},
        "crops": {"random": draws(40), "deo": draws(30), "teacher": draws(25)},
        "oscd": {"random": draws(35), "deo": draws(40), "teacher": draws(10), "cva": draws(45)},
    },
    summary(score(), score(seed=1, value=0.42), score(arm="random"), score(arm="cva"), score(arm="teacher")),
    CLAIMS,
    ("croma",),
)


def cells(table: pd.DataFrame, backbone: str) -> dict[str, str]:
    (row,) = table[table["backbone"] == backbone].to_dict("records")
    return row


def test_seeds_are_averaged_and_their_deviation_is_apart_from_the_interval():
    (row,) = summary(score(value=0.4), score(seed=1, value=0.5)).to_dict("records")
    assert (row["score"], row["seeds"], row["values"]) == (pytest.approx(45), 2, pytest.approx((40, 50)))
    assert row["spread"] == pytest.approx(np.std([40, 50], ddof=1))
    assert (row["low"], row["high"]) == (pytest.approx(35), pytest.approx(55))
    assert math.isnan(summary(score()).loc[0, "spread"])


def test_primary_scores_are_those_of_the_share_of_the_labels_and_of_the_whole_test():
    rows = [score(), score(labels=0.1), score(metric="iou"), score(subset="rio")]
    assert primary(summarise(rows))["labels"].tolist() == [1.0]
    assert summary(*rows)["labels"].tolist() == [1.0, 0.1]
    assert primary(summarise([])).empty


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
    assert cells(table, "CROMA")[column] == NOT_RUN
    assert (table["average"].str.startswith(NOT_RUN)).all(), "no average without all its parts"
    assert "TerraFM" not in set(task_table(SCORED, "change", ["oscd"])["backbone"])


def test_references_of_change_are_neither_ranked_nor_missed_elsewhere():
    table, ranked = rank_table(SCORED, ["roofs", "crops", "oscd", "scenes"])
    assert ranked == ["roofs", "crops", "oscd"]
    assert "change vector analysis" not in set(table["backbone"])
    assert cells(table, "DEO (both teachers)") == {
        "backbone": "DEO (both teachers)", "segmentation": "1.5 [1.5, 1.5]", "change": "1.0 [1.0, 1.0]",
        "classification": NOT_RUN, "all": "1.3 [1.3, 1.3]",
    }  # fmt: skip
    differences = difference_table(SCORED, "random", ["roofs", "oscd"])
    assert cells(differences, "change vector analysis") == {
        "backbone": "change vector analysis", "roofs": "-", "oscd": "**+10.0 [+10.0, +10.0]**"
    }  # fmt: skip


def test_differences_within_their_interval_are_not_bold():
    noisy = {"ms-only": draws(30), "deo": np.concatenate([[30.1], 30.1 - SPREAD])}
    table = difference_table(Scored({"roofs": noisy}, SCORED.summary), "ms-only", ["roofs"])
    assert "**" not in cells(table, "DEO (both teachers)")["roofs"]


def test_few_labels_stand_beside_all_of_them():
    rows = [score(), score(labels=0.1, value=0.3), score(arm="random"), score("new-sites")]
    here = Scored({}, summary(*rows), CLAIMS)
    table = low_data_table(here, ["oscd", "new-sites"])
    assert list(table.columns) == ["benchmark", "backbone", "100 %", "10 %"]
    assert set(table["benchmark"]) == {"oscd"}, "a benchmark without shares is no part of it"
    assert cells(table, "DEO (both teachers)")["10 %"] == "30.0 [20.0, 40.0]"
    assert cells(table, "random trunk")["10 %"] == NOT_RUN
    paper = low_data_table(here, paper_benchmarks(), paper=True)
    stated = paper[paper["benchmark"] == "m-sa-crop-type"]
    assert stated["10 %"].tolist() == [f"{NOT_RUN} (paper: 28.98)"]
    assert low_data_table(Scored({}, summary(score())), ["oscd"]).empty


def test_an_average_that_was_run_whole_answers_claims_about_it():
    group = AVERAGES["avg(LEVIR,OSCD)"]
    both = Scored(
        {"levir-cd": {"deo-swin-b": draws(91)}, "oscd": {"deo-swin-b": draws(61), "deo": draws(40)}}, SCORED.summary
    )
    ((found, ours),) = average_scores(both, paper_benchmarks(), [group, Group("classification")])
    assert (found, ours.backbone, ours.score) == (group, "deo-swin-b", 76.0)
    assert ours.low < 75.9 < ours.high
    assert average_scores(SCORED, paper_benchmarks(), [group]) == []
