"""Gains keep their two doubts apart: decoder seeds of one model never pass for seeds of pretraining."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_rel

from brew.compendium.report.columns import NOT_RUN
from brew.compendium.report.gains import difference, family, gain, over_seeds, paired_runs
from brew.compendium.report.scored import Scored, means
from brew.compendium.report.seeds import by_seed
from brew.compendium.report.style import label
from brew.compendium.report.summary import summarise
from brew.compendium.report.tables.difference_tables import difference_table, exact_p
from brew.evaluation.metrics import f1_binary
from brew.evaluation.scores import Score
from brew.evaluation.statistics import exact_swap_test

VALUES = st.floats(0, 1)


def rows(arm: str, values: dict[int, float | list[float]], benchmark: str = "roofs", label_fraction: float = 1.0):
    """values: seed of pretraining -> the score of its decoder, or of each of several."""
    return [
        Score(benchmark, "segmentation", arm, seed, label_fraction, "iou_macro", "all", value, 0.0, 1.0, "sample", 8,
              "s", f"{arm}-{seed}", "d", "e", decoder)
        for seed, found in values.items()
        for decoder, value in enumerate(found if isinstance(found, list) else [found])
    ]  # fmt: skip


def scored(*parts) -> Scored:
    """With replicates that lie up to a point on either side of each run's score."""
    flat = [row for part in parts for row in part]
    runs = {}
    for row in flat:
        seeds = runs.setdefault((row.benchmark, row.label_fraction), {}).setdefault(row.arm, {})
        decoders = seeds.setdefault(row.seed, {})
        decoders[row.decoder] = 100 * row.value + np.array([0, *np.linspace(-1, 1, 41)])
    return Scored(runs, summarise(flat, {key: means(arms) for key, arms in runs.items()}))


@given(st.lists(st.tuples(VALUES, VALUES), min_size=2, max_size=6))
def test_the_interval_over_seeds_is_that_of_the_paired_t_test(pairs):
    ours, theirs = np.array(pairs).T
    found = over_seeds(ours - theirs)
    mean = (ours - theirs).mean()
    assert found.seeds == len(pairs)
    if np.std(ours - theirs) > 1e-9:
        expected = ttest_rel(ours, theirs).confidence_interval(0.95)
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
        assert found.p == pytest.approx(ttest_rel(ours, theirs).pvalue)
        assert found.detectable > mean - found.low, "what is just significant is missed half of the time"
    else:
        assert found.high - found.low < 1e-6


def test_only_seeds_that_both_share_are_paired():
    here = scored(rows("deo", {0: 0.5, 1: 0.7, 3: 0.9}), rows("ms-only", {0: 0.4, 1: 0.5, 2: 0.1}))
    found = gain(here, ["roofs"], "deo", "ms-only")
    assert (found.over_seeds.seeds, found.points) == (2, pytest.approx(15))


def test_an_arm_of_one_seed_is_held_against_the_same_seed():
    here = scored(rows("masked", {0: 0.5}), rows("ms-only", {0: 0.49, 1: 0.1, 2: 0.1}))
    assert gain(here, ["roofs"], "masked", "ms-only").points == pytest.approx(1), "not against the mean of all three"
    assert gain(scored(rows("masked", {0: 0.5}), rows("ms-only", {1: 0.1})), ["roofs"], "masked", "ms-only") is None


def test_decoders_on_one_model_are_one_pretraining():
    here = scored(rows("deo", {0: [0.5, 0.6, 0.7]}), rows("ms-only", {0: 0.4, 1: 0.4, 2: 0.4}))
    assert {seed: replicates[0] for seed, replicates in by_seed(here, ["roofs"], "deo").items()} == {
        0: pytest.approx(60)
    }
    found = gain(here, ["roofs"], "deo", "ms-only")
    assert found.exploratory and math.isnan(found.over_seeds.low) and found.over_seeds.seeds == 1


def test_a_group_is_averaged_within_each_seed():
    here = scored(
        rows("deo", {0: 0.5, 1: 0.7}), rows("deo", {0: 0.1, 1: 0.2, 2: 0.9}, "new-sites-rgb"),
        rows("ms-only", {0: 0.5, 1: 0.7}),
    )  # fmt: skip
    found = by_seed(here, ["roofs", "new-sites-rgb"], "deo")
    assert {seed: replicates[0] for seed, replicates in found.items()} == {0: pytest.approx(30), 1: pytest.approx(45)}
    assert gain(here, ["roofs", "new-sites-rgb"], "deo", "ms-only") is None, "the reference lacks one of them"
    assert gain(here, [], "deo", "ms-only") is None and by_seed(here, [], "deo") == {}


