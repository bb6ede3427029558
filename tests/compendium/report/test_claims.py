"""The ledger keeps every claim, and calls none reproduced that was not tested on the same ground."""

import math
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brew.compendium.report.claims import (
    CLAIMS,
    CONTEXT,
    KINDS,
    NUMBER,
    STATEMENT,
    STATUSES,
    conflicts,
    read_claims,
    stated,
)
from brew.compendium.report.ledger import VERDICTS, Ours, counted, headline, held_by, ledger, verdict
from brew.compendium.report.paper import ABLATED, AVERAGES, DATASETS, MODELS, PAPER, SYNTHETIC, paper_benchmarks
from brew.compendium.report.scored import Scored
from brew.compendium.report.style import BACKBONES
from brew.compendium.report.summary import summarise
from brew.compendium.report.tables.claim_tables import claim_tables
from brew.errors import BrewError
from brew.evaluation.benchmarks import BENCHMARKS
from brew.evaluation.metrics import METRICS
from brew.evaluation.protocols import AUTHORS, COMMON, IMAGES, SET
from brew.evaluation.scores import Score
from brew.pretraining.arms import ARMS

EVERY = read_claims()
ALL = [claim for claim in EVERY if claim.kind != STATEMENT]
(DERIVED,) = (c for c in ALL if (c.model, c.dataset, c.status) == ("DEO Swin-B", "OSCD", "derived"))
(DOUBTFUL,) = (c for c in ALL if (c.model, c.dataset, c.status) == ("DEO Swin-B", "OSCD", "doubtful"))
#: The released weights, one point to either side of what is derived from the paper.
RELEASED = Ours("deo-swin-b", 60.0, 0.5, 59.5, 61.5, "3 seeds", "f1", AUTHORS)
STUDENT = replace(RELEASED, backbone="deo")


def rows(found, scale="real", claims=ALL):
    return ledger(claims, found, scale, {"deo-swin-b": "put the file DEO_swin_b.pth"}).set_index("id")


def test_without_scores_every_claim_is_told_apart_and_says_why():
    table = rows({})
    assert len(table) == len(ALL) == 407
    assert table["verdict"].str.fullmatch(r"(not comparable|not run): \S.*").all()
    context = table["table"] == "context"
    assert table.loc[context, "verdict"].str.startswith("not comparable").all()
    assert table.loc[~context, "verdict"].str.match("not run: (put|add|pretrain|run|score|obtain) ").all()
    assert "the file DEO_swin_b.pth" in table.loc[DERIVED.id, "verdict"]
    assert table.loc[DERIVED.id, "verdict"].endswith("obtain oscd: run `make data BENCHMARK=oscd`")
    at_hand = ledger(ALL, {}, "real", dict.fromkeys(BACKBONES, ""))
    assert at_hand["verdict"].str.fullmatch(r"(not comparable|not run): \S.*").all(), "weights alone answer nothing"


def test_the_released_weights_reproduce_what_lies_inside_their_interval_and_not_its_rival():
    table = rows({("oscd", "deo-swin-b", 1.0, AUTHORS): RELEASED})
    assert table.loc[DERIVED.id, "verdict"].startswith("reproduced: inside")
    assert table.loc[DOUBTFUL.id, "verdict"].startswith("not reproduced: outside")
    assert table.loc[DERIVED.id, "conflicts with"] == DOUBTFUL.id
    assert table.loc[DERIVED.id, ["ours", "difference", "95 % over test"]].tolist() == [
        "60.00",
        "-0.50",
        "59.50 to 61.50",
    ]
    assert headline(table).startswith("Of 407 claims 2 could be tested here. 1 was reproduced, and 1 was not. ")
    untested = headline(rows({}))
    assert untested.startswith("Of 407 claims none could be tested here. ") and " 0 " not in untested


def test_a_student_stands_beside_the_claim_and_tests_it_at_the_paper_scale_alone():
    found = {("oscd", "deo", 1.0, AUTHORS): STUDENT}
    assert rows(found).loc[DERIVED.id, "verdict"].startswith("not comparable: ours is a small student")
    assert rows(found).loc[DERIVED.id, "ours"] == "60.00"
    assert rows(found, PAPER).loc[DERIVED.id, "verdict"].startswith("reproduced")
    both = {**found, ("oscd", "deo-swin-b", 1.0, AUTHORS): replace(RELEASED, score=50.0, low=49.0, high=51.0)}
    assert rows(both).loc[DERIVED.id, "verdict"].startswith("not reproduced"), "the claim's own model comes first"


