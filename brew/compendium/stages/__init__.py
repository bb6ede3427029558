"""The stages of the pipeline: what the notebooks call, one function per section.

A stage reads settings and files of earlier stages, calls the package, and leaves files for later ones. This is the one
place where settings meet the code below, which takes tensors and numbers only.
"""

from brew.compendium import nudging, portable_bits
from brew.compendium.processes import processes
from brew.compendium.report.style import use_theme
from brew.compendium.settings import Settings, load
from brew.compendium.stage import Stage
from brew.files import Layout

__all__ = ["Stage", "begin", "processes", "use_stand_ins"]


def begin(scale: str, explore: bool = True, keeps: bool = False) -> Stage:
    """Open a scale. explore: results go below `scratch/`, so that trying things never touches tracked results.

    keeps: what is explored is a result all the same, as of a training that the shell starts. Results that are kept have
    the bits of the scale's setting `bits`. Raises BrewError if this process cannot give them.
    """
    use_theme()
    settings = load(scale)
    if settings.bits == "portable" and (keeps or not explore):
        portable_bits.use()
    if settings.nudge:
        nudging.use(settings.nudge)
    use_stand_ins(settings)
    return Stage(settings, Layout(scale, explore))


def use_stand_ins(settings: Settings) -> None:
    """Put random networks into the places of teachers and backbones, if the scale rehearses."""
    if settings.rehearsal:
        from brew.compendium.rehearsal import stand_ins  # networks that no other run needs to import

        stand_ins.use()
