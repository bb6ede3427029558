"""The committed tree in a clone."""

import subprocess
from pathlib import Path

import pytest

from brew.compendium import regeneration
from brew.errors import BrewError


def test_a_clone_needs_no_links_and_what_is_no_checkout_is_refused(tmp_path: Path) -> None:
    tree, clone = tmp_path / "my (work) tree", tmp_path / "my clone"
    (tree / ".venv").mkdir(parents=True)
    with pytest.raises(BrewError, match=r"tree cannot be cloned .* expected the program git, a checkout of git"):
        regeneration.clone(clone, tree)
    for command in ("init --quiet", "-c user.name=x -c user.email=x commit --quiet --allow-empty -m x"):
        subprocess.run(["git", *command.split()], cwd=tree, check=True)
    regeneration.clone(clone, tree)
    assert (clone / ".git").is_dir() and not any(path.is_symlink() for path in clone.rglob("*"))
