"""Stage `pretrain`: one arm's student and its history.

The notebook trains on one accelerator, or in a few forked processes on the CPU (`BREW_PROCESSES`): there two processes
of one thread are faster than one of two. On a machine with several accelerators it launches the command `brew pretrain`
once for each (`pretraining.processes`). A run over several machines is started from the shell, by torchrun or SLURM:

    torchrun --nnodes 2 --nproc-per-node 8 ... -m brew pretrain --scale SCALE --arm ARM

Either leaves the checkpoint of its last step, which the notebook then takes (docs/running-in-parallel.md).
"""

import argparse
import math
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import torch
from lightning_fabric import Fabric

from brew.compendium import launching
from brew.compendium.environment import PORTABLE
from brew.compendium.processes import training_processes
from brew.compendium.scale_teachers import ready_teacher
from brew.compendium.settings import Pretraining
from brew.compendium.stages import Stage, begin, processes
from brew.compendium.stages.arm_plan import plan
from brew.compendium.stages.training_feeds import check_labels, share_of, usable
from brew.compendium.stages.unfinished import checkpoint_of_arm, snapshots
from brew.errors import BrewError
from brew.models.student import build_student, save_student
from brew.models.teachers import OpticalTeacher, TeacherUnavailable
from brew.pretraining.arms import Arm
from brew.pretraining.loop import Pretrained, pretrain


def train(stage: Stage, run: str) -> pd.DataFrame:
    """Pretrain the arm, or go on with an interrupted run; leaves its student and history.

    An arm whose teacher is absent leaves a note instead of a student and is "not run" in the report.
    """
    folder, (chosen, numbers) = stage.layout.write(f"pretrain/{run}"), plan(stage, run)
    try:
        teachers = {entry: ready_teacher(stage, entry) for entry in chosen.teachers}
    except TeacherUnavailable as absent:
        (folder / "not-run.txt").write_text(f"{absent}\n")
        return pd.DataFrame()
    batches = [feed.batch for feed in usable(chosen, numbers.feeds)]
    spread = training_processes(numbers.processes, batches, stage.settings.bits == "portable")
    if spread > 1:
        check_processes(stage, spread)
        launching.launch(spread, ["pretrain", "--scale", stage.settings.scale.name, "--arm", run])
    fabric = launching.here(numbers.precision, 1 if spread > 1 else processes())
    unfinished = checkpoint_of_arm(stage, chosen, numbers, max(spread, fabric.world_size))
    rows = unfinished.with_suffix(".pickle")
    rows.parent.mkdir(parents=True, exist_ok=True)

    def share(fabric: Fabric) -> None:
        trained = train_share(stage, chosen, numbers, teachers, unfinished, fabric)
        if fabric.is_global_zero:
            o = numbers.optimisation
            provenance = {"arm": chosen.name, "scale": stage.settings.scale.name, "steps": o.steps, "seed": o.seed}
            save_student(folder / "student.pt", trained.student.cpu(), provenance)
            trained.history.to_pickle(rows)

    launching.run(fabric, share)
    history = pd.read_pickle(rows)
    history.round(6).to_csv(folder / "history.csv", index=False)
    for file in snapshots(unfinished, numbers).values():
        (folder / "snapshots").mkdir(exist_ok=True)
        shutil.copy(file, folder / "snapshots")
    shutil.rmtree(unfinished.with_suffix(""), ignore_errors=True)
    for file in (rows, unfinished):
        file.unlink(missing_ok=True)
    return history


def train_share(
    stage: Stage, chosen: Arm, numbers: Pretraining, teachers: Mapping[str, OpticalTeacher], unfinished: Path,
    fabric: Fabric, keep: bool = False,
) -> Pretrained:  # fmt: skip
    """This process's share of the training. keep: leave the checkpoint of the last step."""
    o = numbers.optimisation
    check_labels(stage, chosen)
    if fabric.device.type == "cuda":  # a frozen network's weights are kept as autocast would round them at every step
        for teacher in teachers.values():
            teacher.network.to(launching.PRECISIONS[numbers.precision])
    placed = {entry: teacher.to(fabric.device) for entry, teacher in teachers.items()}
    feeds = [share_of(stage, chosen, feed, o.seed, fabric) for feed in usable(chosen, numbers.feeds)]
    student = build_student(
        numbers.trunk, chosen.paths, fixed_count=o.fixed_count, fused_attention=o.fused_attention,
        maskable=bool(chosen.masking), seed=o.seed,
    )  # fmt: skip
    on_the_way = snapshots(unfinished, numbers)
    for file in on_the_way.values():
        file.parent.mkdir(parents=True, exist_ok=True)
    return pretrain(chosen, student, placed, feeds, numbers.views, o, unfinished, fabric, keep, on_the_way)


def check_processes(stage: Stage, launched: int) -> None:
    """BrewError if so many processes give other bits than those that the stage forks, and the scale asks for those."""
    if stage.settings.bits == "portable" and str(launched) != PORTABLE["BREW_PROCESSES"]:
        raise BrewError(
            f"bits: portable, and {launched} processes were started; expected {PORTABLE['BREW_PROCESSES']}, since "
            "their number decides the order of sums. Start so many, or set `bits: native` in the scale's parameters"
        )


def main(arguments: list[str] | None = None) -> int:
    """Train one arm from the shell, and leave the checkpoint of its last step where the notebook's stage finds it."""
    parser = argparse.ArgumentParser(prog="brew pretrain", description=main.__doc__)
    parser.add_argument("--scale", required=True)
    parser.add_argument("--arm", required=True, help="an entry of the scale's `arms`, such as deo or deo-seed1")
    parser.add_argument("--patience", type=float, default=600.0, metavar="S", help="seconds for another process")
    given = parser.parse_args(arguments)
    try:
        processes_launched = math.prod(launching.launched())
        if processes_launched == 1:  # as in the notebook with `BREW_PROCESSES=1`, so that the bits are the same
            torch.set_num_threads(int(os.environ.get("BREW_THREADS", "1")))
        stage = begin(given.scale, keeps=True)
        check_processes(stage, processes_launched)
        chosen, numbers = plan(stage, given.arm)
        fabric = launching.as_launched(numbers.precision, given.patience)
        unfinished = checkpoint_of_arm(stage, chosen, numbers, processes_launched)
        with launching.one_of(processes_launched, unfinished):
            fabric.launch()
            teachers = {entry: ready_teacher(stage, entry) for entry in chosen.teachers}
            train_share(stage, chosen, numbers, teachers, unfinished, fabric, keep=True)
    except BrewError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if fabric.is_global_zero:
        print(f"{unfinished} holds the last step; `make repro SCALE={given.scale}` takes it from there")
    return 0
