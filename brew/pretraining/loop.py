"""The training loop, on Lightning Fabric: CPU, one accelerator, several processes.

A step reads: views, teachers, student, similarities, update. Several processes train as one would on the same whole
batch: equal shares of it, gradients averaged, the coding rate's covariance summed. The host waits for the device to
read the log, not elsewhere.

Left out: what is trained (arms, learner), what is maximised (objective), where data lies (feeds), how well the student
did (evaluation), how processes are started (`brew.compendium.launching`).
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import cast

import pandas as pd
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from tqdm.auto import tqdm

from brew import randomness
from brew.errors import BrewError
from brew.models.fused_window_attention import check_fused_attention
from brew.models.student import Student, save_student
from brew.models.teachers import OpticalTeacher, TeacherFeatures
from brew.pretraining import checkpoint
from brew.pretraining.allocation import keep_freed_memory
from brew.pretraining.arms import Arm
from brew.pretraining.ema import moving_average_of, update_moving_average
from brew.pretraining.feeds import Feed, stream, views_of_step
from brew.pretraining.health import head_health, worst_weight
from brew.pretraining.history import Gradients, Log
from brew.pretraining.joint_processes import agree_on_step, sum_of_covariances
from brew.pretraining.learner import Learner, Noise, SelfProjector
from brew.pretraining.objective import similarities
from brew.pretraining.optimisation import Optimisation
from brew.pretraining.schedules import cosine
from brew.pretraining.updates import clip, follow_schedules, parameter_groups, parameters_with_gradient
from brew.pretraining.view_batches import ViewBatch
from brew.views import ViewSettings


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

    Raises BrewError at a loss that is not finite, naming the step and the first tensors that are not. Raises BrewError
    if processes do not find the same checkpoint, and for a fused attention that the trunk or the device cannot take.
    """
    keep_freed_memory()
    o = optimisation
    if o.fused_attention:
        check_fused_attention(student.trunk, fabric.device)
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
    step, history = checkpoint.resume(unfinished, learner, own_teacher, optimiser)
    agree_on_step(fabric, step, unfinished)
    streams = [stream(feed, step) for feed in feeds]
    model, optimiser = fabric.setup(learner, optimiser)
    log = Log(history, partial(fabric.all_reduce, reduce_op="mean"), o.warmup_steps, says=fabric.is_global_zero)
    saved = time.monotonic()

    progress = tqdm(total=o.steps, initial=step, desc=arm.name, disable=not fabric.is_global_zero)
    while step < o.steps:
        batch, epoch = views_of_step(feeds, streams, arm, views, o.seed)
        noise = Noise(o.seed, epoch, "student")
        teacher_noise = Noise(o.seed, epoch, "teacher") if o.teacher_depth else None
        rates = follow_schedules(optimiser, o, step)

        with fabric.autocast():
            targets = targets_of(own_teacher, teachers, batch, teacher_noise)
            projections = model(batch, noise)
        covariances: dict[str, Tensor] = {}
        with _naming_the_worst_weight(step, learner):
            named, similarity = similarities(
                arm, batch, projections, *targets, epsilon=o.epsilon, skip_same_view=o.skip_same_view,
                half_logdet=o.half_logdet, processes=fabric.world_size,
                covariance_reduce=sum_of_covariances(fabric, o.covariance), watch=covariances.__setitem__,
            )  # fmt: skip
        fabric.backward(-similarity)
        gradients = Gradients(parameters_with_gradient(learner), clip(learner, o.clip, o.clip_jointly))
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        momentum = cosine(*o.momentum, step, o.steps)
        update_moving_average(own_teacher, learner.own, momentum)

        measured = {"loss": -similarity, "gradient norm": torch.linalg.vector_norm(gradients.norms)}
        log.add(step, named | measured | head_health(covariances), rates | {"momentum": momentum}, gradients)
        step += 1
        progress.update()
        if step in snapshots and fabric.is_global_zero:
            save_student(snapshots[step], learner.own.student, {"arm": arm.name, "steps": step, "seed": o.seed})
        if time.monotonic() - saved > o.checkpoint_every_s and fabric.is_global_zero:
            log.flush()
            checkpoint.save(unfinished, checkpoint.state_of(step, learner, own_teacher, optimiser, log.rows))
            saved = time.monotonic()
    progress.close()
    log.flush()
    if keep and fabric.is_global_zero:
        checkpoint.save(unfinished, checkpoint.state_of(step, learner, own_teacher, optimiser, log.rows))
    return Pretrained(learner.own.student.eval(), log.frame())


@torch.no_grad()
def targets_of(
    own_teacher: SelfProjector, teachers: Mapping[str, OpticalTeacher], batch: ViewBatch, noise: Noise | None
) -> tuple[dict[str, Tensor], dict[str, list[TeacherFeatures]]]:
    """What the student is compared with: the moving average's and the frozen teachers' reading of the global views."""
    displays = [view.display for view in batch.views if view.display is not None]
    optical = {name: [teacher(display) for display in displays] for name, teacher in teachers.items()}
    return own_teacher(batch, noise), optical


@contextmanager
def _naming_the_worst_weight(step: int, learner: nn.Module) -> Iterator[None]:
    """A loss's complaint with the step, and with the worst of the weights."""
    try:
        yield
    except BrewError as error:
        raise BrewError(f"step {step}, {error}. Of the weights before it: {worst_weight(learner)}") from error


def _freeze_unreached(student: nn.Module, arm: Arm) -> None:
    """Stems that the arm does not train are left out: several processes would wait for their gradients for ever."""
    for name, parameter in student.named_parameters():
        module, _, rest = name.partition(".")
        if module == "stems" and rest.partition(".")[0] not in arm.paths:
            parameter.requires_grad_(False)
