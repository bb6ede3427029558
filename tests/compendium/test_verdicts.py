"""Four tiers: an honest rerun on another processor passes, and each sabotage fails at the tier where it should.

The results are made up, but shaped as those of a scale: arms with seeds, noise that a student's scores share.
"""

import csv
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from brew.compendium import certificate, noise
from brew.compendium.settings import load
from brew.compendium.stages.list_beginnings import views_digest
from brew.compendium.verdicts import Results, judge, sentences_of
from brew.errors import BrewError

ARMS, BENCHMARKS = ("random", "ms-only", "deo", "cva"), ("crops", "roofs", "scenes")
IDENTITIES = [
    (benchmark, "classification" if benchmark == "scenes" else "segmentation", arm, seed, 0, share, "iou_macro", "all")
    for benchmark, arm, seed, share in product(BENCHMARKS, ARMS, (0, 1, 2), (1.0, 0.1))
]
_VIEWS = load("tiny").pretraining.views


def score(identity, random) -> float:
    """Rounding carries what is trained by about a point; `cva` is not trained."""
    base = 0.4 + 0.05 * ARMS.index(identity[2]) + 0.1 * BENCHMARKS.index(identity[0])
    return base if identity[2] == "cva" else base + 0.01 * random.normal()


def run(number: int, **changes) -> Results:
    """A run of one machine. number: of its rounding."""
    random = np.random.default_rng(number)
    points = 5.0 + 0.3 * random.normal()
    rows = [{"arm": "deo", "less": "ms-only", "optical": f"**{points:+.1f} [{points - 2:+.1f}, {points + 2:+.1f}]**"},
            {"arm": "masked", "less": "ms-only", "optical": f"{points - 5:+.1f} [-2.0, +2.0]"}]  # fmt: skip
    honest = Results(
        hashes={"store miniature": "5e" * 32, "views deo": views_digest(_VIEWS, seed=0)},
        similarities={f"deo, step {step}, loss": -3.0 - step + 1e-6 * random.normal() for step in range(3)},
        scores={identity: score(identity, random) for identity in IDENTITIES},
        units={identity: 96 for identity in IDENTITIES if identity[1] == "classification"},
        tables={"gains": rows},
        sentences=[f"DEO less MS: {points:+.1f} [{points - 2:+.1f}, {points + 2:+.1f}] points."],
    )
    return replace(honest, **changes)


COMMITTED, HONEST = run(0), run(1)
RERUNS = noise.collect_values([run(number).scores for number in range(10, 15)])


def failing(regenerated: Results) -> list[str]:
    return [verdict.tier for verdict in judge(COMMITTED, regenerated, RERUNS) if not verdict.holds]


@pytest.mark.parametrize("number", range(1, 13))
def test_an_honest_rerun_on_another_processor_passes(number):
    assert failing(run(number)) == []


def test_a_changed_seed_fails_at_the_bytes():
    changed = run(1, hashes=HONEST.hashes | {"views deo": views_digest(_VIEWS, seed=1)})
    assert failing(changed) == ["bytes"]


def test_a_swapped_band_fails_at_the_first_steps():
    changed = run(1, similarities={name: value + 1e-3 for name, value in HONEST.similarities.items()})
    assert failing(changed) == ["first steps"]


def test_a_wrong_label_fails_at_the_scores_alone_and_is_named():
    wrong = ("roofs", "segmentation", "deo", 1, 0, 1.0, "iou_macro", "all")
    changed = run(1, scores=HONEST.scores | {wrong: HONEST.scores[wrong] - 0.2})
    assert failing(changed) == ["scores"]
    (verdict,) = [each for each in judge(COMMITTED, changed, RERUNS) if not each.holds]
    assert "roofs segmentation deo 1 0 1.0 iou_macro all" in [finding.name for finding in verdict.findings]


def test_a_shortened_training_fails_at_the_scores_by_their_number():
    """Each score loses less than a single one would be named for; together they are too many."""
    less = {name: value - 0.045 * (name[2] in ("ms-only", "deo")) for name, value in HONEST.scores.items()}
    changed = run(1, scores=less)
    assert failing(changed) == ["scores"]
    (verdict,) = [each for each in judge(COMMITTED, changed, RERUNS) if not each.holds]
    assert "0 of them beyond any chance" in verdict.rule


