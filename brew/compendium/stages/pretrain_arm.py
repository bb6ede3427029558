"""Stage `pretrain`: one arm's student and its history.

The notebook trains on one accelerator, or in a few forked processes on the CPU (`BREW_PROCESSES`), where two processes
of one thread are faster than one of two. A run over more is started from the shell, by torchrun or SLURM:

    torchrun --nproc-per-node 8 -m brew.compendium.stages.pretrain_arm --scale SCALE --arm ARM

It leaves the checkpoint of its last step, with which the notebook has nothing left to train; see
docs/running-in-parallel.md.
"""

import argparse
import ctypes
import dataclasses
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import matplotlib.pyplot as plt
import pandas as pd
import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning_fabric.strategies.ddp import DDPStrategy
from matplotlib.figure import Figure
from torch.multiprocessing.spawn import ProcessRaisedException

from brew.compendium import schema
from brew.compendium.report.style import colour, save
from brew.compendium.scale_teachers import ready_teacher
from brew.compendium.scales import arm_and_seed
from brew.compendium.settings import FeedSettings, Pretraining
from brew.compendium.stages import Stage, begin, processes
from brew.compendium.stages.unfinished import checkpoint_of
from brew.data.batches import Batches
from brew.data.miniature.feed import RenderedFeed
from brew.data.store import open_store
from brew.errors import BrewError
from brew.files import sha256
from brew.models.student import build_student, save_student
from brew.models.teachers import OpticalTeacher, TeacherUnavailable
from brew.pretraining.arms import Arm, arm
from brew.pretraining.loop import Feed, Pretrained, pretrain
from brew.sensors import PAPER_PATHS

#: Precisions that the loop is written for, with what frozen weights are kept in. float16 is none of them: it needs its
#: losses scaled, and the coding rate's determinants leave its range.
_PRECISIONS = {"32-true": torch.float32, "bf16-mixed": torch.bfloat16}


def plan(stage: Stage, run: str) -> tuple[Arm, Pretraining]:
    """The run's arm with the scale's teacher, and its numbers with its own seed and what `changes` says of it.

    run: an entry of the scale's `arms`, such as "deo", or "deo-seed1" for the arm repeated with the next seed.
    """
    numbers, (name, repetition) = stage.settings.pretraining, arm_and_seed(run)
    changes = dataclasses.asdict(numbers.optimisation) | dict(stage.settings.changes.get(run, {}))
    optimisation = schema.load(type(numbers.optimisation), changes, f"changes.{run}")
    seeded = dataclasses.replace(optimisation, seed=optimisation.seed + repetition)
    return arm(name).with_teacher(stage.settings.teacher), dataclasses.replace(numbers, optimisation=seeded)


def describe(stage: Stage, run: str) -> pd.Series:
    """What the arm is and what it is trained on, as a table."""
    chosen, numbers = plan(stage, run)
    return pd.Series(
        {
            "arm": f"{chosen.name}: {chosen.summary}",
            "stems": ", ".join(chosen.paths),
            "self-distilled": ", ".join(entry.path for entry in chosen.self_distillation) or "none",
            "restored where masked": ", ".join(entry.path for entry in chosen.masking) or "none",
            "optical teacher": ", ".join(
                f"{entry.teacher} ({', '.join(f'{token} x {weight:g}' for token, weight in entry.tokens)}) through the "
                f"{entry.path} stem" for entry in chosen.distillation
            ) or "none",
            "student": numbers.trunk,
            "images per step": ", ".join(f"{feed.batch} of {feed.source}" for feed in usable(chosen, numbers.feeds)),
            "steps": numbers.optimisation.steps,
            "seed": numbers.optimisation.seed,
        },
        name="value",
    )  # fmt: skip


def usable(chosen: Arm, feeds: tuple[FeedSettings, ...]) -> tuple[FeedSettings, ...]:
    """The feeds that have an image for one of the arm's stems; a multispectral one has optical bands too."""
    reach = {"multispectral": {"multispectral", "optical"}}
    return tuple(
        feed
        for feed in feeds
        if any(set(chosen.paths) & reach.get(variable, {variable}) for variable in feed.variables)
    )


