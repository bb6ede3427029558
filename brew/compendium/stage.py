"""What every stage is given: a scale's settings, and the folders that its stages read and write."""

from dataclasses import dataclass

from brew.compendium.settings import Settings
from brew.evaluation.benchmarks import BENCHMARKS, Benchmark, Task
from brew.files import Layout


@dataclass(frozen=True)
class Stage:
    """A scale's settings and folders: the first thing that a notebook opens."""

    settings: Settings
    layout: Layout

    @property
    def rounding(self) -> tuple[str, int]:
        """What decides the last bits beside code and machine: the scale's bits, and its nudge. Kept results name it."""
        return self.settings.bits, self.settings.nudge

    def benchmarks(self, task: Task) -> list[Benchmark]:
        """The benchmarks of a task whose images are part of the scale, and which it does not leave out."""
        left_out = self.settings.evaluation.not_scored
        return [
            entry for entry in BENCHMARKS.values()
            if entry.task == task and self.settings.data.offers(entry) and entry.name not in left_out
        ]  # fmt: skip
