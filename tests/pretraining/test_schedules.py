import itertools

import pytest

from brew.pretraining.schedules import cosine, warmup_cosine


def test_cosine_starts_and_ends_where_it_says():
    assert cosine(0.996, 1.0, 0, 100) == pytest.approx(0.996)
    assert cosine(0.996, 1.0, 99, 100) == pytest.approx(1.0)
    assert cosine(0.04, 0.4, 50, 101) == pytest.approx(0.22)  # half way: the mean


def test_warmup_is_linear_and_meets_the_cosine():
    rates = [warmup_cosine(1.0, 0.1, step, 110, 10) for step in range(110)]
    assert rates[:3] == pytest.approx([0.0, 0.1, 0.2])
    assert rates[10] == pytest.approx(1.0)
    assert rates[-1] == pytest.approx(0.1)
    assert all(a >= b for a, b in itertools.pairwise(rates[10:]))


def test_a_schedule_of_two_steps_starts_and_ends_and_a_later_step_stays_there():
    assert [cosine(1.0, 0.0, step, 2) for step in range(2)] == pytest.approx([1.0, 0.0])
    assert cosine(1.0, 0.0, 5, 4) == pytest.approx(0.0), "the cosine does not rise again"
    assert cosine(1.0, 0.0, 0, 1) == pytest.approx(1.0)


def test_a_schedule_without_warmup_starts_at_its_peak():
    assert warmup_cosine(1.0, 0.1, 0, 10, 0) == pytest.approx(1.0)