def _read(chosen: Arm, feed: FeedSettings) -> tuple[str, ...]:
    """The feed's variables that the arm looks at: radar images only where it has a stem for them."""
    return tuple(variable for variable in feed.variables if variable in (*PAPER_PATHS, *chosen.paths))


def train(stage: Stage, run: str) -> pd.DataFrame:
    """Pretrain the arm, or go on with an interrupted run; leaves its student and history.

    An arm whose teacher is absent leaves a note instead of a student and is "not run" in the report.
    """
    folder = stage.layout.write(f"pretrain/{run}")
    chosen, numbers = plan(stage, run)
    try:
        teachers = {entry: ready_teacher(stage, entry) for entry in chosen.teachers}
    except TeacherUnavailable as absent:
        (folder / "not-run.txt").write_text(f"{absent}\n")
        return pd.DataFrame()
    fabric = _fabric(numbers, processes(), start_method="fork")
    unfinished = _unfinished(stage, chosen, numbers, fabric)

    rows = unfinished.with_suffix(".pickle")
    rows.parent.mkdir(parents=True, exist_ok=True)

    def share(fabric: Fabric) -> None:
        """Leaves files and returns nothing: a forked process that returns more than a pipe holds never ends."""
        trained = _train(stage, chosen, numbers, teachers, unfinished, fabric)
        if fabric.is_global_zero:
            o = numbers.optimisation
            provenance = {"arm": chosen.name, "scale": stage.settings.scale.name, "steps": o.steps, "seed": o.seed}
            save_student(folder / "student.pt", trained.student.cpu(), provenance)
            trained.history.to_pickle(rows)

    try:
        fabric.launch(share) if fabric.world_size > 1 else share(fabric)
    except ProcessRaisedException as error:  # of a forked process, whose error comes as the text of its traceback
        raise BrewError(str(error).strip().splitlines()[-1].partition(": ")[2]) from error
    history = pd.read_pickle(rows)
    history.round(6).to_csv(folder / "history.csv", index=False)
    for file in snapshots(unfinished, numbers).values():
        (folder / "snapshots").mkdir(exist_ok=True)
        shutil.copy(file, folder / "snapshots")
    shutil.rmtree(unfinished.with_suffix(""), ignore_errors=True)
    for file in (rows, unfinished):
        file.unlink(missing_ok=True)
    return history


def _fabric(
    numbers: Pretraining, devices: int = 1, nodes: int = 1, patience_s: float = 600.0,
    start_method: Literal["popen", "fork"] = "popen",
) -> Fabric:  # fmt: skip
    """One process, or data parallelism over `devices` processes on each of `nodes` machines.

    patience_s: how long a process waits for another one before it gives up.
    start_method: how processes start that nobody launched; a notebook can only fork them.
    Buffers are constants of the trunks: no process has to send them to the others.
    Raises BrewError for a precision that the losses cannot bear.
    """
    if numbers.precision not in _PRECISIONS:
        raise BrewError(
            f"pretraining.precision is {numbers.precision!r}; expected one of {', '.join(_PRECISIONS)} "
            "(float16 would need scaled losses, and the coding rate leaves its range)"
        )
    patience = timedelta(seconds=patience_s)
    parallel = DDPStrategy(
        timeout=patience, start_method=start_method, forward_sync_buffers=False, gradient_as_bucket_view=True
    )
    return Fabric(
        accelerator="auto", devices=devices, num_nodes=nodes, strategy=parallel if devices * nodes > 1 else "auto",
        precision=numbers.precision,  # type: ignore[arg-type]
    )  # fmt: skip


