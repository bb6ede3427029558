"""The paper's tables from scores on file: one form, over the paper's thirteen benchmarks or over those at hand.

A cell reads ``mean +/- deviation over seeds [95 % interval over test samples]``; in bold stands the best of its column
if its difference to each other one lies outside its own interval; what the paper states follows in brackets. Left out:
reading and writing of files.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pandas as pd

from brew.compendium.report.claims import Claim, Ours, stated
from brew.compendium.report.formatting import bold, number
from brew.compendium.report.joint import ModelReplicates, Replicates, average, average_ranks, interval, leader
from brew.compendium.report.paper import MODALITIES, TASKS, Group
from brew.compendium.report.style import label
from brew.compendium.report.summary import in_order
from brew.evaluation.benchmarks import BENCHMARKS, Task
from brew.evaluation.zoo import BACKBONES
from brew.pretraining.arms import ARMS
from brew.sensors import PAPER_PATHS, SENSORS

#: Methods of one task alone, no backbones: they have no place in a rank, and none in another task.
REFERENCES: dict[str, Task] = {"cva": "change", "fc-siam-diff": "change", "unet-resnet50": "segmentation"}
NOT_RUN, NOT_COMPARABLE = "not run", "not comparable"


@dataclass(frozen=True)
class Scored:
    """Everything that tables are made from.

    replicates: by benchmark and share of the labels, seeds averaged. summary: of the same scores, by `summarise`.
    claims: with those of the paper. compared: backbones that have a row in the paper's tables, run or not.
    labelled: how many samples a share of a benchmark's training labels is, where that is known. runs: what `replicates`
    averages, backbone -> seed -> replicates.
    """

    replicates: Mapping[tuple[str, float], ModelReplicates]
    summary: pd.DataFrame
    claims: Sequence[Claim] = ()
    compared: Sequence[str] = ()
    labelled: Mapping[tuple[str, float], int] = field(default_factory=dict)
    runs: Mapping[tuple[str, float], Mapping[str, Mapping[int, Replicates]]] = field(default_factory=dict)

    def of(self, benchmark: str, label_fraction: float = 1.0) -> ModelReplicates:
        """Draws of every backbone that was scored on it from that share of the labels."""
        return self.replicates.get((benchmark, label_fraction), {})

    def spread(self, benchmark: str, label_fraction: float = 1.0) -> dict[str, float]:
        """Deviation over seeds by backbone, NaN for one seed."""
        table = self.summary
        chosen = table[(table["benchmark"] == benchmark) & (table["label_fraction"] == label_fraction)]
        return dict(zip(chosen["backbone"], chosen["spread"], strict=True))


@dataclass(frozen=True)
class Column:
    """One column of a table.

    task: None where it averages over tasks. sensors: of its images. stated: backbone -> what the paper says of it.
    bold: whether its best is to stand out.
    """

    title: str
    replicates: ModelReplicates
    task: Task | None
    sensors: tuple[str, ...] = ()
    spread: Mapping[str, float] = field(default_factory=dict)
    stated: Callable[[str], str] = lambda backbone: ""
    bold: bool = True


def task_table(scored: Scored, task: Task, names: Sequence[str], paper: bool = False) -> pd.DataFrame:
    """Backbones by the benchmarks of a task among `names`, with averages. paper: with what the paper states.

    Optical benchmarks come first. In the paper's form the models that it or brew compares have rows, run or not.
    """
    groups = [group for group in _groups(task, names) if len(group.members(names)) > 1]
    columns = []
    for modality in (*MODALITIES, "radar"):
        members = Group(task, modality).members(names)
        columns += [benchmark_column(scored, name, paper) for name in members]
        columns += [average_column(scored, group, names, paper) for group in groups if group.modality == modality]
    columns += [average_column(scored, group, names, paper) for group in groups if group.modality is None]
    rows = {backbone for column in columns for backbone in column.replicates}
    if paper:
        rows |= {model for model in _models(scored.claims) if any(column.stated(model) for column in columns)}
        rows |= set(scored.compared)
    return wide(columns, in_order(rows))


def _groups(task: Task, names: Sequence[str]) -> list[Group]:
    """The averages of a task's table: of each modality where both have several benchmarks, and of all."""
    parts = [Group(task, "optical"), Group(task, "multispectral")]
    return [*(parts if all(len(part.members(names)) > 1 for part in parts) else []), Group(task)]


def _models(claims: Iterable[Claim]) -> list[str]:
    """Those that the paper's tables name; rows of its ablation are arms of ours."""
    stated_of = (claim.ours.backbone or claim.model for claim in claims if claim.ours.backbone or not claim.ours.arm)
    return list(dict.fromkeys(stated_of))


