"""What a report was made from: commit, parameters, environment, data. No wall time, so that same input, same bytes."""

import hashlib
import subprocess
from pathlib import Path

from brew.files import ROOT

#: A change to any of these can change a result; a change elsewhere (prose, reports) cannot.
SOURCES = (
    "brew", "notebooks", "params.yaml", "scales", "requirements.lock", "dvc.yaml",
    ":(exclude)scales/*/dvc.lock",  # what DVC writes down after a run changes no result
)  # fmt: skip


def commit() -> str:
    """The last commit that touched code, notebooks or parameters, marked where the tree differs from it."""
    try:
        last = _git("log", "-1", "--format=%h", "--", *SOURCES)
        changed = _git("status", "--porcelain", "--untracked-files=no", "--", *SOURCES)
    except (OSError, subprocess.CalledProcessError):
        return "not in git"
    return f"{last}, with uncommitted changes" if changed else last


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


def sha256(path: Path) -> str:
    """Hash of a file, or of a folder's files with their names."""
    digest = hashlib.sha256()
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    for file in files:
        if path.is_dir():
            digest.update(file.relative_to(path).as_posix().encode())
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()