def _train(
    stage: Stage, chosen: Arm, numbers: Pretraining, teachers: Mapping[str, OpticalTeacher], unfinished: Path,
    fabric: Fabric, keep: bool = False,
) -> Pretrained:  # fmt: skip
    """Train this process's share."""
    o, teachers = numbers.optimisation, {entry: _on_device(it, numbers, fabric) for entry, it in teachers.items()}
    feeds = [_feed(stage, chosen, feed, o.seed, fabric) for feed in usable(chosen, numbers.feeds)]
    student = build_student(
        numbers.trunk, chosen.paths, fixed_count=o.fixed_count, maskable=bool(chosen.masking), seed=o.seed
    )
    on_the_way = snapshots(unfinished, numbers)
    for file in on_the_way.values():
        file.parent.mkdir(parents=True, exist_ok=True)
    return pretrain(chosen, student, teachers, feeds, numbers.views, o, unfinished, fabric, keep, on_the_way)


def _feed(stage: Stage, chosen: Arm, feed: FeedSettings, seed: int, fabric: Fabric) -> Feed:
    """This process's share of a source: its store's samples, or scenes behind its store's last one."""
    path, share = stage.layout.store(feed.source), (fabric.device, fabric.global_rank, fabric.world_size)
    if not feed.rendered:
        return Batches(feed.source, path, _read(chosen, feed), feed.splits, feed.batch, seed, *share)
    world = stage.settings.data.miniature
    assert world is not None  # it has a store
    device, rank, processes = share
    return RenderedFeed(
        feed.source, world.seed, feed.rendered, feed.batch, world.size, _read(chosen, feed), device,
        first=open_store(path).sizes["sample"], rank=rank, world=processes,
    )  # fmt: skip


def snapshots(unfinished: Path, numbers: Pretraining) -> dict[int, Path]:
    """After which steps, but for the last one, a run keeps its student, and where until it ends.

    In a folder beside the checkpoint, so that an interrupted run finds those that it has written.
    """
    folder, count, steps = unfinished.with_suffix(""), numbers.snapshots, numbers.optimisation.steps
    return {step: folder / f"{step}.pt" for step in (round(steps * part / count) for part in range(1, count))}


def _on_device(teacher: OpticalTeacher, numbers: Pretraining, fabric: Fabric) -> OpticalTeacher:
    """On an accelerator a frozen network's weights are kept as autocast would round them at every step."""
    if fabric.device.type == "cuda":
        teacher.network.to(_PRECISIONS[numbers.precision])
    return teacher.to(fabric.device)


def _unfinished(stage: Stage, chosen: Arm, numbers: Pretraining, fabric: Fabric) -> Path:
    """The run's checkpoint, which the same arm, numbers, data, teachers and code may continue.

    The number of processes belongs to them only where the coding rate depends on it.
    """
    sources = stage.layout.read("data") / "sources.csv"
    teachers = [file for name in chosen.teachers for file in stage.layout.read("optical-teacher").glob(f"{name}*.pt")]
    processes = fabric.world_size if numbers.optimisation.covariance == "local" else None
    return checkpoint_of(
        f"{stage.settings.scale.name}-{chosen.name}-{numbers.optimisation.seed}",
        dataclasses.asdict(chosen), dataclasses.asdict(numbers), processes, sources.read_text(),
        sorted(map(sha256, teachers)),
    )  # fmt: skip


