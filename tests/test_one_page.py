"""The method on one page is the method: the loop has the same similarities on the same images."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from lightning_fabric import Fabric

from brew import randomness
from brew.data.batches import Batch
from brew.data.miniature.rendering import render
from brew.files import ROOT
from brew.models.student import build_student
from brew.models.teachers import TEACHERS
from brew.pretraining.arms import arm
from brew.pretraining.loop import pretrain
from brew.pretraining.optimisation import Optimisation
from brew.views import ViewSettings
from examples import deo_in_one_page

PAGE = ROOT / "examples" / "deo_in_one_page.py"
VIEWS = ViewSettings(global_size=32, local_size=16, locals=2, blur_kernel=5)


class OneBatch:
    """Eight scenes, the same every epoch."""

    name = "scenes"

    def __init__(self) -> None:
        images = render(torch.arange(8), 5, products=("multispectral", "optical"), size=32, dates=1)
        self.images = {name: images[name][:, 0] for name in ("multispectral", "optical")}

    def __len__(self) -> int:
        return 1

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[Batch]:
        yield Batch(torch.arange(8), self.images)


def test_its_similarities_are_those_of_the_loop(tmp_path: Path) -> None:
    torch.manual_seed(0)
    teacher, feed, chosen = TEACHERS["miniature"].build(random=True), OneBatch(), arm("deo").with_teacher("miniature")
    numbers = Optimisation(steps=3, learning_rate=2e-3, width=32, hidden=32)
    loop = pretrain(
        chosen, build_student("swin-nano", seed=0), {"miniature": teacher}, [feed], VIEWS, numbers,
        tmp_path / "unfinished.pt", Fabric(accelerator="cpu", devices=1),
    ).history  # fmt: skip
    samples = torch.arange(8) + (randomness.key(feed.name) >> 32 << 32)  # as the loop tells sources apart
    page = deo_in_one_page.train(
        *feed.images.values(), samples, build_student("swin-nano", seed=0), teacher, VIEWS, 3, 2e-3, width=32, hidden=32
    )
    assert set(page[0]) == {column for column in loop if "/" in column}
    # Later steps only nearly: if a gradient is about zero, AdamW's first steps follow its sign.
    for step, tolerance in enumerate((1e-6, 1e-3, 1e-3)):
        for name, value in page[step].items():
            assert value == pytest.approx(loop[name][step], abs=tolerance), (step, name)


def test_it_is_one_page_that_runs() -> None:
    assert len(PAGE.read_text().splitlines()) <= 120
    done = subprocess.run(
        [sys.executable, "-m", "examples.deo_in_one_page"], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 6 and "miniature/class" in done.stdout


def test_the_methodology_shows_it_as_it_is() -> None:
    section = (ROOT / "docs" / "methodology.md").read_text().split("\n## The method on one page\n")[1]
    assert section.split("```python\n")[1].split("```\n")[0] == PAGE.read_text()
