"""The notebook for images of one's own, run on a rendered scene."""

from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import pytest

from brew import files
from brew.compendium import your_images
from brew.errors import BrewError
from brew.files import ROOT
from brew.models.student import build_student, save_student


@pytest.mark.filterwarnings("ignore:.*is no longer a GDAL-supported|.*The least populated class:UserWarning")
def test_the_notebook_runs_on_a_rendered_scene(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plt.close("all")
    save_student(tmp_path / "student.pt", build_student("swin-nano", seed=0))
    notebook = nbformat.read(ROOT / "notebooks" / "explore" / "your_images.ipynb", as_version=4)
    names: dict[str, object] = {}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            exec(compile(cell.source, "your_images.ipynb", "exec"), names)
            if "parameters" in cell.metadata.get("tags", ()):
                names |= {"student": tmp_path / "student.pt", "size": 96}
    assert len(plt.get_fignums()) == 5
    axes = [plt.figure(number).axes for number in plt.get_fignums()]
    assert [each[0].get_xlabel() for each in axes] == ["x (m)"] * 5 and all(each[0].get_title() for each in axes)
    told = [text.get_text() for text in axes[3][1].get_yticklabels()]
    assert told == names["classes"].attrs["names"]  # type: ignore[attr-defined]
    plt.close("all")
    printed = capsys.readouterr().out
    assert "balanced_accuracy" in printed and "threshold_from" in printed
    assert 0.3 < names["classes"].attrs["balanced_accuracy"] <= 1  # type: ignore[attr-defined]


def test_without_a_trained_student_the_error_says_what_makes_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(files, "REPORTS", tmp_path)
    with pytest.raises(BrewError, match="Run `make repro` first"):
        your_images.begin()
