"""`make verify`: does this machine get the committed results?

The pipeline runs from nothing in a scratch clone. What it leaves is judged in four tiers (`brew.compendium.verdicts`),
on any machine: bytes, first steps, scores within what rounding does (`brew noise`), and conclusions.
With `--bits portable` every stage's bytes are compared with the committed lock instead, of scale `tiny` and of one
arm of the default scale (record 0036).

Exit status 0: every tier holds. 1: each that fails is told, and what differs is named on the page.
"""

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from brew.compendium import certificate, noise, regeneration
from brew.compendium.locked import differences, lock_file, read_lock
from brew.compendium.scales import MINIATURE, is_portable, parameter_file
from brew.compendium.stages.list_beginnings import BYTES, SIMILARITIES
from brew.compendium.verdicts import Finding, Results, Verdict, judge, sentences_of
from brew.errors import BrewError
from brew.evaluation.scores import Score, read_scores
from brew.files import REPORTS, ROOT, SCRATCH

#: Whose portable bytes are compared if no scale is named: a scale, and its stages if not all.
PORTABLE: Sequence[tuple[str, tuple[str, ...]]] = (("tiny", ()), (MINIATURE, ("pretrain@deo",)))
#: Tables that hold scores, hashes of them or what other projects claim: no differences between backbones.
_NO_CONCLUSIONS = ("ledger",)


def results(scale: str, root: Path = ROOT) -> Results:
    """What the scale's run left in the tree `root` for git; BrewError if a part is absent."""
    site = root / REPORTS.relative_to(ROOT) / scale
    page = site / "index.html"
    for needed in (page, site / "scores", site / "beginnings" / BYTES):
        if not needed.exists():
            raise BrewError(f"{needed} does not exist; expected what a run of scale {scale} leaves. Run `make repro`")
    scores = [score for file in sorted((site / "scores").glob("*.csv")) for score in read_scores(file)]
    hashes = pd.read_csv(site / "beginnings" / BYTES, dtype=str)
    first = pd.read_csv(site / "beginnings" / SIMILARITIES)
    return Results(
        hashes={f"{row.kind} {row.name}": row.sha256 for row in hashes.itertuples(index=False)},
        similarities={f"{run}, step {step}, {name}": value for run, step, name, value in first.itertuples(index=False)},
        scores={score.identity: score.value for score in scores},
        units={score.identity: tipping(score) for score in scores},
        tables={file.stem: _rows(file) for file in sorted((site / "tables").glob("*.csv"))
                if file.stem not in _NO_CONCLUSIONS},
        sentences=sentences_of(page.read_text(encoding="utf-8")),
    )  # fmt: skip


def tipping(score: Score) -> int:
    """Test samples of a score that a single one may tip: of classification alone, a map holds many pixels."""
    return score.n if score.task == "classification" else 0


def _rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def in_tiers(scale: str) -> list[Verdict]:
    """Run the scale in a clone and judge what it leaves. What is needed for that is read before anything runs."""
    reruns, committed, folder = noise.of(scale), results(scale), SCRATCH / "verify" / "clone"
    regeneration.clone(folder)
    regeneration.run(scale, folder, force=True)
    return judge(committed, results(scale, folder), reruns)


def in_bytes(scale: str, stages: Sequence[str]) -> Verdict:
    """Run the scale, or some of its stages, in a clone, and compare with the committed lock.

    Raises BrewError if the scale's bits are not portable.
    """
    if not is_portable(scale):
        raise BrewError(f"scale {scale} has native bits; expected portable ones. Leave out `--bits portable`")
    expected, folder = read_lock(lock_file(scale)), SCRATCH / "verify" / "clone"
    regeneration.clone(folder)
    lock_file(scale, folder).unlink()  # what stands there afterwards was run
    regeneration.run(scale, folder, stages, force=True)
    found = read_lock(lock_file(scale, folder))
    asked = expected if not stages else {name: expected[name] for name in found if name in expected}
    unlike = [Finding(each.run, "the lock", f"{each}") for each in differences(asked, found)]
    up_to = f", up to {' and '.join(stages)}," if stages else ""
    rule = f"Every stage of scale {scale}{up_to} left the bytes of the committed lock."
    return Verdict(f"portable bytes, {scale}", not unlike, len(asked), tuple(unlike), rule)


def main(arguments: list[str]) -> int:
    """`brew verify [SCALE [STAGE ...]] [--bits portable]`."""
    parser = argparse.ArgumentParser(prog="brew verify", description="Regenerate a scale and judge it.")
    parser.add_argument("scale", nargs="?")
    parser.add_argument("stage", nargs="*", help="with --bits portable: such as pretrain@deo; default: all")
    parser.add_argument("--bits", choices=("portable", "native"), default="native", help="portable: compare bytes")
    given = parser.parse_intermixed_args(arguments)
    if given.bits == "portable":
        asked = [(given.scale, tuple(given.stage))] if given.scale else PORTABLE
        for scale, _ in asked:
            parameter_file(scale)
        verdicts = [in_bytes(scale, stages) for scale, stages in asked]
    else:
        asked = [(given.scale or MINIATURE, ())]
        parameter_file(asked[0][0])
        verdicts = in_tiers(asked[0][0])
    name = " and ".join(scale for scale, _ in asked)
    content = certificate.certificate(name, given.bits, verdicts)
    page = certificate.write(SCRATCH / "verify" / "-".join([*(scale for scale, _ in asked), given.bits]), content)
    for verdict in verdicts:
        print(verdict)
        for finding in verdict.findings if not verdict.holds else ():
            print(f"  {finding}")
    print(
        f"{'verified' if content['verified'] else 'NOT verified'}; {page.relative_to(ROOT)} and verify.json beside it"
    )
    return 0 if content["verified"] else 1
