"""Stage `arms`: what every run of the scale is, a file each.

Pretraining depends on these files instead of on the table: a changed entry of ARMS so reruns its own runs alone.

`brew arms SCALE` writes them.
"""

import argparse
import dataclasses
import json
from pathlib import Path

from brew.compendium.scales import arm_and_seed
from brew.compendium.settings import load
from brew.files import ROOT, Layout
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


def main(arguments: list[str]) -> int:
    """`brew arms SCALE`."""
    parser = argparse.ArgumentParser(prog="brew arms", description="Write what every run of a scale is, a file each.")
    parser.add_argument("scale")
    print(write(parser.parse_args(arguments).scale).relative_to(ROOT))
    return 0