def test_a_score_without_training_may_not_move():
    untrained = ("crops", "segmentation", "cva", 0, 0, 1.0, "iou_macro", "all")
    assert failing(run(1, scores=HONEST.scores | {untrained: HONEST.scores[untrained] + 0.04})) == ["scores"]


def test_a_score_of_one_side_or_without_noise_fails():
    extra = ("crops", "segmentation", "new", 0, 0, 1.0, "iou_macro", "all")
    assert failing(run(1, scores={name: HONEST.scores[name] for name in IDENTITIES[1:]})) == ["scores"]
    assert failing(run(1, scores=HONEST.scores | {extra: 0.5})) == ["scores"]


@pytest.mark.parametrize(
    "cell", ["**-5.1 [-7.0, -3.2]**", "not run"], ids=["the sign of a difference turns", "a difference is gone"]
)
def test_a_conclusion_that_turns_fails(cell):
    rows = [HONEST.tables["gains"][0] | {"optical": cell}, HONEST.tables["gains"][1]]
    assert failing(run(1, tables={"gains": rows})) == ["conclusions"]


def test_a_difference_that_no_interval_tells_apart_may_turn():
    rows = [HONEST.tables["gains"][0], HONEST.tables["gains"][1] | {"optical": "-0.4 [-2.0, +2.0]"}]
    assert failing(run(1, tables={"gains": rows})) == []


@pytest.mark.parametrize("sentences", [[], ["MS less DEO: +5.0 [+3.0, +7.0] points."]])
def test_a_sentence_with_other_words_fails(sentences):
    assert failing(run(1, sentences=sentences)) == ["conclusions"]


def test_nothing_to_compare_is_no_agreement():
    empty = Results({}, {}, {})
    assert not any(verdict.holds for verdict in judge(empty, empty, RERUNS))


def test_the_noise_table_is_read_as_written_with_keys_and_deviation_first(tmp_path: Path):
    file = tmp_path / "noise.csv"
    noise.write(file, RERUNS)
    assert noise.read(file).keys() == RERUNS.keys()
    with file.open(newline="") as stream:
        first = next(csv.DictReader(stream))
    assert list(first)[:9] == [*noise.KEYS, "numerical_deviation"] and list(first)[-1] == "rerun_5"
    values = next(iter(RERUNS.values()))
    assert float(first["numerical_deviation"]) == pytest.approx(np.std(values, ddof=1), rel=1e-6)


def test_a_table_of_too_few_reruns_is_refused(tmp_path: Path):
    noise.write(tmp_path / "noise.csv", {name: values[:3] for name, values in RERUNS.items()})
    with pytest.raises(BrewError, match="measure it again"):
        noise.read(tmp_path / "noise.csv")


def test_reruns_of_other_scores_are_refused():
    with pytest.raises(BrewError, match="was not scored in every rerun"):
        noise.collect_values([HONEST.scores, {name: 0.0 for name in IDENTITIES[1:]}])


def test_the_head_of_a_page_is_read_as_sentences():
    page = '<h1>t</h1>\n<p class="answer">DEO&#39;s gain: +1.0 [+0.5, +1.5].</p>\n<p>below</p>'
    assert sentences_of(page) == ["DEO's gain: +1.0 [+0.5, +1.5]."]


def test_the_certificate_says_what_differed_on_which_machine_and_no_name_of_it(tmp_path: Path):
    wrong = ("roofs", "segmentation", "deo", 1, 0, 1.0, "iou_macro", "all")
    verdicts = judge(COMMITTED, run(1, scores=HONEST.scores | {wrong: 0.1}), RERUNS)
    content = certificate.certificate("tiny", "native", verdicts)
    page = certificate.write(tmp_path, content).read_text()
    assert not content["verified"] and [tier["holds"] for tier in content["tiers"]] == [True, True, False, True]
    assert {"commit", "environment", "versions", "machine"} <= set(content) and "torch" in content["versions"]
    assert "roofs segmentation deo 1" in page and "not verified" in page and "src=" not in page and "href=" not in page
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("vendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC\n\nvendor_id\t: AuthenticAMD\n")
    assert certificate.machine(cpuinfo)["processor"] == "vendor_id AuthenticAMD, model name AMD EPYC"
