"""Part of stage `pretrain`: the figure of one run's training."""

import pandas as pd
from matplotlib.figure import Figure

from brew.compendium.report.figures.note import note
from brew.compendium.report.figures.training_curves import training_curves
from brew.compendium.report.style import save
from brew.compendium.scales import arm_and_seed
from brew.compendium.stages import Stage


def curves(stage: Stage, run: str) -> Figure:
    """Every similarity of the run by name, or why it was not run."""
    folder = stage.layout.write(f"pretrain/{run}")
    if not (folder / "history.csv").exists():
        return note((folder / "not-run.txt").read_text())
    figure = training_curves(pd.read_csv(folder / "history.csv"), arm_and_seed(run)[0])
    caption = f"Training of {run}: every similarity by name, per step (grey) and smoothed over 2 % of the steps."
    save(figure, folder / f"training-{run}.png", caption)
    return figure
