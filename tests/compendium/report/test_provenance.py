"""What a report calls its commit, in every kind of checkout."""

import os
import subprocess
from pathlib import Path

import pytest

from brew.compendium.report.provenance import commit


def git(tree: Path, *arguments: str) -> str:
    return subprocess.run(["git", "-C", tree, *arguments], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of two commits, the second of prose alone."""
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "anybody")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "anybody@example.org")
    folder = tmp_path / "tree"
    git(tmp_path, "init", "--quiet", "tree")
    for file in ("params.yaml", "README.md"):
        (folder / file).write_text(f"{file}\n")
        git(folder, "add", file)
        git(folder, "commit", "--quiet", "-m", file)
    return folder


def test_the_commit_is_the_last_that_touched_a_source(tree: Path) -> None:
    assert commit(tree) == git(tree, "rev-parse", "--short", "HEAD~1")
    (tree / "README.md").write_text("other prose\n")
    assert commit(tree) == git(tree, "rev-parse", "--short", "HEAD~1")
    (tree / "params.yaml").write_text("changed\n")
    assert commit(tree) == f"{git(tree, 'rev-parse', '--short', 'HEAD~1')}, with uncommitted changes"


def test_a_shallow_clone_says_what_it_cannot_know(tree: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--depth", "1", tree.as_uri(), "shallow")
    shallow, tip = tmp_path / "shallow", git(tree, "rev-parse", "--short", "HEAD")
    assert commit(shallow).startswith(f"{tip} or an earlier one, which this shallow clone lacks")
    git(shallow, "fetch", "--quiet", "--unshallow")
    assert commit(shallow) == commit(tree)


def test_a_commit_that_a_shallow_clone_holds_is_named_alone(tree: Path, tmp_path: Path) -> None:
    (tree / "params.yaml").write_text("changed\n")
    git(tree, "commit", "--quiet", "--all", "-m", "change")
    git(tmp_path, "clone", "--quiet", "--depth", "2", tree.as_uri(), "shallow")
    assert commit(tmp_path / "shallow") == git(tree, "rev-parse", "--short", "HEAD")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a folder away")
def test_a_folder_of_another_user_is_still_in_git(tree: Path) -> None:
    expected = commit(tree)
    for path in (tree, *tree.rglob("*")):
        os.chown(path, 12345, 12345)
    assert commit(tree) == expected


def test_a_folder_inside_another_repository_is_not_in_git(tree: Path) -> None:
    inner = tree / "unpacked"
    inner.mkdir()
    assert commit(inner) == "not in git"


def test_the_repository_of_a_hook_is_not_asked(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = commit(tree)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    assert commit(tree) == expected


def test_what_git_cannot_answer_is_told_in_its_words(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", ".")
    assert commit(tmp_path).startswith("not known: fatal: your current branch")
