"""What a report was made from: commit, parameters, environment, data. No wall time, so that same input, same bytes."""

import subprocess

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
