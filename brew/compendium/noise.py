"""`brew noise`: how far rounding alone carries every score of a scale.

The scale runs several times in clones, each time from weights that differ by one part in ten million
(`brew.compendium.nudging`). The deviation of a score over these reruns is what another processor may change by its
rounding, and nothing else. Stores and teachers come from DVC's cache; what trains and scores runs each time.

A rerun that is complete is kept below `scratch/`, and an interrupted one goes on in its clone.
"""

import argparse
import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from brew.compendium import regeneration
from brew.compendium.report.paper import TASKS
from brew.compendium.report.provenance import commit
from brew.compendium.scales import MINIATURE, parameter_file
from brew.errors import BrewError
from brew.evaluation.scores import Score, read_scores, read_table, write_scores
from brew.files import REPORTS, ROOT, SCRATCH, Layout, write_bytes

#: Fewer say next to nothing of a deviation.
LEAST = 5
KEYS = ("benchmark", "task", "arm", "seed", "decoder", "label_fraction", "metric", "subset")
DEVIATION = "numerical_deviation"
#: A score's columns in the table; its reruns follow, a column each.
Identity = tuple[str, str, str, int, int, float, str, str]
Reruns = Mapping[Identity, Sequence[float]]


def file(scale: str) -> Path:
    """The table of a scale, in git."""
    return Layout(scale).site / "noise.csv"


def deviation(values: Sequence[float]) -> float:
    """Of reruns, from their own mean."""
    return float(np.std(values, ddof=1))


def collect_values(tables: Sequence[Mapping[Identity, float]]) -> dict[Identity, tuple[float, ...]]:
    """The values of every score over the reruns; BrewError if one lacks a score that another has."""
    names = [frozenset(table) for table in tables]
    if odd := frozenset.union(*names) - frozenset.intersection(*names):
        raise BrewError(f"{sorted(odd)[0]} was not scored in every rerun; expected each. Delete scratch/noise")
    return {identity: tuple(table[identity] for table in tables) for identity in sorted(tables[0])}


def write(path: Path, reruns: Reruns) -> None:
    """The table: keys of a score, its deviation, and its value in each rerun; numbers to ten digits."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    count = len(next(iter(reruns.values())))
    writer.writerow([*KEYS, DEVIATION, *(f"rerun_{number}" for number in range(1, count + 1))])
    for identity, values in sorted(reruns.items()):
        writer.writerow([*identity, *(f"{value:.10g}" for value in (deviation(values), *values))])
    write_bytes(path, text.getvalue().encode())


def of(scale: str) -> dict[Identity, tuple[float, ...]]:
    """The reruns of a scale; BrewError if they were not measured."""
    if not (path := file(scale)).is_file():
        raise BrewError(
            f"{path} does not exist; expected how far rounding carries every score. Run `make noise SCALE={scale}`"
        )
    return read(path)


def read(path: Path) -> dict[Identity, tuple[float, ...]]:
    """What `write` wrote; BrewError if it is another table."""
    columns, rows = read_table(path)
    reruns = columns[len(KEYS) + 1 :]
    if columns[: len(KEYS) + 1] != (*KEYS, DEVIATION) or len(reruns) < LEAST:
        raise BrewError(f"{path} has the columns {list(columns)}; expected those of `brew noise`: measure it again")
    return {
        (row["benchmark"], row["task"], row["arm"], int(row["seed"]), int(row["decoder"]), float(row["label_fraction"]),
         row["metric"], row["subset"]): tuple(float(row[name]) for name in reruns)
        for row in rows
    }  # fmt: skip


def rerun(scale: str, number: int, folder: Path) -> list[Score]:
    """The scores of one nudged run; what an earlier call completed is taken, what it began goes on."""
    kept, there = folder / f"{number}.csv", folder / f"{number}"
    if not kept.exists():
        if not (there / ".nudged").exists():
            regeneration.clone(there)
            regeneration.share_cache(there)
            regeneration.nudge(there, number)
            (there / ".nudged").touch()
        regeneration.run(scale, there, TASKS)
        for task in TASKS:
            write_scores(kept.with_suffix(".part"), read_scores(_scores(there, scale, task)))
        kept.with_suffix(".part").replace(kept)
    return read_scores(kept)


def _scores(root: Path, scale: str, task: str) -> Path:
    return root / REPORTS.relative_to(ROOT) / scale / "stages" / task / "scores.csv"


def main(arguments: list[str]) -> int:
    """`brew noise [SCALE] [--reruns N]`."""
    parser = argparse.ArgumentParser(prog="brew noise", description="Measure how far rounding carries every score.")
    parser.add_argument("scale", nargs="?", default=MINIATURE)
    parser.add_argument("--reruns", type=int, default=LEAST, help=f"how many, {LEAST} or more (default: {LEAST})")
    given = parser.parse_args(arguments)
    parameter_file(given.scale)
    if given.reruns < LEAST:
        raise BrewError(f"--reruns is {given.reruns}; expected {LEAST} or more: fewer say nothing of a deviation")
    regeneration.check_committed()
    folder = SCRATCH / "noise" / given.scale / commit().partition(" ")[0]
    folder.mkdir(parents=True, exist_ok=True)
    reruns = [rerun(given.scale, number, folder) for number in range(1, given.reruns + 1)]
    found = collect_values([{score.identity: score.value for score in scores} for scores in reruns])
    write(file(given.scale), found)
    largest = max(found, key=lambda identity: deviation(found[identity]))
    print(
        f"{file(given.scale).relative_to(ROOT)} written: {len(found)} scores over {given.reruns} reruns; "
        f"largest deviation {deviation(found[largest]):.4f}, of {' '.join(map(str, largest))}"
    )
    return 0
