"""What a report was made from: commit, parameters, environment, data. No wall time, so that same input, same bytes."""

import os
import subprocess
from pathlib import Path

from brew.files import ROOT

#: A change to any of these can change a result; a change elsewhere (prose, reports) cannot.
SOURCES = (
    "brew", "notebooks", "params.yaml", "scales", "requirements.lock", "dvc.yaml",
    ":(exclude)scales/*/dvc.lock",  # what DVC writes down after a run changes no result
)  # fmt: skip


def commit(root: Path = ROOT) -> str:
    """The last commit that touched code, notebooks or parameters, marked if the tree differs from that commit.

    In a shallow clone the oldest commit stands for all before it, and says so. If git does not answer, its words stand
    instead. A tree without a repository of its own is not in git, whatever repository lies around the tree.
    """
    if not (root / ".git").exists():
        return "not in git"
    try:
        last, short = _git(root, "log", "-1", "--format=%H %h", "--", *SOURCES).split()
        changed = _git(root, "status", "--porcelain", "--untracked-files=no", "--", *SOURCES)
        oldest = root / _git(root, "rev-parse", "--git-path", "shallow")
    except FileNotFoundError:
        return "not known: git is not installed"
    except subprocess.CalledProcessError as error:
        return f"not known: {(error.stderr.strip().splitlines() or ['git failed'])[0]}"
    if oldest.is_file() and last in oldest.read_text().split():
        short = f"{short} or an earlier one, which this shallow clone lacks (git fetch --unshallow)"
    return f"{short}, with uncommitted changes" if changed else short


def _git(root: Path, *arguments: str) -> str:
    """git's answer about the repository of `root` alone, in English.

    The folder may belong to another user, as it does in containers: whoever runs this code trusts the folder already.
    """
    here = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | {"LC_ALL": "C"}
    command = ["git", "-c", f"safe.directory={root}", "--no-optional-locks", *arguments]
    return subprocess.run(command, cwd=root, check=True, capture_output=True, text=True, env=here).stdout.strip()
