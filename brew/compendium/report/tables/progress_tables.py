"""What the arms gained along their training, arm by arm and benchmark by benchmark."""

import pandas as pd

from brew.compendium.report.captioned import CaptionedTable
from brew.compendium.report.convergence import convergence_rule
from brew.compendium.report.formatting import signed
from brew.compendium.report.style import label
from brew.compendium.report.training_progress import SINCE


def progress(found: pd.DataFrame, converged: float) -> CaptionedTable | None:
    """Arm by arm; None if no student was kept. found: of `summary`. converged: points, of the rule."""
    if found.empty:
        return None
    caption = (
        "The table shows what an arm gained along its training, in points of a linear probe of frozen features on "
        "validation images. A gain is the mean over the benchmarks of a modality and over seeds of pretraining; "
        f"brackets hold Student's 95 % interval over seeds. {convergence_rule(converged)}"
    )
    return CaptionedTable("progress", found, caption)


def progress_by_benchmark(found: pd.DataFrame) -> CaptionedTable | None:
    """Run by run and benchmark by benchmark; None if no student was kept. found: of `learned`."""
    if found.empty:
        return None
    cells = [signed(*each) for each in (100 * found[["gain", "low", "high"]]).to_numpy()]
    table = found.assign(cell=cells, since=found["since"].map(SINCE), arm=found["arm"].map(label))
    table = table.pivot(index=["benchmark", "arm", "seed"], columns="since", values="cell").reset_index()
    caption = (
        "The table shows the gain of a linear probe of frozen features on validation images, in points, run by run. It "
        "is taken over the untrained trunk, and in the last third of the steps. Brackets hold the 95 % interval of the "
        "difference over images."
    )
    return CaptionedTable("progress-by-benchmark", table, caption)
