"""The stages of the pipeline: what the notebooks call, one function per section.

A stage reads settings and files of earlier stages, calls the package, and leaves files for later ones. This is the one
place where settings meet the code below, which takes tensors and numbers only.
"""

from dataclasses import dataclass

from brew.paths import Layout
from brew.reporting.style import use_theme
from brew.stages.settings import Settings, load


@dataclass(frozen=True)
class Stage:
    """A scale's settings and folders: the first thing that a notebook opens."""

    settings: Settings
    layout: Layout


def begin(scale: str, explore: bool = True) -> Stage:
    """Open a scale. explore: results go below `scratch/`, so that trying things never touches tracked results."""
    use_theme()
    return Stage(load(scale), Layout(scale, explore))
