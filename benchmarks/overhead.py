"""What notebooks and pipeline cost: the share of `make repro` that its computing cells take (bar: at least 0.80).

The scale runs from nothing in a scratch clone of the last commit, as `make verify` does, while every notebook logs its
cells' seconds. "Ours" is the whole run; "conventional" the cells that compute, as if somebody called their functions in
one warm process; so `ratio` = computing cells / whole run, and 1 - ratio is the overhead: starts of Python and kernels,
imports, rendering of pages, the report, DVC's hashing. Pictures that a cell draws count as computing, and so does
rendering the miniature's data; `seconds` in the settings tells them apart by stage.
"""

import csv
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from benchmarks.harness import Comparison, Measurement, arguments, machine, write
from brew.compendium import regeneration
from brew.compendium.notebooks.execution import TIMINGS
from brew.compendium.scales import MINIATURE
from brew.errors import BrewError
from brew.files import SCRATCH

#: How cells begin that set parameters or import: they are overhead.
_PREPARING = ("# Parameters", "scale =", "from ", "import ")


def breakdown(rows: Iterable[Sequence[str]], whole: float, rendering: float) -> dict[str, float]:
    """Seconds by part, from the log's rows (notebook, cell, first line, seconds).

    whole: of the run; rendering: of pages and report. Raises BrewError for a log without a computing cell.
    """
    seconds: dict[str, float] = defaultdict(float)
    for notebook, cell, line, taken in rows:
        part = "executions" if not cell else "imports" if line.startswith(_PREPARING) else f"computing {notebook}"
        seconds[part] += float(taken)
    executions = seconds.pop("executions", 0.0)
    computing = sum(taken for part, taken in seconds.items() if part.startswith("computing"))
    if not computing:
        raise BrewError("the log names no computing cell; expected one per notebook: look at the run's output")
    seconds["kernels' start and end"] = executions - computing - seconds["imports"]
    seconds["pages and report"] = rendering
    seconds["Python's start and DVC"] = whole - executions - rendering
    return {part: round(taken, 2) for part, taken in sorted(seconds.items(), key=lambda item: -item[1])}


def measure(scale: str, clone: Path) -> dict[str, float]:
    """Run the scale in a new clone; seconds by part."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "seconds.csv")
        os.environ[TIMINGS] = str(log)
        try:
            start = time.perf_counter()
            regeneration.clone(clone)
            regeneration.run(scale, clone, force=True)
            whole = time.perf_counter() - start
        finally:
            del os.environ[TIMINGS]
        if not log.exists():
            raise BrewError(f"the commit that was cloned logs no {TIMINGS}; expected one that does: commit first")
        with log.open(newline="") as file:
            return breakdown(list(csv.reader(file)), whole, _rendering(scale, clone))


def _rendering(scale: str, clone: Path) -> float:
    """Seconds of the stages `pages` and `site`, run once more without DVC."""
    reports = f"reports/{scale}"
    commands = (
        [sys.executable, "-m", "brew", "notebook", "render", f"{reports}/notebooks", f"{reports}/pages"],
        [sys.executable, "-m", "brew", "report", scale],
    )
    start = time.perf_counter()
    for command in commands:
        subprocess.run(command, cwd=clone, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def comparison(rounds: Sequence[Mapping[str, float]], scale: str) -> Comparison:
    """Whole run and computing cells of each round."""
    whole = tuple(sum(parts.values()) for parts in rounds)
    computing = tuple(sum(taken for part, taken in parts.items() if part.startswith("computing")) for parts in rounds)
    settings, found = {"scale": scale, "seconds": [dict(parts) for parts in rounds]}, machine()
    return Comparison(
        *(Measurement("share of computing cells", "runs/h", 3600, each, settings, found) for each in (whole, computing))
    )


def main(given: Sequence[str] | None = None) -> None:
    """One round by default: a run of the default scale takes many minutes, and a share hardly moves."""
    chosen = arguments(__doc__, given, rounds=1)
    scale = "tiny" if chosen.quick else MINIATURE
    rounds = [measure(scale, SCRATCH / "overhead") for _ in range(chosen.rounds)]
    write("overhead", comparison(rounds, scale), quick=chosen.quick)
    for part, taken in rounds[-1].items():
        print(f"  {taken:8.1f} s  {part}")


if __name__ == "__main__":
    main()