def curves(stage: Stage, run: str) -> Figure:
    """Every similarity of the run by name, smoothed over 2 % of the steps."""
    folder = stage.layout.write(f"pretrain/{run}")
    if not (folder / "history.csv").exists():
        figure, axis = plt.subplots(figsize=(6, 1))
        axis.text(0, 0.5, (folder / "not-run.txt").read_text(), wrap=True)
        axis.axis("off")
        return figure
    history = pd.read_csv(folder / "history.csv")
    named = [column for column in history if "/" in column]
    smooth = history[named].rolling(max(1, len(history) // 50), min_periods=1).mean()
    figure, axes = plt.subplots(
        1, len(named), figsize=(2.6 * len(named), 2.4), sharex=True, layout="constrained", squeeze=False
    )
    for axis, column in zip(axes[0], named, strict=True):
        axis.plot(history["step"], history[column], color="0.85", lw=0.8)
        axis.plot(history["step"], smooth[column], color=colour(arm_and_seed(run)[0]), lw=1.6)
        axis.set(title=column, xlabel="step")
    axes[0, 0].set_ylabel("similarity (maximised)")
    caption = f"Training of {run}: every similarity by name, per step (grey) and smoothed over 2 % of the steps."
    save(figure, folder / f"training-{run}.png", caption)
    return figure


def launched() -> tuple[int, int]:
    """Processes per machine, and machines, as torchrun or SLURM started them; (1, 1) where neither did."""
    if TorchElasticEnvironment.detect():
        local = int(os.environ["LOCAL_WORLD_SIZE"])
        return local, int(os.environ["WORLD_SIZE"]) // local
    if SLURMEnvironment.detect():
        nodes = int(os.environ["SLURM_NNODES"])
        return int(os.environ["SLURM_NTASKS"]) // nodes, nodes
    return 1, 1


@contextmanager
def _one_of(processes: int, unfinished: Path) -> Iterator[None]:
    """Ends with the launcher, and turns the loss of another process into a BrewError that says what is left."""
    if processes == 1:
        yield
        return

    def stop(*_: Any) -> None:
        raise BrewError("the launcher ended this process, as it does when another one has failed")

    signal.signal(signal.SIGTERM, stop)
    if sys.platform == "linux":  # a launcher that is killed cannot end its processes
        ctypes.CDLL(None).prctl(1, int(signal.SIGKILL), 0, 0, 0)  # 1: PR_SET_PDEATHSIG
    try:
        yield
    except (BrewError, RuntimeError) as error:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # this process ends by itself now, once it has said why
        if not isinstance(error, BrewError):
            traceback.print_exc()
        left = (
            f"{unfinished} holds the last checkpoint: the same command goes on from there, with any number of processes"
            if unfinished.exists()
            else "no checkpoint was written yet: the same command starts anew"
        )
        rank = os.environ.get("RANK") or os.environ.get("SLURM_PROCID")
        raise BrewError(
            f"process {rank} of {processes}: {str(error).splitlines()[0]}; expected all processes until the last step. "
            "The launcher's last lines say how each one ended (signal 9: often a lack of memory, or it fell silent). "
            f"{left}"
        ) from error


def main(arguments: list[str] | None = None) -> int:
    """Train one arm from the shell, and leave the checkpoint of its last step where the notebook's stage finds it."""
    parser = argparse.ArgumentParser(prog="python -m brew.compendium.stages.pretrain_arm", description=main.__doc__)
    parser.add_argument("--scale", required=True)
    parser.add_argument("--arm", required=True, help="an entry of the scale's `arms`, such as deo or deo-seed1")
    parser.add_argument(
        "--patience", type=float, default=600.0, metavar="S", help="seconds that a process waits for another one (600)"
    )
    given = parser.parse_args(arguments)
    devices, nodes = launched()
    if devices * nodes == 1:  # as in the notebook with `BREW_PROCESSES=1`, so that the bits are the same
        torch.set_num_threads(int(os.environ.get("BREW_THREADS", "1")))
    try:
        stage = begin(given.scale)
        chosen, numbers = plan(stage, given.arm)
        fabric = _fabric(numbers, devices, nodes, given.patience)
        unfinished = _unfinished(stage, chosen, numbers, fabric)
        with _one_of(devices * nodes, unfinished):
            fabric.launch()
            teachers = {entry: ready_teacher(stage, entry) for entry in chosen.teachers}
            _train(stage, chosen, numbers, teachers, unfinished, fabric, keep=True)
    except BrewError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if fabric.is_global_zero:
        print(f"{unfinished} holds the last step; `make repro SCALE={given.scale}` takes it from there")
    return 0


if __name__ == "__main__":
    sys.exit(main())
