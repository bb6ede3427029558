"""`brew repro`: run what changed of a scale's pipeline, by DVC."""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from brew.compendium import environment
from brew.compendium.imports import Package
from brew.compendium.lock_copy import keep_or_restore
from brew.compendium.notebooks import fork_server
from brew.compendium.notebooks.kernel import DVC_PROCESS, die_with_parent
from brew.compendium.pipeline import pipeline_file
from brew.compendium.scales import MINIATURE, is_portable, parameter_file
from brew.compendium.sync import sync
from brew.errors import BrewError
from brew.files import ROOT

#: DVC as a module, told to read the scale's pipeline alone.
_DVC = "brew.compendium.one_pipeline"


def repro(scale: str, stages: Sequence[str] = (), options: Sequence[str] = (), root: Path = ROOT) -> int:
    """Run a scale in the tree `root`, whose generated files are current; DVC's exit status.

    stages: with what they depend on, such as ``"pretrain@deo"``; all of the scale if none is named. options: of DVC.
    DVC ends with this process, however suddenly, and its notebooks with it.
    """
    file = pipeline_file(scale)
    targets = [f"{file}:{stage}" for stage in stages] or [file]
    if not (root / ".git").exists():
        _run(root, "dvc", "config", "--quiet", "--local", "core.no_scm", "true")
    remove_empty_runs(root / ".dvc" / "cache" / "runs")
    keep_or_restore((root / file).with_suffix(".lock"), root)
    command = (_DVC, file, "repro", *options, *targets)
    if "--dry" in options:
        return _run(root, *command)
    with _fork_server(root, is_portable(scale, root)) as told:
        return _run(root, *command, **told)


@contextmanager
def _fork_server(root: Path, portable: bool) -> Iterator[Mapping[str, str]]:
    """A server that forks the run's notebooks, and the variables by which they find it; none but on Linux."""
    if sys.platform != "linux":
        yield {}
        return
    variables = environment.notebook(environment.pipeline(os.environ), portable)
    with tempfile.TemporaryDirectory(prefix="brew-") as folder:
        address = str(Path(folder, "server"))
        libraries = ("papermill", *Package(root).libraries())  # a runner's, and those of notebooks
        bound = partial(die_with_parent, signal.SIGTERM)
        command = [sys.executable, fork_server.__file__, address, *libraries]
        with subprocess.Popen(command, cwd=root, env=variables, stdin=subprocess.DEVNULL, preexec_fn=bound) as server:
            try:
                yield {fork_server.SERVER: address, fork_server.SETTINGS: environment.settings(variables)}
            finally:
                server.terminate()


def remove_empty_runs(kept: Path) -> None:
    """Remove empty folders of runs that DVC keeps: DVC 3.67 stops at one (`join() argument must be str ...`).

    DVC makes a stage's folder before it writes into it, so a kill in between leaves such a folder for good.
    """
    for folder in kept.glob("*/*"):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def check_writable(root: Path = ROOT) -> None:
    """BrewError if this account may not write in the tree `root`, where DVC and the stages leave what they make."""
    for folder in (root, root / ".dvc"):
        if folder.is_dir() and not os.access(folder, os.W_OK):
            raise BrewError(
                f"{folder} cannot be written; expected a checkout of your own. "
                "Copy or clone the checkout to a folder of yours, and run there"
            )


def _run(root: Path, module: str, *arguments: str, **told: str) -> int:
    # The shell becomes DVC, and so knows its process.
    becomes = f'export {DVC_PROCESS}=$$; exec "$0" "$@"'
    command = ["/bin/sh", "-c", becomes, sys.executable, "-m", module, *arguments]
    bound = partial(die_with_parent, signal.SIGTERM)
    with subprocess.Popen(command, cwd=root, env=environment.pipeline(os.environ) | told, preexec_fn=bound) as running:
        try:
            return running.wait()
        except KeyboardInterrupt:  # DVC was interrupted too, and ends in its own way
            running.wait()
            raise


def main(arguments: list[str]) -> int:
    """`brew repro [SCALE [STAGE ...]]`; exit status 1 if a stage failed."""
    parser = argparse.ArgumentParser(prog="brew repro", description="Run what changed of a scale's pipeline.")
    parser.add_argument("scale", nargs="?", default=MINIATURE, help="miniature, or a scale of scales/")
    parser.add_argument("stage", nargs="*", help="with what it depends on, such as pretrain@deo; default: all")
    parser.add_argument("--dry", action="store_true", help="say what would run")
    parser.add_argument("--force", action="store_true", help="run what did not change, too")
    parser.add_argument("--single-item", action="store_true", help="leave out what the stages depend on")
    chosen = parser.parse_intermixed_args(arguments)  # options may stand between the scale and its stages
    parameter_file(chosen.scale)
    check_writable()
    for path in sync():
        print(f"{path} written", flush=True)
    options = [f"--{name.replace('_', '-')}" for name in ("dry", "force", "single_item") if getattr(chosen, name)]
    return 1 if repro(chosen.scale, chosen.stage, options) else 0
