"""A scale run in a clone of the committed tree: to verify it, to measure its noise, and to write a test's lock."""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from brew.compendium import environment
from brew.compendium.locked import lock_file
from brew.compendium.repro import repro
from brew.compendium.scales import PARAMETERS, parameter_file
from brew.compendium.sync import sync
from brew.errors import BrewError
from brew.files import ROOT, SCRATCH, replacing

_NUDGE = "nudge: 0\n"


def clone(folder: Path, root: Path = ROOT) -> None:
    """The committed tree of `root` in `folder`, in place of what lay there; BrewError if it cannot be cloned.

    The clone needs no environment of its own: `run` starts this Python there.
    """
    shutil.rmtree(folder, ignore_errors=True)
    try:
        subprocess.run(["git", "clone", "--quiet", str(root), str(folder)], check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise BrewError(
            f"{root} cannot be cloned to {folder} ({error}); expected the program git, a checkout of git and room "
            "for a copy. Clone the repository, and run there"
        ) from error


def check_committed(root: Path = ROOT) -> None:
    """BrewError if the tree has changes that a clone would lack."""
    command = ["git", "status", "--porcelain", "--untracked-files=no", "--", ".", ":(exclude)scales/*/dvc.lock"]
    if changed := subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout.split("\n")[0]:
        raise BrewError(f"{changed[3:]} differs from its last commit; expected a committed tree. Commit it first")


def share_cache(folder: Path, root: Path = ROOT) -> None:
    """Let DVC in the clone `folder` take what `root` has computed already, and keep there what it computes."""
    command = [sys.executable, "-m", "dvc", "config", "--quiet", "--local", "cache.dir", str(root / ".dvc" / "cache")]
    subprocess.run(command, cwd=folder, env=environment.pipeline(os.environ), check=True)


def nudge(folder: Path, number: int) -> None:
    """Let every training of the clone `folder` start from other rounding."""
    file = folder / PARAMETERS
    before = file.read_text(encoding="utf-8")
    if before.count(_NUDGE) != 1:
        raise BrewError(f"{file} says nothing of {_NUDGE.strip()!r}; expected that line once. Restore it")
    file.write_text(before.replace(_NUDGE, f"nudge: {number}\n"), encoding="utf-8")
    sync(folder)


def run(scale: str, folder: Path, stages: Sequence[str] = (), force: bool = False) -> None:
    """Run a scale, or some of its stages with what they depend on, in the clone; BrewError if a stage fails."""
    if repro(scale, stages, options=("--force",) if force else (), root=folder):
        raise BrewError(f"a stage failed in {folder}; expected the whole scale there. DVC's lines above say which one")


def main(arguments: list[str]) -> int:
    """`brew lock SCALE`: run the scale from nothing in a clone, and keep the lock that it leaves."""
    parser = argparse.ArgumentParser(prog="brew lock", description="Run a scale in a clone and keep its lock.")
    parser.add_argument("scale")
    scale = parser.parse_args(arguments).scale
    parameter_file(scale)
    check_committed()
    folder = SCRATCH / "lock" / scale
    clone(folder)
    run(scale, folder, force=True)
    with replacing(lock_file(scale)) as partial:
        shutil.copyfile(lock_file(scale, folder), partial)
    print(f"{lock_file(scale).relative_to(ROOT)} written")
    return 0