def test_a_score_by_brew_s_own_protocol_stands_beside_the_claim_and_decides_nothing():
    own = replace(RELEASED, protocol=COMMON)
    table = rows({("oscd", "deo-swin-b", 1.0, COMMON): own}, PAPER)
    told = "not comparable: ours is by the protocol common, the claim's by authors (any state)"
    assert table.loc[DERIVED.id, "verdict"] == told and table.loc[DERIVED.id, "ours"] == "60.00"
    later = replace(RELEASED, protocol="authors-b808714")
    both = {("oscd", "deo-swin-b", 1.0, each.protocol): each for each in (own, later)}
    assert rows(both).loc[DERIVED.id, "verdict"].startswith("reproduced"), "any state answers, whichever was scored"
    exact = [replace(DERIVED, protocol=AUTHORS)]
    assert rows(both, claims=exact).loc[DERIVED.id, "verdict"].startswith("not comparable: ours is by the protocol")


def test_a_verdict_names_difference_interval_and_protocol():
    told = rows({("oscd", "deo-swin-b", 1.0, AUTHORS): RELEASED}).loc[DOUBTFUL.id, "verdict"]
    assert told == (
        "not reproduced: outside our 95 % interval over test samples, 59.50 to 61.50 (bootstrap, seeds averaged); "
        "difference +0.80, protocol authors"
    )


def test_the_ablation_is_answered_by_arms_of_its_own_scale():
    (claim,) = (c for c in ALL if (c.table, c.ours.arm, c.dataset) == ("ablation", "ms-only", "MS avg"))
    ours = Ours("ms-only", claim.value, 1.0, claim.value - 1, claim.value + 1, "", "mean", AUTHORS)
    found = {(claim.group, "ms-only", 1.0, AUTHORS): ours}
    assert rows(found, ABLATED).loc[claim.id, "verdict"].startswith("reproduced")
    assert "a Swin-T pretrained on 50,000 images" in rows(found, PAPER).loc[claim.id, "verdict"]
    assert rows({("oscd", "deo", 1.0, AUTHORS): STUDENT}, ABLATED).loc[DERIVED.id, "verdict"].startswith("not compar")


def _reading(protocol: str, metric: str, reading: str, low: float, arm: str = "deo-swin-b") -> Score:
    return Score(
        "sen1floods11", "segmentation", arm, 0, 1.0, metric, "all", low + 0.01, low, low + 0.02, "sample", 9, "", "",
        "", "", 0, protocol, reading,
    )  # fmt: skip


def test_a_claim_says_which_readings_of_our_predictions_hold_it():
    (claim,) = (c for c in ALL if (c.model, c.dataset, c.value) == ("DEO Swin-B", "Sen1Floods11", 93.3))
    readings = [
        _reading(AUTHORS, "iou_micro", SET, 0.90),
        _reading("authors-c931665", "iou_macro_with_ignored", SET, 0.92),
        _reading(COMMON, "iou_micro", IMAGES, 0.925),
        _reading(AUTHORS, "f1_macro", SET, 0.92),
        _reading(AUTHORS, "iou_macro", SET, 0.92, arm="deo"),
    ]
    assert held_by(claim, readings) == [
        "authors-c931665 iou_macro_with_ignored set", "common iou_micro images",
    ]  # fmt: skip
    table = ledger([claim], {}, PAPER, {}, readings)
    assert table["readings that hold it"].tolist() == [", ".join(held_by(claim, readings))]
    assert "readings that hold it" not in ledger([claim], {}, PAPER, {})


def test_a_score_from_a_share_of_the_labels_answers_no_claim_of_all():
    table = rows({("oscd", "deo-swin-b", 0.1, AUTHORS): RELEASED})
    assert table.loc[DERIVED.id, "verdict"].startswith("not run")


def test_a_claim_of_another_protocol_or_of_corrected_numbers_is_never_comparable():
    moved = [replace(DERIVED, kind=CONTEXT), replace(DERIVED, status="superseded", id="x")]
    table = rows({("oscd", "deo-swin-b", 1.0, AUTHORS): RELEASED}, claims=moved)
    assert table["verdict"].str.startswith("not comparable: its ").all()
    assert (table["ours"] == "60.00").all()


@given(
    st.sampled_from(ALL), st.sampled_from(sorted(BACKBONES)), st.sampled_from(SYNTHETIC),
    st.floats(0, 100), st.floats(0, 100), st.floats(0, 100),
)  # fmt: skip
def test_no_number_of_the_miniature_reproduces_a_claim(claim, backbone, scale, score, low, high):
    ours = Ours(backbone, score, 1.0, min(low, claim.value), max(high, claim.value), "", "f1", AUTHORS)
    assert verdict(claim, ours, scale, "").startswith("not comparable: ")


