"""A statement of the paper has the verdict that its comparisons give, and none before all of them were made."""

from dataclasses import replace

import pandas as pd
import pytest

from brew.compendium.report.claims import STATEMENT, read_claims
from brew.compendium.report.paper_statements import (
    CONTRADICTED,
    NOT_SUPPORTED,
    NOT_TESTED,
    SUPPORTED,
    TESTS,
    statement_rows,
)
from brew.compendium.report.rounding import DEVIATION, Noise, noise_of
from tests.compendium.report.test_gains import rows, scored

CLAIMS = read_claims()
NONE = pd.DataFrame(columns=["teacher", "token", "stride", "arm", "less", "measure"])


def verdicts(*parts, similarities=NONE, noise=None) -> dict[str, str]:
    here = replace(scored(*parts), claims=CLAIMS, noise=noise or Noise())
    table = statement_rows(here, similarities)
    assert (table.groupby("id")["verdict"].nunique() == 1).all()
    return table.groupby("id")["verdict"].first().to_dict()


def arm(name: str, optical: float, multispectral: float, seeds: int = 3) -> list:
    """Scores on a benchmark of each kind, almost the same for each seed."""
    both = {"roofs": optical, "crops": multispectral}
    return [
        row
        for benchmark, value in both.items()
        for row in rows(name, {seed: value + 0.001 * seed * (len(name) % 3) for seed in range(seeds)}, benchmark)
    ]


def test_every_statement_has_a_test():
    assert {claim.id for claim in CLAIMS if claim.kind == STATEMENT} == set(TESTS)
    assert all(claim.words.endswith(".") for claim in CLAIMS if claim.kind == STATEMENT)


@pytest.mark.parametrize(
    ("optical", "multispectral", "expected"),
    [(0.6, 0.6, SUPPORTED), (0.6, 0.501, NOT_SUPPORTED), (0.6, 0.4, CONTRADICTED)],
)
def test_both_kinds_of_tasks_have_to_gain(optical, multispectral, expected):
    found = verdicts(arm("deo", optical, multispectral), arm("ms-only", 0.5, 0.5))
    assert found["statement-001"] == expected


def test_one_seed_decides_nothing():
    found = verdicts(arm("deo", 0.6, 0.6, seeds=1), arm("ms-only", 0.5, 0.5))
    assert found["statement-001"].startswith(f"{NOT_TESTED}: DEO (both teachers) less ")
    assert found["statement-001"].endswith("has one seed of pretraining")
    assert found["statement-002"].endswith("was not run")


def test_released_weights_need_no_seeds():
    tasks = ("pastis", "oscd")
    found = verdicts(*(rows(name, {0: value}, task) for name, value in (("deo-swin-b", 0.6), ("deo-vit-b", 0.5))
                       for task in tasks))  # fmt: skip
    assert found["statement-005"] == SUPPORTED


def test_what_rounding_could_give_supports_nothing():
    table = pd.DataFrame([
        {"benchmark": name, "label_fraction": 1.0, "arm": arm, "seed": seed, DEVIATION: 0.2}
        for name in ("roofs", "crops") for arm in ("deo", "ms-only") for seed in range(3)
    ])  # fmt: skip
    runs = arm("deo", 0.6, 0.6), arm("ms-only", 0.5, 0.5)
    assert verdicts(*runs, noise=noise_of(table))["statement-001"] == NOT_SUPPORTED
    assert verdicts(*runs, noise=noise_of(table.assign(**{DEVIATION: 0.01})))["statement-001"] == SUPPORTED
    assert noise_of(table).least(["roofs"], 1.0, ("deo", "ms-only"), [0]) == pytest.approx(1.96 * 20 * 2**0.5)
    assert noise_of(None).least(["roofs"], 1.0, ("deo", "ms-only"), [0]) == 0


def closeness(**changes) -> dict:
    row = {"teacher": "self-distilled", "token": "late", "stride": 32, "measure": "cka", "arm": "deo-self-distilled",
           "less": "masked-self-distilled", "difference": 0.3, "low": 0.2, "high": 0.4, "p": 0.001, "seeds": 3,
           "low over seeds": 0.1, "high over seeds": 0.5, "p over seeds": 0.01}  # fmt: skip
    return row | changes


def test_alignment_is_judged_by_the_primary_measure_and_by_contrastive_teachers():
    other = closeness(measure="cosine", difference=-0.3, **{"low over seeds": -0.4, "high over seeds": -0.2})
    labels = other | {"measure": "cka", "teacher": "imagenet"}
    found = verdicts(arm("deo", 0.5, 0.5), similarities=pd.DataFrame([closeness(), other, labels]))
    assert found["statement-003"] == SUPPORTED
    alone = pd.DataFrame([labels])
    assert verdicts(arm("deo", 0.5, 0.5), similarities=alone)["statement-003"].endswith("was not run")
    single = pd.DataFrame([closeness(seeds=1)])
    assert verdicts(arm("deo", 0.5, 0.5), similarities=single)["statement-003"].startswith(NOT_TESTED)
