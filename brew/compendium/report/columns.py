"""Cells of the report's tables: a score with its doubts, what the paper states, or why nothing stands there.

A cell reads ``mean +/- deviation over seeds [95 % interval over test samples]``. The best of a column stands in bold if
its difference to each other one lies outside its own interval. An entry that lacks seeds of the column says so and is
not compared (`brew.compendium.report.seeds`). What the paper states follows in brackets.
Left out: which rows and columns a table has (`brew.compendium.report.tables`).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from brew.compendium.report.claims import stated
from brew.compendium.report.formatting import bold, number
from brew.compendium.report.joint import Replicates, interval
from brew.compendium.report.paper import Group
from brew.compendium.report.scored import Scored
from brew.compendium.report.seeds import Standing, by_seed, standing
from brew.compendium.report.style import label
from brew.evaluation.benchmarks import BENCHMARKS, Task
from brew.evaluation.zoo import BACKBONES
from brew.pretraining.arms import ARMS
from brew.sensors import PAPER_PATHS, SENSORS

#: Methods of one task alone, no backbones: they have no place in a rank, and none in another task.
REFERENCES: dict[str, Task] = {"cva": "change", "fc-siam-diff": "change", "unet-resnet50": "segmentation"}
NOT_RUN, NOT_COMPARABLE = "not run", "not comparable"
#: What every table of scores says of its cells.
CELLS = (
    "A cell gives the mean over seeds in percent, plus or minus the deviation over seeds if there are several. "
    "Brackets hold the 95 % interval over test samples, which are resampled jointly for all backbones. Whole scenes "
    "are resampled if scenes are tested; the interval of few scenes is approximate. The best of a column stands in "
    "bold if its difference to every other lies outside its own interval. What has fewer seeds than the others stands "
    "apart, with their number behind its score: it is not compared with them here."
)
#: What follows if the paper's numbers stand beside ours.
STATED = (
    "After a score stands what the paper states for the model of the row, with a question mark if only notes state it."
)


@dataclass(frozen=True)
class Column:
    """One column of a table. standing: its entries, with what is compared among them.

    task: None if it averages over tasks. sensors: of its images. stated: backbone -> what the paper says of it.
    bold: whether its best is to stand out.
    """

    title: str
    standing: Standing
    task: Task | None
    sensors: tuple[str, ...] = ()
    spread: Mapping[str, float] = field(default_factory=dict)
    stated: Callable[[str], str] = lambda backbone: ""
    bold: bool = True


def benchmark_column(scored: Scored, name: str, paper: bool = False, label_fraction: float = 1.0) -> Column:
    """A benchmark's scores from a share of the training labels. paper: with what the paper states."""
    entry = BENCHMARKS[name]
    return Column(
        f"{entry.modality}: {name} ({entry.metric.replace('_', ' ')})",
        standing(scored, [name], label_fraction),
        entry.task,
        (entry.sensor,),
        scored.spread(name, label_fraction),
        (lambda backbone: stated(scored.claims, backbone, name, label_fraction)) if paper else lambda backbone: "",
    )


def average_column(scored: Scored, group: Group, names: Sequence[str], paper: bool = False) -> Column:
    """The mean over those of `names` that are in the group, of what was scored on all of them."""
    members = group.members(names)
    found = standing(scored, members)
    spread = {backbone: _deviation(by_seed(scored, members, backbone)) for backbone in found.replicates}
    sensors = tuple(dict.fromkeys(BENCHMARKS[name].sensor for name in members))
    told = (lambda backbone: stated(scored.claims, backbone, group)) if paper else lambda backbone: ""
    return Column(group.title, found, group.task, sensors, spread, told)


def _deviation(runs: Mapping[int, Replicates]) -> float:
    return float(np.std([replicates[0] for replicates in runs.values()], ddof=1)) if len(runs) > 1 else math.nan


def wide(columns: Sequence[Column], backbones: Sequence[str]) -> pd.DataFrame:
    """One row per backbone, one column per `Column`; those that stand apart in every column come last."""
    backbones = sorted(backbones, key=lambda backbone: _apart(columns, backbone))
    leaders = {column.title: column.standing.leader if column.bold else None for column in columns}
    cells = {
        column.title: [cell(column, backbone, leaders[column.title] == backbone) for backbone in backbones]
        for column in columns
    }
    return pd.DataFrame({"backbone": [label(name) for name in backbones], **cells})


def _apart(columns: Sequence[Column], backbone: str) -> bool:
    """Whether it has a score, and no place in the order of any column."""
    scored = [column.standing for column in columns if backbone in column.standing.replicates]
    return bool(scored) and not any(backbone in each.ordered for each in scored)


def cell(column: Column, backbone: str, leads: bool) -> str:
    paper, found = _quoted(column.stated(backbone)), column.standing
    if backbone not in found.replicates:
        return missing(backbone, column.task, *column.sensors) + paper
    replicates = found.replicates[backbone]
    text = number(replicates[0], column.spread.get(backbone, math.nan), *interval(replicates))
    share = found.share(backbone)
    return bold(text, leads) + (f" ({share})" if share else "") + paper


def _quoted(told: str) -> str:
    """What the paper states, as it follows a score."""
    return f" (paper: {told})" if told else ""


def missing(backbone: str, task: Task | None, *sensors: str) -> str:
    """What stands where a score is absent: a reference has no meaning in another task than its own.

    sensors: of the images; a backbone that cannot read one of them is not comparable.
    """
    if REFERENCES.get(backbone, task) != task:
        return "-"
    return NOT_RUN if all(_can_read(backbone, sensor) for sensor in sensors) else NOT_COMPARABLE


def _can_read(backbone: str, sensor: str) -> bool:
    """Whether its bands or its stems allow it: beyond the paper's two stems an arm reads what it was trained on."""
    if backbone in BACKBONES:
        return not BACKBONES[backbone].lacking(sensor)
    path = SENSORS[sensor].path
    return path in PAPER_PATHS or (backbone in ARMS and path in ARMS[backbone].paths)


def share(label_fraction: float) -> str:
    return f"{100 * label_fraction:g} %"
