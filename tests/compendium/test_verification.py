"""`make verify` names every score that differs, and nothing else."""

from dataclasses import replace

import pytest

from brew.compendium.verification import Tolerances, differences
from brew.evaluation.scores import Score

_SCORE = Score(
    "roofs", "segmentation", "deo", 0, 1.0, "iou_macro", "all", 0.5, 0.4, 0.6, "sample", 10, "x", "m", "d", "e"
)


def test_equal_scores_agree():
    assert differences([_SCORE], [_SCORE], Tolerances()) == []


@pytest.mark.parametrize(("arm", "off", "named"), [("deo", 0.02, False), ("deo", 0.04, True), ("cva", 0.001, True)])
def test_a_score_beyond_its_tolerance_is_named(arm, off, named):
    committed = replace(_SCORE, arm=arm)
    found = differences([committed], [replace(committed, value=0.5 + off)], Tolerances())
    assert bool(found) == named
    assert all(arm in line and "committed 0.5000" in line for line in found)


def test_a_score_on_one_side_alone_is_named():
    assert differences([_SCORE], [], Tolerances()) == ["roofs segmentation deo 0 0 1.0 iou_macro all: only committed"]


def test_a_score_that_became_nan_is_named():
    assert len(differences([_SCORE], [replace(_SCORE, value=float("nan"))], Tolerances())) == 1
