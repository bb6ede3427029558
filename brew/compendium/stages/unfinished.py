"""Where the checkpoint of an unfinished training lies: its name is what may continue it.

A checkpoint of other code, data or settings would go on with the wrong method, so each has a name of its own. Code
counts if training imports it; comments, docstrings and layout do not count. Of the table of arms the trained one alone
counts, so a new arm keeps the checkpoints of all others.
"""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

from brew import files
from brew.compendium.settings import Pretraining
from brew.compendium.stages import Stage
from brew.evaluation.cache_keys import sources_digest
from brew.files import sha256
from brew.pretraining.arms import Arm

#: What training runs; the modules that they import count too.
_TRAINS = (
    "brew.data.batches", "brew.data.miniature.feed", "brew.models.student", "brew.models.teachers",
    "brew.pretraining.arm_parts", "brew.pretraining.loop", "brew.pretraining.self_distilled_teacher",
)  # fmt: skip
#: What every name is told by value: the arm.
_TOLD = frozenset({"brew.pretraining.arms"})


def checkpoint_of(name: str, chosen: Arm, *depends_on: object) -> Path:
    """The file of that run of an arm. depends_on: beside the arm and the code, what JSON can hold."""
    told = [asdict(chosen), *depends_on, sources_digest(*_TRAINS, past=_TOLD)]
    digest = hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()[:12]
    return files.SCRATCH / "unfinished" / f"{name}-{digest}.pt"


def checkpoint_of_arm(stage: Stage, chosen: Arm, numbers: Pretraining, processes: int) -> Path:
    """An arm's checkpoint, which the same arm, numbers, data, teachers and code may continue.

    The number of processes counts only if the coding rate depends on it.
    """
    sources = stage.layout.read("data") / "sources.csv"
    followed = {name: value for name, value in asdict(numbers).items() if name != "processes"}
    teachers = [file for name in chosen.teachers for file in stage.layout.read("optical-teacher").glob(f"{name}*.pt")]
    return checkpoint_of(
        f"{stage.settings.scale.name}-{chosen.name}-{numbers.optimisation.seed}",
        chosen, followed, processes if numbers.optimisation.covariance == "local" else None,
        sources.read_text(), sorted(map(sha256, teachers)), stage.rounding,
    )  # fmt: skip


def snapshots(unfinished: Path, numbers: Pretraining) -> dict[int, Path]:
    """After which steps, but for the last one, a run keeps its student, and where until it ends.

    They lie in a folder beside the checkpoint, so that an interrupted run finds those that it has written.
    """
    folder, count, steps = unfinished.with_suffix(""), numbers.snapshots, numbers.optimisation.steps
    return {step: folder / f"{step}.pt" for step in (round(steps * part / count) for part in range(1, count))}
