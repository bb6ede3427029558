"""Execute a notebook as a stage: parameters in, one executed notebook in reproducible bytes out.

Parameters are checked against the notebook's own `parameters` cell before anything starts. A notebook that fails leaves
what it had reached under `scratch/`, outside every folder that a stage depends on, and the error names that file.
"""

import csv
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.manager import AsyncKernelManager
from nbformat import NotebookNode

from brew.compendium import environment
from brew.compendium.notebooks import kernel
from brew.compendium.notebooks.cleaning import clean, scrub
from brew.errors import BrewError, nearest
from brew.files import ROOT, replacing

#: Names a CSV file to which every execution appends its seconds (notebook, cell, first line, seconds): what is executed
#: into a notebook has to be the same from run to run, and so holds none.
TIMINGS = "BREW_TIMINGS"
_PARTIAL = Path("scratch", "partial")


class SupervisedKernelManager(AsyncKernelManager):
    """Starts this environment's kernel under its supervisor, whatever kernels the user has registered.

    Messages are encrypted: on a shared machine anybody could listen to the kernel's ports.
    """

    transport_encryption = "required"

    def format_kernel_cmd(self, extra_arguments: list[str] | None = None) -> list[str]:
        # Below "critical" the kernel logs the interrupt that every shutdown begins with as an error.
        quiet = "--log-level=CRITICAL"
        return [sys.executable, kernel.__file__, self.connection_file, quiet, *(extra_arguments or [])]


class NotebookFailed(BrewError):
    """A cell of a notebook raised, or its kernel died; the message names the cell and the partial notebook."""


def run(notebook: Path, parameters: Mapping[str, Any], out: Path, root: Path = ROOT, portable: bool = False) -> None:
    """`execute`, and write the result to `out` in one step: a file that is there is complete."""
    executed = execute(notebook, parameters, _PARTIAL / str(out).replace("/", "-"), root, portable)
    write(executed, root / out)


def execute(
    notebook: Path, parameters: Mapping[str, Any], partial: Path, root: Path = ROOT, portable: bool = False
) -> NotebookNode:
    """The cleaned notebook after every cell has run, in the folder `root`.

    notebook, partial: relative to `root`; `partial` is written cell by cell and removed on success.
    parameters: values for names of the notebook's `parameters` cell. portable: with bits that are the same everywhere.
    Raises BrewError for a missing notebook or an unknown parameter, NotebookFailed where a cell raises.
    """
    import papermill
    from papermill.exceptions import PapermillExecutionError

    source = read(notebook, root)
    check_parameters(notebook, source, parameters)
    kernel.end_with_dvc()
    (root / partial).parent.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    with _inside(root, portable):
        try:
            executed = papermill.execute_notebook(
                source,
                str(partial),
                parameters=dict(parameters),
                kernel_name="python3",
                kernel_manager_class=SupervisedKernelManager,
                record_timing=False,
                progress_bar=False,
            )
        except PapermillExecutionError as error:
            raise NotebookFailed(
                f"{notebook}: cell [{error.exec_count}] raised {error.ename}: {error.evalue}\n"
                f"as far as it got, with the traceback: {partial}"
            ) from None
        except RuntimeError as error:  # nbclient's DeadKernelError, for one
            raise NotebookFailed(f"{notebook}: {error}\nas far as it got: {partial}") from error
    (root / partial).unlink()
    if TIMINGS in os.environ:
        _log_seconds(partial.stem, executed, time.perf_counter() - start, Path(os.environ[TIMINGS]))
    return clean(executed, root)


def _log_seconds(name: str, executed: NotebookNode, whole: float, log: Path) -> None:
    """Append a row per code cell, and one with an empty cell for the whole, the kernel's start and end included."""
    rows = [
        (name, index, cell.source.partition("\n")[0], cell.metadata.papermill["duration"])
        for index, cell in enumerate(executed.cells)
        if cell.cell_type == "code"
    ]
    with log.open("a", newline="") as file:
        csv.writer(file).writerows([*rows, (name, "", "", round(whole, 6))])


def read(notebook: Path, root: Path = ROOT) -> NotebookNode:
    """The source of a notebook, scrubbed; BrewError with the nearest name where there is none."""
    if not (root / notebook).is_file():
        there = tuple(path.name for path in (root / notebook).parent.glob("*.ipynb"))
        raise BrewError(f"{notebook} does not exist; {nearest(notebook.name, there)}")
    return scrub(nbformat.read(root / notebook, as_version=4))


def check_parameters(notebook: Path, source: NotebookNode, parameters: Mapping[str, Any]) -> None:
    """Raise BrewError where the notebook's cell `parameters` does not declare one of the parameters."""
    import papermill

    known = tuple(papermill.inspect_notebook(source))
    for name in parameters:
        if name not in known:
            raise BrewError(f"{notebook} has no parameter {name!r} in its cell 'parameters'; {nearest(name, known)}")


def write(notebook: NotebookNode, path: Path) -> None:
    """Write a notebook as JupyterLab would, replacing `path` in one step."""
    with replacing(path) as unfinished:
        nbformat.write(notebook, unfinished, version=4)


@contextmanager
def _inside(root: Path, portable: bool) -> Iterator[None]:
    """In the folder `root`, with pinned variables; the kernel inherits both and so imports the `brew` of this tree.

    Jupyter and IPython find an empty folder of their own: a user's start-up files, kernels and history stay outside,
    and an account without a home can run notebooks.
    """
    before, folder = dict(os.environ), Path.cwd()
    with tempfile.TemporaryDirectory(prefix="brew-notebook-") as private:
        os.environ.clear()
        os.environ.update(
            environment.notebook(before, portable),
            **{
                name: private
                for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
            },
        )
        os.chdir(root)
        try:
            yield
        finally:
            os.chdir(folder)
            os.environ.clear()
            os.environ.update(before)
