"""Numbers as tables write them."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brew.compendium.report.formatting import (
    bold,
    brackets,
    corrected,
    established,
    leaves_out_zero,
    listed,
    number,
    plural,
    signed,
    told_apart,
)

points = st.floats(-100, 100)


@pytest.mark.parametrize(
    ("low", "high", "bold"),
    [(0.06, 3.0, True), (0.04, 3.0, False), (-3.0, -0.06, True), (-3.0, -0.04, False), (-1.0, 1.0, False)],
)
def test_bold_is_what_leaves_out_0_as_printed(low, high, bold):
    assert leaves_out_zero(low, high) == bold
    assert told_apart(1.0, low, high).startswith("**") == bold


def test_bold_is_judged_at_the_digits_that_are_printed():
    assert told_apart(0.03, 0.02, 0.04, digits=2) == "**+0.03 [+0.02, +0.04]**"
    assert told_apart(0.03, 0.02, 0.04) == "+0.0 [+0.0, +0.0]"


@given(points, points, points, st.integers(0, 3))
def test_no_difference_is_written_as_minus_0(value, low, high, digits):
    assert not re.search(rf"-{0.0:.{digits}f}\b", signed(value, low, high, digits))


def test_a_missing_interval_is_never_bold():
    assert told_apart(5.0, math.nan, math.nan) == "+5.0 [+nan, +nan]"


def test_a_single_seed_has_no_deviation():
    assert number(71.25, math.nan, 70.0, 72.5) == "71.2 [70.0, 72.5]"
    assert number(71.25, 0.5, 70.0, 72.5) == "71.2 +/- 0.5 [70.0, 72.5]"


def test_nouns_agree_with_their_number():
    assert [plural(count, "seed") for count in (0, 1, 3)] == ["0 seeds", "1 seed", "3 seeds"]
    assert [listed(names) for names in (["a"], ["a", "b"], ["a", "b", "c"])] == ["a", "a and b", "a, b and c"]


def test_differences_have_one_digit_unless_more_are_asked_for():
    assert signed(1.25, -0.04, 2.0) == "+1.2 [+0.0, +2.0]"
    assert signed(1.25, -0.04, 2.0, digits=2) == "+1.25 [-0.04, +2.00]"
    assert brackets(-1.26, 2.0) == "[-1.3, +2.0]"


def test_text_is_bold_unless_it_is_told_otherwise():
    assert (bold("1"), bold("1", when=False)) == ("**1**", "1")


@pytest.mark.parametrize(
    ("low", "high", "p", "digits", "holds"),
    [(0.2, 3.0, 0.01, 1, True), (0.2, 3.0, 0.05, 1, False), (-0.2, 3.0, 0.01, 1, False), (0.04, 3.0, 0.01, 1, False),
     (0.04, 3.0, 0.01, 2, True), (0.2, 3.0, math.nan, 1, False)],
)  # fmt: skip
def test_a_finding_has_an_interval_and_a_corrected_p(low, high, p, digits, holds):
    assert established(low, high, p, digits) is holds


@pytest.mark.parametrize(
    ("p", "words"),
    [(math.nan, ""), (0.0009, ", Holm p < .001"), (0.001, ", Holm p .001"), (0.04, ", Holm p .040"),
     (1.0, ", Holm p 1.000")],
)  # fmt: skip
def test_a_corrected_p_stands_after_its_interval(p, words):
    assert corrected(p) == words
