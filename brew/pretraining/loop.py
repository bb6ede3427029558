"""The training loop, on Lightning Fabric: CPU, one accelerator, several processes.

A step reads: views, teachers, student, similarities, update. Several processes train as one would on the same whole
batch: equal shares of it, gradients averaged, the coding rate's covariance summed. The host waits for the device where
a loss is checked and where the log is written, not elsewhere.

Left out: what is trained (arms), what is maximised (objective), where data lies (feeds), how well it did (evaluation),
how processes are started (`brew.compendium.stages.pretrain_arm`).
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol, cast, runtime_checkable

import pandas as pd
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim import Optimizer
from tqdm.auto import tqdm

from brew import randomness
from brew.data.batches import Batch
from brew.errors import BrewError
from brew.models.student import Student, save_student
from brew.models.teachers import OpticalTeacher, TeacherFeatures
from brew.pretraining import checkpoint
from brew.pretraining.arms import Arm
from brew.pretraining.ema import moving_average_of, update_moving_average
from brew.pretraining.objective import Learner, Noise, SelfProjector, ViewBatch, merge, similarities
from brew.pretraining.optimisation import Optimisation
from brew.pretraining.schedules import cosine, warmup_cosine
from brew.sensors import PAPER_PATHS
from brew.views import ViewSettings, draw_mask, make_views

#: One row per step: similarities by name, loss, gradient norm and what the schedules said.
Rows = list[dict[str, float | int]]


@runtime_checkable
class Feed(Protocol):
    """A source of batches: raw integers on the training device, every sample once per epoch.

    Of several processes each gets another share of every batch, all shares of one size.
    """

    @property
    def name(self) -> str: ...

    def __len__(self) -> int: ...

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[Batch]: ...


@dataclass(frozen=True)
class Pretrained:
    """What a run leaves: the student and its history, one row per step (similarities, loss, learning rate, ...)."""

    student: Student
    history: pd.DataFrame


def pretrain(
    arm: Arm,
    student: Student,
    teachers: Mapping[str, OpticalTeacher],
    feeds: Sequence[Feed],
    views: ViewSettings,
    optimisation: Optimisation,
    unfinished: Path,
    fabric: Fabric,
    keep: bool = False,
    snapshots: Mapping[int, Path] = MappingProxyType({}),
) -> Pretrained:
    """Train `student` as `arm` says, for `optimisation.steps` steps of one batch from each feed.

    unfinished: where the checkpoint of the run lies until it ends; a run that finds one goes on from it, to the same
        bits on the CPU, and with any number of processes. Process 0 writes it, all of them read it.
    keep: leave the checkpoint of the last step there; a run that finds it has nothing left to do but return.
    snapshots: after how many steps the student is kept on its way, and in which file. Process 0 writes them.

    Raises BrewError at a loss that is not finite, naming step, similarities and gradient norm, and where processes do
    not find the same checkpoint.
    """
    o = optimisation
    if arm.masking and views.mask_patch % student.trunk.patch:
        raise BrewError(
            f"views.mask_patch is {views.mask_patch} px; expected whole patches of the trunk, {student.trunk.patch} px "
            "each"
        )
    _freeze_unreached(student, arm)
    with torch.random.fork_rng(devices=[]):  # the heads' weights are keyed too
        torch.manual_seed(randomness.key(o.seed, "heads"))
        learner = Learner(student, arm, teachers, o.width, o.hidden).to(fabric.device)
    own_teacher = cast(SelfProjector, moving_average_of(learner.own))
    optimiser = torch.optim.AdamW(parameter_groups(learner), lr=0.0, fused=True)
    step, history = _resume(unfinished, learner, own_teacher, optimiser)
    _agree(fabric, step, unfinished)
    streams = [_stream(feed, step) for feed in feeds]
    model, optimiser = fabric.setup(learner, optimiser)
    log, saved = Log(history, partial(fabric.all_reduce, reduce_op="mean")), time.monotonic()

    progress = tqdm(total=o.steps, initial=step, desc=arm.name, disable=not fabric.is_global_zero)
    while step < o.steps:
        batch, epoch = _views(feeds, streams, arm, views, o.seed)
        noise = Noise(o.seed, epoch, "student")
        teacher_noise = Noise(o.seed, epoch, "teacher") if o.teacher_depth else None
        rates = _schedule(optimiser, o, step)

        with fabric.autocast():
            targets = _targets(own_teacher, teachers, batch, teacher_noise)
            projections = model(batch, noise)
        named, similarity = similarities(
            arm, batch, projections, *targets, epsilon=o.epsilon, skip_same_view=o.skip_same_view,
            half_logdet=o.half_logdet, processes=fabric.world_size, covariance_reduce=_reduce(fabric, o.covariance),
        )  # fmt: skip
        fabric.backward(-similarity)
        norm = clip(learner, o.clip, o.clip_jointly)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        momentum = cosine(*o.momentum, step, o.steps)
        update_moving_average(own_teacher, learner.own, momentum)

        log.add(step, {**named, "loss": -similarity, "gradient norm": norm}, rates | {"momentum": momentum})
        step += 1
        progress.update()
        if step in snapshots and fabric.is_global_zero:
            save_student(snapshots[step], learner.own.student, {"arm": arm.name, "steps": step, "seed": o.seed})
        if time.monotonic() - saved > o.checkpoint_every_s and fabric.is_global_zero:
            log.flush()
            checkpoint.save(unfinished, _state(step, learner, own_teacher, optimiser, log.rows))
            saved = time.monotonic()
    progress.close()
    log.flush()
    if keep and fabric.is_global_zero:
        checkpoint.save(unfinished, _state(step, learner, own_teacher, optimiser, log.rows))
    return Pretrained(learner.own.student.eval(), log.frame())


def _stream(feed: Feed, step: int) -> Iterator[tuple[int, Batch]]:
    """Batches of `feed` from global step `step` on, epoch after epoch, each with its epoch."""
    epoch, within = divmod(step, len(feed))
    while True:
        for batch in feed.epoch(epoch, within):
            yield epoch, batch
        epoch, within = epoch + 1, 0


def _views(
    feeds: Sequence[Feed], streams: Sequence[Iterator[tuple[int, Batch]]], arm: Arm, settings: ViewSettings, seed: int
) -> tuple[ViewBatch, int]:
    """One batch from each feed, as views; the epoch is that of the first feed."""
    parts, epochs = [], []
    for feed, stream in zip(feeds, streams, strict=True):
        epoch, batch = next(stream)
        multispectral, optical = batch.arrays.get("multispectral"), batch.arrays.get("optical")
        # Images without a multispectral partner are the optical stem's alone, whatever the arm does with pairs.
        high_resolution = arm.high_resolution if multispectral is not None else "optical"
        as_arm = replace(settings, optical_augmentation=arm.optical_augmentation, high_resolution=high_resolution)
        # Sample 3 of two sources are two samples. On the host, where views draw their parameters.
        samples = batch.samples.cpu() + (randomness.key(feed.name) >> 32 << 32)
        others = {path: batch.arrays[path] for path in arm.paths if path in batch.arrays and path not in PAPER_PATHS}
        views = make_views(
            multispectral, optical, None, samples=samples, seed=seed, epoch=epoch, settings=as_arm, others=others
        )
        samples = samples.to(views[0].optical.device, non_blocking=True)
        present = {"optical", *others} | ({"multispectral"} if multispectral is not None else set())
        seen = {path: samples for path in arm.paths if path in present}
        hidden = {
            (entry.path, view.name): draw_mask(
                seed, epoch, samples, view.name, settings.global_size, settings.mask_patch, settings.mask_ratio
            )
            for entry in arm.masking if entry.path in seen for view in views if view.is_global
        }  # fmt: skip
        parts.append(ViewBatch(views, seen, hidden))
        epochs.append(epoch)
    return merge(parts), epochs[0]


@torch.no_grad()
def _targets(
    own_teacher: SelfProjector, teachers: Mapping[str, OpticalTeacher], batch: ViewBatch, noise: Noise | None
) -> tuple[dict[str, Tensor], dict[str, list[TeacherFeatures]]]:
    """What the student is compared with: the moving average's and the frozen teachers' reading of the global views."""
    displays = [view.display for view in batch.views if view.display is not None]
    optical = {name: [teacher(display) for display in displays] for name, teacher in teachers.items()}
    return own_teacher(batch, noise), optical


def _schedule(optimiser: Optimizer, o: Optimisation, step: int) -> dict[str, float]:
    rate = warmup_cosine(o.learning_rate, o.final_learning_rate, step, o.steps, round(o.warmup * o.steps))
    decay = cosine(*o.weight_decay, step, o.steps)
    for group in optimiser.param_groups:
        group["lr"] = rate
        group["weight_decay"] = decay if group["decays"] else 0.0
    return {"learning rate": rate, "weight decay": decay}


def parameter_groups(module: nn.Module) -> list[dict]:
    """Weight decay on matrices and kernels; none on biases and norms (paper, section 4)."""
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    return [
        {"params": [p for p in parameters if p.ndim > 1], "decays": True},
        {"params": [p for p in parameters if p.ndim <= 1], "decays": False},
    ]


def clip(module: nn.Module, limit: float, jointly: bool) -> Tensor:
    """Clip gradients in place, jointly or each parameter by itself; returns the joint norm before. Never waits."""
    gradients = [parameter.grad for parameter in module.parameters() if parameter.grad is not None]
    norms = torch.stack(torch._foreach_norm(gradients))
    norm = torch.linalg.vector_norm(norms)
    scales = (limit / ((norm if jointly else norms) + 1e-6)).clamp(max=1.0)
    torch._foreach_mul_(gradients, scales if jointly else list(scales.unbind()))
    return norm


def _freeze_unreached(student: nn.Module, arm: Arm) -> None:
    """Stems that the arm does not train are left out: several processes would wait for their gradients for ever."""
    for name, parameter in student.named_parameters():
        module, _, rest = name.partition(".")
        if module == "stems" and rest.partition(".")[0] not in arm.paths:
            parameter.requires_grad_(False)


def _agree(fabric: Fabric, step: int, unfinished: Path) -> None:
    """All processes start at one step; BrewError where some did not find the checkpoint that others found."""
    if fabric.world_size == 1:
        return
    steps = cast(Tensor, fabric.all_gather(torch.tensor(step, device=fabric.device))).tolist()
    if len(set(steps)) > 1:
        raise BrewError(
            f"processes start at steps {steps}; expected one step for all. {unfinished} has to lie in a folder that "
            "every machine sees, with the same code and settings on each of them"
        )


def _reduce(fabric: Fabric, covariance: str) -> Callable[[Tensor], Tensor] | None:
    """Sum over processes, through which gradients flow; None where there is one process or the sum stays local."""
    if fabric.world_size == 1 or covariance == "local":
        return None
    from torch.distributed.nn.functional import all_reduce

    return all_reduce


class Log:
    """One row per step, kept on the device until `flush`, so that logging does not make the host wait.

    rows: of earlier steps. reduce: of a step's tensors over processes; theirs are means over equal shares.
    """

    def __init__(self, rows: Rows, reduce: Callable[[Tensor], Any] = lambda values: values):
        self.rows, self._reduce = rows, reduce
        self._pending: list[tuple[int, tuple[str, ...], Tensor, dict[str, float]]] = []

    def add(self, step: int, tensors: dict[str, Tensor], numbers: dict[str, float], every: int = 20) -> None:
        values = self._reduce(torch.stack([value.detach().float() for value in tensors.values()]))
        self._pending.append((step, tuple(tensors), values, numbers))
        if len(self._pending) >= every:
            self.flush()

    def flush(self) -> None:
        if not self._pending:
            return
        table = torch.stack([values for _, _, values, _ in self._pending]).tolist()
        for (step, names, _, numbers), values in zip(self._pending, table, strict=True):
            row = {"step": step} | dict(zip(names, values, strict=True)) | numbers
            if not all(math.isfinite(value) for value in row.values()):
                raise BrewError(
                    f"training left the finite numbers at step {step}: {_numbers(row)}; expected finite losses. "
                    f"Last sound step: {_numbers(self.rows[-1]) if self.rows else 'none'}. Look at the learning rate "
                    "and warm-up first, then at the precision (losses belong in float32), then at the input's range; "
                    "the last checkpoint is kept"
                )
            self.rows.append(row)
        self._pending.clear()

    def frame(self) -> pd.DataFrame:
        return pd.DataFrame(self.rows)


def _numbers(row: Mapping[str, float | int]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in row.items())


def _state(step: int, learner: Learner, own_teacher: nn.Module, optimiser: Optimizer, rows: Rows) -> dict[str, Any]:
    return {
        "step": step,
        "learner": learner.state_dict(),
        "own_teacher": own_teacher.state_dict(),
        "optimiser": optimiser.state_dict(),
        "history": rows,
    }


def _resume(unfinished: Path, learner: Learner, own_teacher: nn.Module, optimiser: Optimizer) -> tuple[int, Rows]:
    state = checkpoint.load(unfinished)
    if state is None:
        return 0, []
    learner.load_state_dict(state["learner"])
    own_teacher.load_state_dict(state["own_teacher"])
    optimiser.load_state_dict(state["optimiser"])
    return state["step"], state["history"]
