"""The training step in one and in two processes of one thread each, with as many images per process: weak scaling.

The miniature's sizes, over gloo, on the CPU. Two processes are launched once. In turn, the first trains alone while
the other waits, then both train; a step lasts from one batch to the next. The gradients' all-reduce is timed by itself,
on a tensor as large. Left out: accelerators, networks between machines, what hides behind the backward pass.
"""

import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
import torch.distributed as dist
from lightning_fabric import Fabric

from benchmarks.harness import Comparison, Measurement, arguments, machine, write
from brew.data.batches import Batch
from brew.data.miniature.rendering import render
from brew.models.student import build_student
from brew.models.teachers import TEACHERS
from brew.pretraining.arms import arm
from brew.pretraining.loop import pretrain
from brew.pretraining.optimisation import Optimisation
from brew.views import ViewSettings

_PROCESSES = 2
#: The first steps of a run start its optimiser and warm its memory.
_WARMUP = 2


@dataclass(frozen=True)
class Sizes:
    """batch: images per process. steps: that count, of one round. pixels: of a scene's ten bands, per side."""

    trunk: str
    batch: int
    steps: int
    pixels: int
    hidden: int
    views: ViewSettings


MINIATURE = Sizes(
    "swin-micro", 16, 6, 64, 512,
    ViewSettings(
        global_size=48, local_size=24, locals=4, global_area=(0.15, 0.5), local_area=(0.03, 0.15), blur_kernel=5
    ),
)  # fmt: skip
QUICK = Sizes("swin-nano", 4, 1, 32, 32, ViewSettings(global_size=32, local_size=16, locals=2, blur_kernel=5))


@dataclass
class Watched:
    """One batch again and again, and when each was taken."""

    batch: Batch
    steps: int
    name: str = "scenes"
    taken: list[float] = field(default_factory=list)

    def __len__(self) -> int:
        return self.steps

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[Batch]:
        for _ in range(start_step, self.steps):
            self.taken.append(time.perf_counter())
            yield self.batch


def seconds_per_step(fabric: Fabric, sizes: Sizes) -> float:
    """Median of one short run of `pretrain`."""
    shown = render(torch.arange(sizes.batch), 5, products=("multispectral", "optical"), size=sizes.pixels)
    feed = Watched(Batch(torch.arange(sizes.batch), {name: each[:, 0] for name, each in shown.items()}), 10**6)
    steps = _WARMUP + sizes.steps + 1
    chosen = arm("deo").with_teacher("miniature")
    student = build_student(sizes.trunk, chosen.paths, seed=0)
    teachers = {name: TEACHERS[name].build(random=True) for name in chosen.teachers}
    with tempfile.TemporaryDirectory() as folder:
        pretrain(
            chosen, student, teachers, [feed], sizes.views,
            Optimisation(steps=steps, learning_rate=1e-3, hidden=sizes.hidden), Path(folder) / "unfinished.pt", fabric,
        )  # fmt: skip
    return median_gap(feed.taken, _WARMUP)


def median_gap(moments: Sequence[float], warmup: int) -> float:
    """Median of the seconds between neighbours, without the first `warmup`."""
    return statistics.median(after - before for before, after in itertools.pairwise(moments[warmup:]))


def seconds_per_all_reduce(values: torch.Tensor, times: int = 5) -> float:
    """Median of some, each after all processes have met."""
    taken = []
    for _ in range(times):
        dist.barrier()
        start = time.perf_counter()
        dist.all_reduce(values)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def work(sizes: Sizes, rounds: int, quick: bool) -> None:
    """One of the processes; the first writes the result."""
    torch.set_num_threads(1)
    together = Fabric(accelerator="cpu", devices=_PROCESSES, strategy="ddp")
    together.launch()
    alone = Fabric(accelerator="cpu", devices=1)
    parameters = build_student(sizes.trunk, arm("deo").paths, seed=0).parameters()
    gradients = torch.zeros(sum(each.numel() for each in parameters))
    runs: dict[str, Callable[[], float]] = {
        "one": lambda: seconds_per_step(alone, sizes) if together.is_global_zero else 0.0,
        "two": lambda: seconds_per_step(together, sizes),
        "all-reduce": lambda: seconds_per_all_reduce(gradients),
    }
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            seconds[name].append(run())
            dist.barrier()
    if together.is_global_zero:
        settings = {
            "trunk": sizes.trunk,
            "images_per_process": sizes.batch,
            "processes": [1, _PROCESSES],
            "gradient_bytes": gradients.numel() * gradients.element_size(),
        }
        found = machine()
        one, two, reduced = (
            Measurement(title, unit, size, tuple(seconds[name]), settings, found)
            for name, title, unit, size in (
                ("one", "weak scaling: images of two processes beside one", "images/s", sizes.batch),
                ("two", "weak scaling: images of two processes beside one", "images/s", _PROCESSES * sizes.batch),
                ("all-reduce", "all-reduce of the student's gradients", "all-reduces/s", 1),
            )
        )
        write("weak_scaling", Comparison(two, one), reduced, quick=quick)
    dist.destroy_process_group()


def main(given: Sequence[str] | None = None) -> None:
    chosen = arguments(__doc__, given)
    if "WORLD_SIZE" in os.environ:
        return work(QUICK if chosen.quick else MINIATURE, chosen.rounds, chosen.quick)
    launcher = ["torch.distributed.run", "--standalone", "--nproc-per-node", str(_PROCESSES)]
    again = ["-m", "benchmarks.weak_scaling", "--rounds", str(chosen.rounds), *(["--quick"] if chosen.quick else [])]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    subprocess.run([sys.executable, "-m", *launcher, *again], env=environment, check=True)


if __name__ == "__main__":
    main()
