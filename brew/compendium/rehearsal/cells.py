"""The cells of a rehearsal, benchmark by benchmark and model by model: scored, refused with a reason, or silent.

A cell is scored if every protocol and every share of the labels that the scale asks for has a score in it. It is
refused if the backbone says why it cannot be compared there. Anything else is silent, and an error of brew.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import get_args

from brew.compendium.scales import arm_and_seed
from brew.compendium.settings import Settings
from brew.compendium.stage import Stage
from brew.evaluation.benchmarks import Benchmark, Task
from brew.evaluation.protocols import COMMON
from brew.evaluation.scores import read_scores
from brew.evaluation.zoo import backbone
from brew.files import Layout


@dataclass(frozen=True)
class Cell:
    """A benchmark and a model. refused: why the model cannot be compared there, "" if it can. lacking: what was not
    scored of what should be, as "protocol, share of the labels"."""

    benchmark: str
    model: str
    refused: str = ""
    lacking: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cells:
    """All cells of a rehearsal."""

    every: tuple[Cell, ...]

    @property
    def scored(self) -> list[Cell]:
        return [cell for cell in self.every if not cell.refused and not cell.lacking]

    @property
    def refused(self) -> list[Cell]:
        return [cell for cell in self.every if cell.refused]

    @property
    def silent(self) -> list[Cell]:
        return [cell for cell in self.every if not cell.refused and cell.lacking]

    def in_words(self) -> str:
        """The counts, then every reason and every silent cell, a line each."""
        benchmarks = len({cell.benchmark for cell in self.every})
        reasons = defaultdict(list)
        for cell in self.refused:
            reasons[f"{cell.model}: {cell.refused}"].append(cell.benchmark)
        lines = [
            f"{len(self.every)} cells ({benchmarks} benchmarks): {len(self.scored)} scored, {len(self.refused)} "
            f"refused with a reason, {len(self.silent)} silent"
        ]
        lines += [f"  refused  {reason} ({', '.join(names)})" for reason, names in reasons.items()]
        lines += [f"  silent   {cell.benchmark}, {cell.model}: {'; '.join(cell.lacking)}" for cell in self.silent]
        return "\n".join(lines)


def cells_of(settings: Settings, scores: Path) -> Cells:
    """The cells that the settings ask for, by the scores in a file."""
    found = {(score.benchmark, score.arm, score.protocol, score.label_fraction) for score in read_scores(scores)}
    stage = Stage(settings, Layout(settings.scale.name))
    benchmarks = [entry for task in get_args(Task) for entry in stage.benchmarks(task)]
    return Cells(tuple(_cell(settings, entry, model, found) for entry in benchmarks for model in models(settings)))


def models(settings: Settings) -> list[str]:
    """What a scale compares on every benchmark: a random trunk, its arms, its teacher and backbones of others."""
    arms = dict.fromkeys(arm_and_seed(run)[0] for run in settings.arms)
    return ["random", *arms, "teacher", *(name for name in settings.backbones if name != settings.teacher)]


def _cell(settings: Settings, entry: Benchmark, model: str, found: set[tuple[str, str, str, float]]) -> Cell:
    if refused := _refusal(settings, entry, model):
        return Cell(entry.name, model, refused)
    asked = _asked(settings, entry, model)
    lacking = [f"{protocol}, {share:g}" for protocol, share in asked
               if (entry.name, model, protocol, share) not in found]  # fmt: skip
    return Cell(entry.name, model, lacking=tuple(lacking))


def _refusal(settings: Settings, entry: Benchmark, model: str) -> str:
    if model not in settings.backbones:
        return ""
    listed = backbone(model)
    if listed.supervised and entry.task != "segmentation":
        return "it is trained whole, for segmentation alone"
    return listed.lacking(entry.sensor)


def _asked(settings: Settings, entry: Benchmark, model: str) -> Iterator[tuple[str, float]]:
    """Protocols and shares of the labels; a supervised reference has brew's protocol and all labels."""
    evaluation = settings.evaluation
    if model in settings.backbones and backbone(model).supervised:
        yield COMMON, 1.0
        return
    protocols = [name for name in evaluation.protocols if name == COMMON or entry.protocol is not None]
    yield from product(protocols, evaluation.label_fractions)
