"""The name of a checkpoint: what training runs decides it, and what Python or an editor leaves does not."""

import shutil
from pathlib import Path

import pytest

from brew import files
from brew.compendium.stages.unfinished import checkpoint_of
from brew.pretraining.arms import arm

DEO = arm("deo")


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the sources, whose code the names then follow."""
    shutil.copytree(files.ROOT / "brew", tmp_path / "brew", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(files, "ROOT", tmp_path)
    return tmp_path / "brew"


def append(file: Path, text: str) -> None:
    file.write_text(file.read_text() + text)


def test_what_training_does_not_run_leaves_the_name(tree: Path) -> None:
    before = checkpoint_of("run", DEO, {"steps": 3})
    bytecode = tree / "losses" / "__pycache__" / "alignment.cpython-311.pyc"
    bytecode.parent.mkdir()
    bytecode.write_bytes(b"bytecode")
    append(tree / "evaluation" / "segmentation.py", "\nADDED = 1\n")
    append(tree / "compendium" / "report" / "claims.py", "\nADDED = 1\n")
    (tree / "losses" / "unused.py").write_text("ADDED = 1\n")
    assert checkpoint_of("run", DEO, {"steps": 3}) == before


def test_comments_and_docstrings_leave_the_name(tree: Path) -> None:
    before = checkpoint_of("run", DEO)
    module = tree / "pretraining" / "ema.py"
    append(module, "\n# A remark.\n")
    module.write_text(module.read_text().replace('"""The multispectral teacher:', '"""Another text:'))
    assert checkpoint_of("run", DEO) == before


RUN = (
    "pretraining/loop", "pretraining/self_distilled_teacher", "losses/coding_rate", "views/geometry", "models/swin",
    "models/teacher_networks", "data/batches", "data/miniature/feed", "randomness", "sensors",
)  # fmt: skip


def test_code_that_training_runs_changes_the_name(tree: Path) -> None:
    names = {checkpoint_of("run", DEO)}
    for module in RUN:
        append(tree / f"{module}.py", "\nADDED = 1\n")
        names.add(checkpoint_of("run", DEO))
    assert len(names) == 1 + len(RUN)


def test_another_arm_leaves_the_name_of_a_training(tree: Path) -> None:
    before = checkpoint_of("run", DEO)
    append(tree / "pretraining" / "arms.py", "\nADDED = 1\n")
    append(tree / "pretraining" / "arms_beyond.py", "\nADDED = 1\n")
    assert checkpoint_of("run", DEO) == before
    assert checkpoint_of("run", arm("ms-only")) != before
    append(tree / "pretraining" / "arm_parts.py", "\nADDED = 1\n")
    assert checkpoint_of("run", DEO) != before


def test_numbers_change_the_name() -> None:
    assert checkpoint_of("run", DEO, {"steps": 3}) != checkpoint_of("run", DEO, {"steps": 4})
    assert checkpoint_of("run", DEO).parent == files.SCRATCH / "unfinished"
