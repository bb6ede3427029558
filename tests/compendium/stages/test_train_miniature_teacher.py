"""The training of the miniature's optical teacher, on a few scenes: what `make teacher` does in half an hour."""

from pathlib import Path

import torch

from brew.compendium.stages.train_miniature_teacher import TeacherTraining, train_miniature_teacher
from brew.models.miniature_teacher import load_miniature_teacher
from brew.views import ViewSettings

VIEWS = ViewSettings(global_size=16, local_size=8, locals=2, blur_kernel=3)


def test_it_trains_on_rendered_scenes_and_leaves_a_teacher_that_loads(tmp_path: Path) -> None:
    training = TeacherTraining(scenes=24, batch_size=8, size=16, depth=2, precision="32-true", views=VIEWS)
    weights, unfinished = tmp_path / "teacher.pt", tmp_path / "unfinished.pt"
    before = torch.random.get_rng_state()
    train_miniature_teacher(training, weights, unfinished)
    assert torch.equal(torch.random.get_rng_state(), before)
    model, provenance = load_miniature_teacher(weights)
    assert (provenance["scenes"], provenance["steps"], provenance["world seed"]) == (24, 3, 7001)
    assert len(model.vit.blocks) == 2 and not unfinished.exists()
    again = tmp_path / "again.pt"
    train_miniature_teacher(training, again, unfinished)
    assert again.read_bytes() == weights.read_bytes(), "the same training gives the same bytes"
