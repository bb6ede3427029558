"""DVC told to read one scale's pipeline, in a tree that has two."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from brew.compendium import environment
from brew.files import ROOT

_STAGE = "stages:\n  copied:\n    cmd: cp given kept\n    deps: [given]\n    outs: [kept]\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A file to copy; the other scale's pipeline is none, which DVC says if it reads it."""
    for name, text in (("given", "given"), ("dvc.yaml", _STAGE), ("scales/other/dvc.yaml", "stages: [")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert _call(tmp_path, "dvc", "init", "--no-scm", "--quiet").returncode == 0
    return tmp_path


def _call(tree: Path, *command: str) -> subprocess.CompletedProcess[str]:
    variables = environment.pipeline(os.environ) | {"PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, "-m", *command], cwd=tree, env=variables, capture_output=True, text=True)


def test_one_pipeline_runs_and_is_up_to_date_beside_another_that_is_not_read(tree: Path) -> None:
    assert "scales/other/dvc.yaml" in _call(tree, "dvc", "repro", "dvc.yaml").stderr
    command = ("brew.compendium.one_pipeline", "dvc.yaml", "repro", "dvc.yaml")
    first = _call(tree, *command)
    assert first.returncode == 0 and "Running stage 'copied'" in first.stdout, first.stderr
    assert (tree / "kept").read_text() == "given" and "md5" in (tree / "dvc.lock").read_text()
    assert "up to date" in _call(tree, *command).stdout
    (tree / "given").unlink()
    assert _call(tree, *command).returncode, "a stage that fails ends in its status"
