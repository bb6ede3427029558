"""The figures of pretraining and of the optical teachers."""

import numpy as np
import pandas as pd
import pytest
import torch

from brew.compendium.report.figures.note import note
from brew.compendium.report.figures.teacher_features import principal_colours, teacher_features
from brew.compendium.report.figures.training_curves import training_curves
from brew.models.teachers import TeacherFeatures


def test_every_similarity_has_a_panel_and_other_columns_have_none() -> None:
    history = pd.DataFrame({
        "step": range(100), "a/compression": np.linspace(0, 1, 100), "a/expansion": np.zeros(100), "loss": np.ones(100),
        "effective rank of a": np.ones(100), "collapsed heads": np.zeros(100),
    })  # fmt: skip
    figure = training_curves(history, "deo")
    assert [axis.get_title() for axis in figure.axes] == ["a/compression", "a/expansion"]
    raw, smooth = figure.axes[0].lines
    assert raw.get_ydata()[-1] == 1.0
    assert smooth.get_ydata()[-1] == pytest.approx((history["a/compression"][98] + 1.0) / 2)  # over 2 % of the steps


def test_colours_part_what_the_features_part() -> None:
    maps = torch.randn(2, 6, 4, 4, generator=torch.Generator().manual_seed(0)) * 0.01
    maps[:, 0, :2] += 5.0
    colours = principal_colours(maps)
    assert colours.shape == (2, 4, 4, 3) and colours.min() >= 0 and colours.max() <= 1
    assert abs(colours[:, :2, :, 0].mean() - colours[:, 2:, :, 0].mean()) > 0.9


def test_a_teacher_has_two_rows_below_the_images() -> None:
    maps = torch.rand(3, 6, 4, 4, generator=torch.Generator().manual_seed(0))
    figure = teacher_features(torch.rand(3, 3, 8, 8), {"miniature": TeacherFeatures(torch.rand(3, 6), maps, maps)})
    assert len(figure.axes) == 9
    labels = [axis.get_ylabel() for axis in figure.axes[::3]]
    assert labels == ["image", "miniature:\nmiddle patches", "miniature:\nlate patches"]


def test_a_note_stands_in_a_figure_s_place() -> None:
    assert note("teacher absent").axes[0].texts[0].get_text() == "teacher absent"
