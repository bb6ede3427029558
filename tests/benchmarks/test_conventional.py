"""The conventional views, and that brew's are the same for the same parameters. Timings are not tested."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmarks import harness, views
from benchmarks.conventional import PerSampleViews, parameters_of
from benchmarks.report import KEYS
from brew.errors import BrewError
from brew.views import draw_view_parameters

SMALL = views.QUICK.settings


@pytest.mark.parametrize(
    "sizes", [replace(views.QUICK, batch=24), replace(views.PAPER, batch=3)], ids=["small", "paper"]
)
def test_views_equal_the_conventional_ones_for_the_same_parameters(sizes: views.Sizes) -> None:
    case = views.Case.draw(sizes)
    # In float64: torchvision's own weights of a resize are up to 2e-5 off in float32.
    expected = case.conventional(torch.float64)
    found = case.ours()
    assert [(view.name, view.is_global) for view in found] == [(view.name, view.is_global) for view in case.parameters]
    for view, bands in zip(found, expected["multispectral"], strict=True):
        torch.testing.assert_close(view.multispectral, bands.float(), atol=1e-5, rtol=0)
        torch.testing.assert_close(view.optical, bands[:, :3].float(), atol=1e-5, rtol=0)
    for view, display in zip(found, expected["display"], strict=False):
        torch.testing.assert_close(view.display, display.float(), atol=1e-5, rtol=0)


def test_the_case_has_every_change_and_its_absence() -> None:
    case = views.Case.draw(replace(views.QUICK, batch=24))
    drawn = [each for row in range(24) for each in parameters_of(case.parameters, row)]
    for change in ("jitter", "blur"):
        assert {getattr(each, change) is None for each in drawn} == {True, False}
    for change in ("flip", "grey", "solarise"):
        assert {getattr(each, change) for each in drawn} == {True, False}


@pytest.mark.parametrize("happens", [True, False])
def test_own_draws_follow_the_settings(happens: bool) -> None:
    probability = float(happens)
    settings = replace(
        SMALL, jitter_probability=probability, grey_probability=probability, blur_probability=(probability,) * 3,
        solarise_probability=probability,
    )  # fmt: skip
    image = torch.rand(10, 32, 32) * 5000
    made = PerSampleViews(settings)
    for index, view in enumerate(made.views):
        drawn = view.draw(image)
        assert (drawn.jitter is not None) == (drawn.blur is not None) == drawn.grey == happens
        assert drawn.solarise == (happens and index == 1)
        assert 0 <= drawn.crop["top"] <= 32 - drawn.crop["height"]
    shapes = {name: [tuple(each.shape) for each in each_view] for name, each_view in made(image).items()}
    assert shapes == {
        "multispectral": [(10, 24, 24)] * 2 + [(10, 12, 12)] * 2,
        "display": [(3, 24, 24)] * 2,
    }


def test_views_without_colour_are_refused() -> None:
    plain = replace(SMALL, optical_augmentation=False)
    parameters = draw_view_parameters(torch.arange(1), (32, 32), seed=0, epoch=0, settings=plain)
    with pytest.raises(BrewError, match="global0 has no colour parameters"):
        parameters_of(parameters, 0)


def test_the_script_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness, "QUICK_RESULTS", tmp_path)
    before = torch.get_num_threads()
    views.main(["--quick", "--rounds", "1"])
    (record,) = json.loads((tmp_path / "views.json").read_text())
    assert set(record) == set(KEYS) and record["settings"]["threads"] == 1
    assert torch.get_num_threads() == before
