"""The stages of the pipeline: what the notebooks call, one function per section.

A stage reads settings and files of earlier stages, calls the package, and leaves files for later ones. This is the one
place where settings meet the code below, which takes tensors and numbers only.
"""

from brew.compendium.processes import processes
from brew.compendium.report.style import use_theme
from brew.compendium.settings import load
from brew.compendium.stage import Stage
from brew.files import Layout

__all__ = ["Stage", "begin", "processes"]


def begin(scale: str, explore: bool = True) -> Stage:
    """Open a scale. explore: results go below `scratch/`, so that trying things never touches tracked results."""
    use_theme()
    return Stage(load(scale), Layout(scale, explore))
