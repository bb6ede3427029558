"""A teacher whose network is not as its entry declares is told before any arm learns from it."""

from dataclasses import replace

import pytest

from brew.compendium.stages.prepare_teachers import check_widths
from brew.errors import BrewError
from brew.models.teachers import TEACHERS


def test_a_teacher_of_another_width_is_refused():
    check_widths(TEACHERS["random"].build())
    with pytest.raises(BrewError, match=r"gives \(128, 128, 128\) channels .* expected \(128, 64, 128\)"):
        check_widths(replace(TEACHERS["random"], late_width=64).build())
