"""Every folder of the compendium, once. Nothing else in brew spells a path of the tree."""

import os
from dataclasses import dataclass
from pathlib import Path

from brew.errors import BrewError

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
DATA = ROOT / "data"
REPORTS = ROOT / "reports"
#: Undeclared working files (checkpoints of unfinished runs, results of single cells); always safe to delete.
SCRATCH = ROOT / "scratch"
#: Weights that brew itself releases; in git.
WEIGHTS = DATA / "weights"


def real_data(dataset: str, how: str) -> Path:
    """Folder of a real data set below ``$BREW_DATA``.

    dataset: the folder's name, such as ``"oscd"``.
    how: one line on how to obtain it, repeated in the error where it is missing.
    Raises BrewError where ``BREW_DATA`` is unset or lacks the folder.
    """
    base = os.environ.get("BREW_DATA")
    if not base:
        raise BrewError(f"BREW_DATA is not set; expected a folder that holds {dataset!r}. To obtain it: {how}")
    folder = Path(base).expanduser().resolve() / dataset
    if not folder.is_dir():
        raise BrewError(f"{folder} does not exist; expected the data set {dataset!r} there. To obtain it: {how}")
    return folder


@dataclass(frozen=True)
class Layout:
    """Where the stages of one scale read and write.

    Every stage owns one folder (DVC keeps it in its cache); the last one, the site, copies what a reader needs into
    `site`, which is in git. explore: write below `SCRATCH` instead, so that exploring in JupyterLab never touches
    tracked results, while what earlier stages left is still read from the tracked ones.
    """

    scale: str
    explore: bool = False

    @property
    def site(self) -> Path:
        return (SCRATCH / "explore" if self.explore else REPORTS) / self.scale

    def store(self, source: str) -> Path:
        """A source's store; stages read it, the data stage alone writes it."""
        return DATA / "stores" / self.scale / f"{source}.zarr"

    def read(self, stage: str) -> Path:
        """The folder that an earlier stage left; BrewError where it has not run."""
        folder = REPORTS / self.scale / "stages" / stage
        if not folder.is_dir():
            raise BrewError(f"{folder} does not exist; expected what stage {stage!r} leaves. Run `make repro` first")
        return folder

    def write(self, stage: str) -> Path:
        """The folder that a stage leaves, made where it is absent."""
        folder = (SCRATCH / "explore" if self.explore else REPORTS) / self.scale / "stages" / stage
        folder.mkdir(parents=True, exist_ok=True)
        return folder
