"""Stage `pretrain`: one arm's student and its history."""

import dataclasses
import hashlib
import json

import matplotlib.pyplot as plt
import pandas as pd
from lightning_fabric import Fabric
from matplotlib.figure import Figure

from brew import settings
from brew.data.batches import Batches
from brew.models.student import build_student, save_student
from brew.models.teachers import TeacherUnavailable
from brew.paths import ROOT, SCRATCH
from brew.pretraining.arms import ARMS, Arm, arm
from brew.pretraining.loop import pretrain
from brew.reporting.provenance import sha256
from brew.reporting.style import colour, save
from brew.stages import Stage
from brew.stages.optical_teacher import ready_teacher
from brew.stages.settings import FeedSettings, Pretraining

#: What an unfinished run depends on beside its settings: a checkpoint of other code would go on with the wrong method.
_CODE = ("data", "losses", "models", "pretraining", "views", "draws.py", "sensors.py")


def plan(stage: Stage, name: str) -> tuple[Arm, Pretraining]:
    """The arm with the scale's teacher, and its numbers with what `changes` says of it."""
    numbers = stage.settings.pretraining
    changes = stage.settings.changes.get(name, {})
    changed = settings.load(
        type(numbers.optimisation), dataclasses.asdict(numbers.optimisation) | dict(changes), f"changes.{name}"
    )
    return arm(name).with_teacher(stage.settings.teacher), dataclasses.replace(numbers, optimisation=changed)


def describe(stage: Stage, name: str) -> pd.Series:
    """What the arm is and what it is trained on, as a table."""
    chosen, numbers = plan(stage, name)
    return pd.Series(
        {
            "arm": f"{name}: {ARMS[name].summary}",
            "stems": ", ".join(chosen.paths),
            "self-distilled": ", ".join(entry.path for entry in chosen.self_distillation) or "none",
            "optical teacher": ", ".join(
                f"{entry.teacher} ({', '.join(f'{token} x {weight:g}' for token, weight in entry.tokens)}) through the "
                f"{entry.path} stem" for entry in chosen.distillation
            ) or "none",
            "student": numbers.backbone,
            "images per step": ", ".join(f"{feed.batch} of {feed.source}" for feed in usable(chosen, numbers.feeds)),
            "steps": numbers.optimisation.steps,
        },
        name="value",
    )  # fmt: skip


def usable(chosen: Arm, feeds: tuple[FeedSettings, ...]) -> tuple[FeedSettings, ...]:
    """The feeds that have an image for one of the arm's stems; a multispectral one has optical bands too."""
    reach = {"multispectral": {"multispectral", "optical"}, "optical": {"optical"}}
    return tuple(feed for feed in feeds if any(set(chosen.paths) & reach[variable] for variable in feed.variables))


def train(stage: Stage, name: str) -> pd.DataFrame:
    """Pretrain the arm, or go on with an interrupted run; leaves its student and history.

    An arm whose teacher is absent leaves a note instead of a student and is "not run" in the report.
    """
    folder = stage.layout.write(f"pretrain/{name}")
    chosen, numbers = plan(stage, name)
    try:
        teachers = {entry: ready_teacher(stage) for entry in chosen.teachers}
    except TeacherUnavailable as absent:
        (folder / "not-run.txt").write_text(f"{absent}\n")
        return pd.DataFrame()
    fabric = Fabric(
        accelerator="auto", devices=numbers.devices, num_nodes=numbers.nodes, strategy=numbers.strategy,
        precision=numbers.precision,  # type: ignore[arg-type]
    )  # fmt: skip
    fabric.launch()
    teachers = {entry: teacher.to(fabric.device) for entry, teacher in teachers.items()}
    o = numbers.optimisation
    feeds = [
        Batches(feed.source, stage.layout.store(feed.source), feed.variables, feed.splits, feed.batch, o.seed,
                fabric.device, fabric.global_rank, fabric.world_size)
        for feed in usable(chosen, numbers.feeds)
    ]  # fmt: skip
    student = build_student(numbers.backbone, chosen.paths, seed=o.seed)
    unfinished = SCRATCH / "unfinished" / f"{stage.settings.scale.name}-{name}-{_key(stage, chosen, numbers)}.pt"
    run = pretrain(chosen, student, teachers, feeds, numbers.views, o, unfinished, fabric)
    provenance = {"arm": name, "scale": stage.settings.scale.name, "steps": o.steps, "seed": o.seed}
    if fabric.is_global_zero:
        save_student(folder / "student.pt", run.student.cpu(), provenance)
        run.history.round(6).to_csv(folder / "history.csv", index=False)
        unfinished.unlink(missing_ok=True)
    return run.history


def _key(stage: Stage, chosen: Arm, numbers: Pretraining) -> str:
    """What an unfinished run may be continued by: the same arm, numbers, data and code."""
    sources = stage.layout.read("data") / "sources.csv"
    code = {part: sha256(ROOT / "brew" / part) for part in _CODE}
    key = [dataclasses.asdict(chosen), dataclasses.asdict(numbers), sources.read_text(), code]
    return hashlib.sha256(json.dumps(key, sort_keys=True, default=str).encode()).hexdigest()[:12]


def curves(stage: Stage, name: str) -> Figure:
    """Every similarity of the run by name, smoothed over 2 % of the steps."""
    folder = stage.layout.write(f"pretrain/{name}")
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
        axis.plot(history["step"], smooth[column], color=colour(name), lw=1.6)
        axis.set(title=column, xlabel="step")
    axes[0, 0].set_ylabel("similarity (maximised)")
    caption = f"Training of {name}: every similarity by name, per step (grey) and smoothed over 2 % of the steps."
    save(figure, folder / f"training-{name}.png", caption)
    return figure