def test_every_backbone_less_a_reference_over_the_seeds_that_both_have():
    here = scored(
        rows("random", {0: 0.40}), rows("deo", {0: 0.50, 1: 0.90}), rows("random", {0: 0.35, 1: 0.25}, "oscd"),
        rows("cva", {0: 0.45}, "oscd"),
    )  # fmt: skip
    assert difference_table(here, "random", ["roofs", "oscd", "crops"]).to_dict("records") == [
        {
            "backbone": "DEO (both teachers)",
            "less": "random trunk",
            "roofs": "**+10.0 [+10.0, +10.0]**, Holm p < .001",
            "oscd": NOT_RUN,
        },
        {
            "backbone": "change vector analysis",
            "less": "random trunk",
            "roofs": "-",
            "oscd": "**+15.0 [+15.0, +15.0]**, Holm p < .001",
        },
    ]


def test_paired_runs_are_those_that_a_difference_is_over():
    here = scored(
        rows("imagenet", {0: [0.5, 0.6, 0.9]}, "oscd"), rows("cva", {0: 0.45}, "oscd"),
        rows("deo", {0: 0.7, 1: 0.8, 5: 0.1}, "oscd"), rows("ms-only", {0: 0.4, 1: 0.3, 2: 0.2}, "oscd"),
    )  # fmt: skip
    expected = {
        "imagenet": {((0, decoder), (0, 0)): 1 / 3 for decoder in range(3)},
        "deo": {((seed, 0), (seed, 0)): 1 / 2 for seed in range(2)},
        "cva": {((0, 0), (seed, 0)): 1 / 3 for seed in range(3)},
    }
    for backbone, pairs in expected.items():
        assert paired_runs(here, "oscd", backbone, "ms-only") == pytest.approx(pairs)
        runs = here.runs["oscd", 1.0]
        mean = sum(
            weight * (runs[backbone][one[0]][one[1]] - runs["ms-only"][other[0]][other[1]])
            for (one, other), weight in pairs.items()
        )
        assert difference(here, "oscd", backbone, "ms-only") == pytest.approx(mean)
    assert paired_runs(here, "oscd", "masked", "ms-only") == {}


def test_the_exact_p_is_of_the_mean_over_paired_runs():
    generator = np.random.default_rng(0)
    ours, theirs = (
        {(seed, 0): generator.integers(1, 50, (8, 2, 2)) + np.array([[0, 0], [0, more]]) for seed in (0, 1)}
        for more in (30, 0)
    )
    pairs = {((seed, 0), (seed, 0)): 0.5 for seed in (0, 1)}
    one = exact_p("oscd", ours, theirs, {((0, 0), (0, 0)): 1.0})
    assert one == exact_swap_test(ours[0, 0], theirs[0, 0], f1_binary)
    both = exact_p("oscd", ours, theirs, pairs)

    def mean(swapped):
        parts = [
            (np.where(swapped, theirs[seed], ours[seed]), np.where(swapped, ours[seed], theirs[seed])) for seed in ours
        ]
        return sum(f1_binary(one.sum(0)) - f1_binary(other.sum(0)) for one, other in parts) / 2

    every = np.array([abs(mean(np.array(swapped)[:, None, None])) for swapped in product((0, 1), repeat=8)])
    assert both == pytest.approx((every >= every[0] - 1e-12).mean())
    assert exact_p("oscd", ours, ours, pairs) == 1


def test_differences_within_their_interval_are_not_bold():
    here = scored(rows("ms-only", {0: 0.300}), rows("deo", {0: 0.301}))
    deo = here.runs["roofs", 1.0]["deo"][0]
    deo[0] = np.concatenate([deo[0][:1], deo[0][:0:-1]])  # where one is high, the other is low
    assert difference_table(here, "ms-only", ["roofs"])["roofs"].tolist() == ["+0.1 [-1.8, +2.0], Holm p .933"]


