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

    results: the folder below which a stage's results go. Exploring in JupyterLab puts them under `SCRATCH`, so that it
    never touches tracked results, while inputs are still read from the tracked ones.
    """

    scale: str
    explore: bool = False

    @property
    def tracked(self) -> Path:
        return REPORTS / self.scale

    @property
    def results(self) -> Path:
        return SCRATCH / "explore" / self.scale if self.explore else self.tracked

    def store(self, source: str) -> Path:
        return DATA / "stores" / self.scale / f"{source}.zarr"

    def manifest(self, source: str) -> Path:
        return DATA / "manifests" / f"{source}.yaml"

    def centres(self) -> Path:
        """Mean features of the optical teacher over the training images."""
        return self.tracked / "models" / "teacher-centres.pt"

    def model(self, arm: str) -> Path:
        return self.tracked / "models" / f"{arm}.pt"

    def output(self, kind: str, name: str) -> Path:
        """A file to write; `kind` is a folder such as "scores", "histories", "figures", "tables"."""
        path = self.results / kind / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def inputs(self, kind: str, pattern: str = "*") -> list[Path]:
        """Files of `kind` that earlier stages left, in the order of their names."""
        return sorted((self.tracked / kind).glob(pattern))
