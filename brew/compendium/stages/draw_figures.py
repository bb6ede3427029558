"""Stage `figures`: scores and histories on file as the figures of the report."""

from dataclasses import replace

import pandas as pd
from matplotlib.figure import Figure

from brew.compendium.report.arm_gains import arm_gains
from brew.compendium.report.captioned import CaptionedFigure
from brew.compendium.report.crowding import left_to_tables
from brew.compendium.report.figures.gain_panels import gain_panels
from brew.compendium.report.figures.label_fractions import label_fractions
from brew.compendium.report.figures.model_sizes import model_sizes
from brew.compendium.report.figures.score_panels import score_panels
from brew.compendium.report.figures.teacher_panels import teacher_panels
from brew.compendium.report.figures.training_losses import training_losses
from brew.compendium.report.summary import benchmarks_in
from brew.compendium.report.training_health import health_of_heads
from brew.compendium.scales import arm_and_seed
from brew.compendium.stages import Stage
from brew.compendium.stages.read_scores import scored


def scores(stage: Stage) -> Figure | None:
    """Every backbone on every benchmark."""
    return _write(stage, score_panels(scored(stage)))


def models(stage: Stage) -> Figure | None:
    """Mean optical against mean multispectral score, marked by size; None without both."""
    sizes = pd.read_csv(stage.layout.read("similarity") / "parameters.csv")
    return _write(stage, model_sizes(scored(stage), dict(sizes.itertuples(index=False))))


def gains(stage: Stage) -> Figure | None:
    """What every arm gains over each reference; None if no reference was run."""
    here = scored(stage)
    return _write(stage, gain_panels(arm_gains(here, benchmarks_in(here.summary))))


def teachers(stage: Stage) -> Figure | None:
    """What each teacher brings, benchmark by benchmark; None if no contrast was run."""
    return _write(stage, teacher_panels(scored(stage)))


def low_data(stage: Stage) -> Figure | None:
    """Score against the share of the training labels; None if none was scored from several shares."""
    arms = [arm_and_seed(run)[0] for run in stage.settings.arms]
    return _write(stage, label_fractions(scored(stage), arms, left_to_tables(stage.settings)))


def losses(stage: Stage) -> Figure | None:
    """What every arm maximises, by name, over its steps."""
    files = {run: stage.layout.read(f"pretrain/{run}") / "history.csv" for run in stage.settings.arms}
    histories = {run: pd.read_csv(file) for run, file in files.items() if file.exists()}
    found = training_losses(histories, left_to_tables(stage.settings))
    return _write(stage, replace(found, caption=f"{found.caption} {health_of_heads(histories)}") if found else None)


def _write(stage: Stage, found: CaptionedFigure | None) -> Figure | None:
    return found.write(stage.layout.write("figures")) if found else None
