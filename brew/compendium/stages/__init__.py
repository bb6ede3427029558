"""The stages of the pipeline: what the notebooks call, one function per section.

A stage reads settings and files of earlier stages, calls the package, and leaves files for later ones. This is the one
place where settings meet the code below, which takes tensors and numbers only.
"""

import multiprocessing
import os
from dataclasses import dataclass

import torch

from brew.compendium.report.style import use_theme
from brew.compendium.settings import Settings, load
from brew.files import Layout


@dataclass(frozen=True)
class Stage:
    """A scale's settings and folders: the first thing that a notebook opens."""

    settings: Settings
    layout: Layout


def begin(scale: str, explore: bool = True) -> Stage:
    """Open a scale. explore: results go below `scratch/`, so that trying things never touches tracked results."""
    use_theme()
    return Stage(load(scale), Layout(scale, explore))


def processes() -> int:
    """How many processes share a stage's work: `BREW_PROCESSES`, which a pipeline's notebook finds set; else one.

    One also beside an accelerator, which no two of them could use better, and where the system cannot fork.
    """
    able = "fork" in multiprocessing.get_all_start_methods() and not torch.cuda.is_available()
    return int(os.environ.get("BREW_PROCESSES", "1")) if able else 1
