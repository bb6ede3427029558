"""The models that a scale compares: a random trunk, its arms, its optical teacher, and backbones of others."""

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from brew.compendium.report.crowding import left_to_tables
from brew.compendium.scale_teachers import ready_teacher
from brew.compendium.scales import arm_and_seed
from brew.compendium.stage import Stage
from brew.evaluation.backbones import Backbone, StudentBackbone, TeacherBackbone, random_backbone
from brew.evaluation.benchmarks import Benchmark
from brew.evaluation.zoo import backbone
from brew.files import sha256
from brew.models.student import Student, build_student, load_student
from brew.models.teachers import OpticalTeacher, TeacherUnavailable
from brew.pretraining.arms import ARMS
from brew.pretraining.supervised_tasks import scored_too
from brew.sensors import PAPER_PATHS, PATHS, SENSORS

#: Between the seeds of a model's decoders: more than a scale repeats an arm.
_DECODERS_APART = 1000


@dataclass(frozen=True)
class ComparedModel:
    """A backbone that is compared.

    identity: the hash of what its features depend on.
    repetition: the seed of its arm's pretraining, if the scale repeats the arm.
    """

    name: str
    identity: str
    load: Callable[[], Backbone]
    repetition: int | None = None

    @property
    def seed(self) -> int:
        """Of its pretraining; 0 if the scale does not repeat it."""
        return self.repetition or 0

    def decoder_seed(self, decoder: int) -> int:
        """The seed of a decoder on its features, which keys initial weights, order and any draw of labels.

        No two students of an arm share one, so that seeds of pretraining are as independent as they can be. Models of
        equal seeds of pretraining share those of their decoders.
        """
        return self.seed + _DECODERS_APART * decoder


def compared_models(stage: Stage, sensor: str | None = None) -> list[ComparedModel]:
    """A random trunk, every arm that was run, the optical teacher itself, and the scale's backbones of others.

    sensor: models that cannot read its images are left out.
    A listed backbone that is the scale's teacher stands once, as the teacher. One whose weights are absent is left out.
    """
    own = [*_trunk_and_arms(stage), *_teacher(stage)]
    if sensor is not None and SENSORS[sensor].path not in PAPER_PATHS:
        own = [each for each in own if reads(getattr(each.load(), "student", None), sensor)]
    return [*own, *_of_others(stage, sensor)]


def scored_models(stage: Stage, benchmark: Benchmark) -> list[ComparedModel]:
    """The compared models that a benchmark scores: they read its images, and none learned from its labels."""
    found = compared_models(stage, benchmark.sensor)
    labels = [(benchmark.source, benchmark.labels)]
    taught = {arm.name for arm in ARMS.values() if scored_too([entry.task for entry in arm.supervision], labels)}
    return [each for each in found if each.name not in taught]


def _trunk_and_arms(stage: Stage) -> Iterator[ComparedModel]:
    trunk = stage.settings.pretraining.trunk
    yield ComparedModel("random", trunk, partial(_random, trunk))
    runs = [(run, *arm_and_seed(run)) for run in stage.settings.arms]
    repeated = {arm for _, arm, repetition in runs if repetition}
    for run, arm, repetition in runs:
        file = stage.layout.read(f"pretrain/{run}") / "student.pt"
        if file.exists():
            own = repetition if arm in repeated else None
            yield ComparedModel(arm, sha256(file), partial(_student, arm, file), own)


def _teacher(stage: Stage) -> Iterator[ComparedModel]:
    with contextlib.suppress(TeacherUnavailable):
        teacher = ready_teacher(stage)
        yield ComparedModel("teacher", _weights_hash(teacher), partial(TeacherBackbone, "teacher", teacher))


def _of_others(stage: Stage, sensor: str | None) -> Iterator[ComparedModel]:
    """The listed backbones that stay frozen, have their weights here and can read the sensor's images."""
    for entry in [backbone(name) for name in stage.settings.backbones if name != stage.settings.teacher]:
        if not entry.supervised and not entry.needs() and (sensor is None or not entry.lacking(sensor)):
            yield ComparedModel(entry.name, entry.identity(), entry.load)


def _random(trunk: str) -> Backbone:
    return random_backbone("random", lambda: build_student(trunk, tuple(PATHS)), seed=0)


def _student(arm: str, file: Path) -> Backbone:
    return StudentBackbone(arm, load_student(file))


def _weights_hash(teacher: OpticalTeacher) -> str:
    """The hash of all weights and centres: what the teacher's features depend on."""
    found = hashlib.sha256()
    for name, value in teacher.state_dict().items():
        found.update(name.encode())
        found.update(value.cpu().numpy().tobytes())
    return found.hexdigest()


def reads(network: object, sensor: str) -> bool:
    """Whether a network can read images of the sensor; images for no stem of the paper need a stem of their own."""
    path = SENSORS[sensor].path
    return path in PAPER_PATHS or (isinstance(network, Student) and path in network.trained_paths)


def distinct(found: Iterable[ComparedModel]) -> list[ComparedModel]:
    """One model of each name, the first."""
    return list({each.name: each for each in reversed(list(found))}.values())[::-1]


def shown_models(stage: Stage, sensor: str) -> list[ComparedModel]:
    """The models that pictures of a sensor's images show: one of each name, less the arms that are left to the tables.

    If no other arm reads such images, as with radar's, every arm is shown.
    """
    found, left_out = distinct(compared_models(stage, sensor)), left_to_tables(stage.settings)
    kept = [each for each in found if each.name not in left_out]
    arms = {arm_and_seed(run)[0] for run in stage.settings.arms}
    return kept if any(each.name in arms for each in kept) else found


def students(found: Iterable[ComparedModel]) -> list[ComparedModel]:
    """The models that can be fine-tuned; the others are compared frozen alone."""
    return [each for each in found if isinstance(each.load(), StudentBackbone)]