@given(st.sampled_from(ALL), st.sampled_from(["real", PAPER]), st.floats(-10, 110), st.floats(-10, 110))
def test_reproduced_means_the_same_model_and_a_value_inside_the_interval(claim, scale, low, high):
    ours = Ours(claim.ours.backbone, 50.0, 1.0, low, high, "", "f1", AUTHORS)
    found = verdict(claim, ours, scale, "").split(":")[0]
    assert found in VERDICTS
    if found == "reproduced":
        assert low <= claim.value <= high and claim.status != "superseded" and claim.kind != CONTEXT
    if found == "not reproduced":
        assert not low <= claim.value <= high


def test_a_score_without_an_interval_decides_nothing():
    ours = replace(RELEASED, low=math.nan, high=math.nan)
    assert rows({("oscd", "deo-swin-b", 1.0, AUTHORS): ours}).loc[DERIVED.id, "verdict"].endswith("has no interval")


def test_conflicts_are_mutual_and_of_different_values():
    found, values = conflicts(ALL), {claim.id: claim.value for claim in ALL}
    assert all(name in found[other] for name, others in found.items() for other in others)
    assert all(values[name] != values[other] for name, others in found.items() for other in others)
    overall = {claim.value for claim in ALL if any(values[o] == 69.72 for o in found.get(claim.id, []))}
    assert overall == {72.87}, "the ablation's last row and the segmentation table disagree on DEO's overall average"


def test_the_names_of_claims_lead_to_entries_of_the_tables():
    assert {name for model in MODELS.values() for name in (model.backbone, model.arm) if name} <= {*BACKBONES, *ARMS}
    assert set(MODELS) <= {claim.model for claim in ALL}
    assert set(AVERAGES) <= {claim.dataset.split(" (")[0] for claim in ALL}
    assert set(DATASETS) <= {claim.dataset.split(" ")[0] for claim in ALL}
    assert {claim.our_metric for claim in ALL} - {None} <= set(METRICS)
    assert DERIVED.our_metric == BENCHMARKS["oscd"].metric
    declared = {name for name, entry in BENCHMARKS.items() if entry.protocol}
    assert declared | {"oscd"} <= set(paper_benchmarks()), "each of the paper's benchmarks is named in DATASETS"


def test_the_paper_is_quoted_with_doubt_where_only_notes_state_it():
    assert stated(ALL, "deo-swin-b", "oscd") == "60.5, 59.2?"
    assert stated(ALL, "deo-swin-b", AVERAGES["avg(LEVIR,OSCD)"]) == "75.9, 75.3?"
    assert stated(ALL, "deo-swin-b", AVERAGES["avg"]) == "69.22, 68.44?"
    assert stated(ALL, "croma", "oscd") == ""


def test_the_paper_stands_apart_from_other_projects():
    paper, context, counts = claim_tables(Scored({}, summarise([], {}), EVERY), "real")
    assert (len(paper.frame), len(context.frame)) == (96, 311)
    assert paper.caption.startswith("Of 96 claims ") and "311 numbers of other projects" in context.caption
    assert int(counts.frame[list(VERDICTS)].to_numpy().sum()) == 96
    assert Counter(claim.kind for claim in EVERY) == {STATEMENT: 8, NUMBER: 96, CONTEXT: 311}


def test_every_claim_is_counted_once():
    table = counted(ledger(ALL, {}, "real", {}))
    assert int(table[list(VERDICTS)].to_numpy().sum()) == len(ALL)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (",number,", ",figure,", f"kind 'figure'; expected one of {', '.join(KINDS)}"),
        ("derived", "certain", f"status 'certain'; expected one of {', '.join(STATUSES)}"),
        ("60.5", "about 60", "value 'about 60'; expected a number"),
        (DERIVED.id, DOUBTFUL.id, "stands 2 times"),
        ("authors (any state)", "ours", "protocol 'ours', reading 'set'; expected authors"),
        ("status", "how sure", "expected \\['id'"),
    ],
)
def test_a_bad_file_is_an_error_that_says_where(tmp_path, old, new, message):
    lines = CLAIMS.read_text().splitlines()
    kept = [lines[0], *(line for line in lines if line.startswith((DERIVED.id, DOUBTFUL.id)))]
    path = tmp_path / "claims.csv"
    path.write_text("\n".join(kept).replace(old, new, 1) + "\n")
    with pytest.raises(BrewError, match=message):
        read_claims(path)