def test_a_gain_says_whose_it_is_and_from_how_many_labels():
    here = scored(
        rows("deo", {0: 0.5, 1: 0.7}), rows("ms-only", {0: 0.4, 1: 0.5}),
        rows("deo", {0: 0.5, 1: 0.6}, label_fraction=0.1), rows("ms-only", {0: 0.2, 1: 0.3}, label_fraction=0.1),
    )  # fmt: skip
    full, tenth = (gain(here, ["roofs"], "deo", "ms-only", fraction) for fraction in (1.0, 0.1))
    assert (full.arm, full.reference, full.points) == ("deo", "ms-only", pytest.approx(15))
    assert tenth.points == pytest.approx(30)
    assert (full.over_seeds.low + full.over_seeds.high) / 2 == pytest.approx(15), "of the scores, not of a replicate"


def test_one_seed_has_no_interval():
    found = over_seeds(np.array([3.0]))
    assert np.isnan([found.low, found.high, found.detectable]).all() and found.seeds == 1


def test_what_is_absent_says_why():
    here = scored(
        rows("ms-only", {0: 0.4, 1: 0.5}), rows("deo", {2: 0.5}),
        rows("ms-only", {0: 0.4}, "oscd"), rows("cva", {0: 0.45}, "oscd"), rows("dinov3-l", {0: 0.3}, "oscd"),
    )  # fmt: skip
    table = difference_table(here, "ms-only", ["roofs", "oscd"]).set_index("backbone")
    assert table.loc[label("deo"), "roofs"] == NOT_RUN, "no seed that both have"
    assert table.loc[label("deo"), "oscd"] == NOT_RUN
    assert table.loc[label("cva"), "roofs"] == "-", "it has no meaning in segmentation"


def test_a_reference_s_difference_is_of_its_score():
    here = scored(rows("ms-only", {0: 0.3}, "oscd"), rows("cva", {0: 0.4}, "oscd"))
    here.runs["oscd", 1.0]["cva"][0][0][1:] += 5
    (row,) = difference_table(here, "ms-only", ["oscd"])["oscd"]
    assert row.startswith("**+10.0 [+15.0")


def test_a_group_s_gain_names_its_parts_from_the_same_labels():
    parts = [
        rows(arm, {0: value, 1: value + 0.1}, name, share)
        for share, gained in ((1.0, 0.1), (0.1, 0.2))
        for name, extra in (("roofs", 0.0), ("crops", 0.1))
        for arm, value in (("ms-only", 0.3), ("deo", 0.3 + gained + extra))
    ]
    found = gain(scored(*parts), ["roofs", "crops"], "deo", "ms-only", 0.1)
    assert found.points == pytest.approx(25)
    assert dict(found.parts) == {"roofs": pytest.approx(20), "crops": pytest.approx(30)}
    assert gain(scored(*parts), ["roofs"], "deo", "ms-only", 0.1).parts == ()


def test_a_gain_and_its_parts_are_of_the_scores_wherever_the_replicates_lie():
    values = {"roofs": (0.5, 0.6), "crops": (0.3, 0.5)}
    here = scored(
        *(rows("deo", dict(enumerate(of)), name) for name, of in values.items()),
        *(rows("ms-only", {0: 0.2, 1: 0.2}, name) for name in values),
    )
    for name, moved in (("roofs", 7), ("crops", -4)):
        for decoders in here.runs[name, 1.0]["deo"].values():
            decoders[0][1:] += moved
    found = gain(here, [*values], "deo", "ms-only")
    assert found.points == pytest.approx(27.5)
    assert dict(found.parts) == {"roofs": pytest.approx(35), "crops": pytest.approx(20)}
    assert (found.over_seeds.low + found.over_seeds.high) / 2 == pytest.approx(27.5)
    assert (found.low + found.high) / 2 == pytest.approx(27.5 + (7 - 4) / 2)


def test_each_doubt_of_a_family_is_corrected_by_itself():
    here = scored(
        rows("deo", {0: 0.5, 1: 0.52, 2: 0.53}), rows("masked", {0: 0.41, 1: 0.4, 2: 0.42}),
        rows("ms-only", {0: 0.4, 1: 0.41, 2: 0.4}),
    )  # fmt: skip
    gains = [gain(here, ["roofs"], arm, "ms-only") for arm in ("deo", "masked")]
    corrected = family([*gains, None])
    large, small = gains
    assert corrected.test == {large: pytest.approx(2 * large.p), small: pytest.approx(small.p)}
    assert corrected.seeds == {large: pytest.approx(2 * large.over_seeds.p), small: pytest.approx(small.over_seeds.p)}