def benchmark_column(scored: Scored, name: str, paper: bool = False, label_fraction: float = 1.0) -> Column:
    """A benchmark's scores from a share of the training labels. paper: with what the paper states."""
    entry = BENCHMARKS[name]
    return Column(
        f"{entry.modality}: {name} ({entry.metric.replace('_', ' ')})",
        scored.of(name, label_fraction),
        entry.task,
        (entry.sensor,),
        scored.spread(name, label_fraction),
        (lambda backbone: stated(scored.claims, backbone, name, label_fraction)) if paper else lambda backbone: "",
    )


def average_column(scored: Scored, group: Group, names: Sequence[str], paper: bool = False) -> Column:
    """The mean over those of `names` that are in the group, of what was scored on all of them."""
    members = group.members(names)
    replicates = average([scored.of(name) for name in members])
    sensors = tuple(dict.fromkeys(BENCHMARKS[name].sensor for name in members))
    told = (lambda backbone: stated(scored.claims, backbone, group)) if paper else lambda backbone: ""
    return Column(group.title, replicates, group.task, sensors, stated=told)


def wide(columns: Sequence[Column], backbones: Sequence[str]) -> pd.DataFrame:
    """One row per backbone, one column per `Column`."""
    leaders = {column.title: leader(column.replicates) if column.bold else None for column in columns}
    cells = {
        column.title: [cell(column, backbone, leaders[column.title] == backbone) for backbone in backbones]
        for column in columns
    }
    return pd.DataFrame({"backbone": [label(name) for name in backbones], **cells})


def cell(column: Column, backbone: str, leads: bool) -> str:
    paper = _quoted(column.stated(backbone))
    if backbone not in column.replicates:
        return missing(backbone, column.task, *column.sensors) + paper
    replicates = column.replicates[backbone]
    text = number(replicates[0], column.spread.get(backbone, math.nan), *interval(replicates))
    return bold(text, leads) + paper


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


def rank_table(scored: Scored, names: Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
    """Average rank of every backbone over the scored benchmarks among `names`, task by task and over all.

    Ranked are the backbones that were scored on all of these benchmarks. Also returns the benchmarks ranked over.
    """
    ranked = [name for name in names if scored.of(name) and BENCHMARKS[name].modality in MODALITIES]
    everywhere = set(average([scored.of(name) for name in ranked])) - set(REFERENCES)
    replicates = {name: {each: scored.of(name)[each] for each in in_order(everywhere)} for name in ranked}
    columns = [
        Column(
            task,
            average_ranks([replicates[name] for name in ranked if BENCHMARKS[name].task == task]),
            task,
            bold=False,
        )
        for task in TASKS
    ] + [Column("all", average_ranks([replicates[name] for name in ranked]), "segmentation", bold=False)]
    order = sorted(in_order(everywhere), key=lambda name: columns[-1].replicates[name][0])
    return wide(columns, order), ranked


def low_data_table(scored: Scored, names: Sequence[str], paper: bool = False) -> pd.DataFrame:
    """Benchmarks among `names` that have scores from a share of the labels: backbones by shares, all labels first.

    paper: also those that the paper has numbers of, with what it states.
    """
    told = [
        each
        for each in scored.claims
        if paper and each.of_paper and each.label_fraction < 1 and each.benchmark in names
    ]
    pairs = {*scored.replicates, *((claim.benchmark, claim.label_fraction) for claim in told)}
    few = [name for name in names if any(part == name and label_fraction < 1 for part, label_fraction in pairs)]
    shares = sorted({1.0, *(label_fraction for name, label_fraction in pairs if name in few)}, reverse=True)
    parts = [pd.DataFrame(columns=["benchmark", "backbone"])]
    for name in few:
        columns = [
            replace(benchmark_column(scored, name, paper, label_fraction), title=share(label_fraction))
            for label_fraction in shares
        ]
        models = {model for column in columns for model in column.replicates}
        models |= {claim.ours.backbone or claim.model for claim in told if claim.benchmark == name}
        block = wide(columns, in_order(models))
        sizes = [
            str(scored.labelled[name, label_fraction])
            for label_fraction in shares
            if (name, label_fraction) in scored.labelled
        ]
        block.insert(0, "benchmark", f"{name} ({', '.join(sizes)} labelled samples)" if sizes else name)
        parts.append(block)
    return pd.concat(parts, ignore_index=True) if few else parts[0]


def share(label_fraction: float) -> str:
    return f"{100 * label_fraction:g} %"


def average_scores(scored: Scored, names: Sequence[str], groups: Iterable[Group]) -> list[tuple[Group, Ours]]:
    """Averages that were run whole, in the form that claims about averages are held against."""
    found = []
    for group in dict.fromkeys(groups):
        members = group.members(names)
        for backbone, replicates in average([scored.of(name) for name in members]).items():
            low, high = interval(replicates)
            setting = f"mean of {len(members)} benchmarks"
            found.append((group, Ours(backbone, float(replicates[0]), math.nan, low, high, setting, "mean")))
    return found
