"""`make verify`: does this machine get the committed scores?

The pipeline runs from nothing in a scratch clone, and every score is compared with the committed one. Byte equality
holds on one kind of CPU only (weights differ in their last bits between generations), so scores are held to tolerances:
tight where nothing is trained, wider where rounding can tip a training run (docs/decisions/0016).

Exit status 0: every score agrees. 1: each that differs is named.
"""

import argparse
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from brew.compendium.repro import repro
from brew.compendium.scales import MINIATURE, parameter_file
from brew.errors import BrewError
from brew.evaluation.scores import Score, read_scores
from brew.files import ROOT, SCRATCH, Layout

#: Arms whose scores involve no training at all.
_UNTRAINED = ("cva",)


@dataclass(frozen=True)
class Tolerances:
    """Largest absolute difference of a score in [0, 1]: without training, and with."""

    untrained: float = 1e-6
    trained: float = 0.03


def differences(committed: Sequence[Score], regenerated: Sequence[Score], tolerances: Tolerances) -> list[str]:
    """One line per score that is absent on one side or differs by more than its tolerance."""
    old, new = ({score.identity: score for score in scores} for scores in (committed, regenerated))
    lines = []
    for identity in sorted(old.keys() | new.keys()):
        name = " ".join(str(part) for part in identity)
        if identity not in old or identity not in new:
            lines.append(f"{name}: only {'regenerated' if identity in new else 'committed'}")
            continue
        one, other = old[identity], new[identity]
        allowed = tolerances.untrained if one.arm in _UNTRAINED else tolerances.trained
        both_absent = one.value != one.value and other.value != other.value  # NaN: a scene without change
        if not both_absent and not abs(one.value - other.value) <= allowed:
            lines.append(f"{name}: committed {one.value:.4f}, regenerated {other.value:.4f}, allowed {allowed:g}")
    return lines


def regenerate(scale: str, clone: Path) -> Path:
    """Clone the committed tree to `clone`, run the scale there, and return its folder of scores.

    Raises BrewError if the tree cannot be cloned, or a stage fails.
    """
    shutil.rmtree(clone, ignore_errors=True)
    try:
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise BrewError(
            f"{ROOT} cannot be cloned to {clone} ({error}); expected the program git, a checkout of git and room for a "
            "copy. Clone the repository, and verify there"
        ) from error
    if repro(scale, options=("--force",), root=clone):
        raise BrewError(f"a stage failed in {clone}; expected the whole scale there. DVC's lines above say which one")
    return clone / "reports" / scale / "scores"


def main(arguments: list[str]) -> int:
    """`brew verify [SCALE]`."""
    parser = argparse.ArgumentParser(prog="brew verify", description="Regenerate a scale and compare every score.")
    parser.add_argument("scale", nargs="?", default=MINIATURE)
    scale = parser.parse_args(arguments).scale
    parameter_file(scale)
    committed = Layout(scale).site / "scores"
    regenerated = regenerate(scale, SCRATCH / "verify")
    found, count = [], 0
    for file in sorted(committed.glob("*.csv")):
        scores = read_scores(file)
        count += len(scores)
        found += differences(scores, read_scores(regenerated / file.name), Tolerances())
    if not count:
        found.append(f"{committed} holds no scores; expected committed ones")
    print("\n".join(found) or f"verified: {count} scores of scale {scale} agree")
    return 1 if found else 0
