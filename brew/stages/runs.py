"""What the scale pretrains: its arms, and further seeds of one under names such as "deo-seed1"."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from brew.stages import Stage

_NAME = re.compile(r"(?P<arm>.+)-seed(?P<seed>\d+)")


@dataclass(frozen=True)
class PretrainingRun:
    """One run of the stage `pretrain`. name: as the parameter `arms` lists it. arm: of ARMS."""

    name: str
    arm: str
    seed: int = 0


def pretraining_run(name: str) -> PretrainingRun:
    """The run of that name."""
    found = _NAME.fullmatch(name)
    return PretrainingRun(name, found["arm"], int(found["seed"])) if found else PretrainingRun(name, name)


def finished(stage: Stage, file: str) -> Iterator[PretrainingRun]:
    """The scale's runs that left this file, in their order; one whose teacher was absent left none."""
    for name in stage.settings.arms:
        if (stage.layout.read(f"pretrain/{name}") / file).exists():
            yield pretraining_run(name)
