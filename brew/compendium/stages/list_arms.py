"""Stage `arms`: what every run of the scale is, a file each.

Pretraining depends on these files instead of on the table: a changed entry of ARMS so reruns its own runs alone.

`python -m brew.compendium.stages.list_arms SCALE` writes them.
"""

import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from brew.compendium.scales import arm_and_seed
from brew.compendium.settings import load
from brew.files import Layout
from brew.pretraining.arms import arm


def write(scale: str) -> Path:
    """Every field of each run's arm, and what follows from them, with the scale's teacher in its place."""
    settings = load(scale)
    folder = Layout(scale).write("arms")
    for run in settings.arms:
        chosen = arm(arm_and_seed(run)[0]).with_teacher(settings.teacher)
        derived = {"paths": chosen.paths, "whole paths": chosen.whole_paths, "teachers": chosen.teachers}
        text = json.dumps(dataclasses.asdict(chosen) | derived, indent=1)
        (folder / f"{run}.json").write_text(f"{text}\n", encoding="utf-8")
    return folder


def main(arguments: Sequence[str]) -> int:
    """`python -m brew.compendium.stages.list_arms SCALE`."""
    print(write(arguments[0]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
