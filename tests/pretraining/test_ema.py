import pytest
import torch
from torch import nn

from brew.errors import BrewError
from brew.pretraining.ema import moving_average_of, update_moving_average


def test_every_parameter_moves_by_the_momentum():
    student = nn.Linear(3, 2)
    teacher = moving_average_of(student)
    before = teacher.weight.clone()
    with torch.no_grad():
        student.weight.add_(1.0)
    update_moving_average(teacher, student, momentum=0.9)
    torch.testing.assert_close(teacher.weight, before + 0.1)
    assert not teacher.weight.requires_grad and not teacher.training


def test_momentum_one_leaves_the_teacher_alone():
    student, teacher = nn.Linear(3, 2), moving_average_of(nn.Linear(3, 2))
    before = teacher.weight.clone()
    update_moving_average(teacher, student, momentum=1.0)
    assert torch.equal(teacher.weight, before)


def test_parameters_are_paired_by_name_and_a_stranger_is_named():
    student, teacher = (
        nn.Sequential(nn.Linear(2, 2)),
        moving_average_of(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))),
    )
    with pytest.raises(BrewError, match=r"1\.bias"):
        update_moving_average(teacher, student, momentum=0.9)
