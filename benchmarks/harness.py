"""Time brew beside the conventional way: both in one process, in turn, over several rounds.

A ratio of two times taken together survives what a rate does not: another machine, a busy neighbour, a warm clock. Each
round runs both sides once, the order turning from round to round; the ratio is taken per round, and medians and
extremes of the rounds are kept. Left out: means and confidence intervals (rounds are few and their times skewed), and
processes of their own for each side.

    result = compare("views", ours, conventional, unit="images/s", work=64, settings={"batch": 64})
    write("views", result)
"""

import argparse
import gc
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from brew.errors import BrewError
from brew.files import ROOT, SCRATCH, write_bytes

RESULTS = ROOT / "benchmarks" / "results"
#: Where results of `--quick` go: they show that a script works and are no measurement.
QUICK_RESULTS = SCRATCH / "benchmarks"
_DIGITS = 4


@dataclass(frozen=True)
class Measurement:
    """Seconds of each round of one thing that does `work` units a round. name: what was measured."""

    name: str
    unit: str
    work: float
    seconds: tuple[float, ...]
    settings: Mapping[str, object]
    machine: Mapping[str, object] = field(default_factory=lambda: machine())

    @property
    def rates(self) -> tuple[float, ...]:
        """Work per second of each round, in `unit`."""
        return tuple(self.work / seconds for seconds in self.seconds)

    @property
    def rate(self) -> float:
        return statistics.median(self.rates)

    def record(self) -> dict[str, Any]:
        """What the JSON file holds; numbers to four significant digits."""
        return {
            "name": self.name,
            "ratio": None,
            "ours": _rounded(self.rate),
            "conventional": None,
            "unit": self.unit,
            "rounds": len(self.seconds),
            "spread": {"ours": _extremes(self.rates)},
            "settings": dict(self.settings),
            "machine": dict(self.machine),
        }

    def __str__(self) -> str:
        return f"{self.name}: {_shown(self.rates)} {self.unit}"


@dataclass(frozen=True)
class Comparison:
    """The same work done both ways, round by round."""

    ours: Measurement
    conventional: Measurement

    @property
    def name(self) -> str:
        return self.ours.name

    @property
    def ratios(self) -> tuple[float, ...]:
        """Conventional seconds / our seconds of each round; above 1 we are faster."""
        pairs = zip(self.conventional.seconds, self.ours.seconds, strict=True)
        return tuple(conventional / ours for conventional, ours in pairs)

    @property
    def ratio(self) -> float:
        return statistics.median(self.ratios)

    def record(self) -> dict[str, Any]:
        """What the JSON file holds."""
        spread = {
            "ours": _extremes(self.ours.rates),
            "conventional": _extremes(self.conventional.rates),
            "ratio": _extremes(self.ratios),
        }
        both = {"ratio": _rounded(self.ratio), "conventional": _rounded(self.conventional.rate), "spread": spread}
        return self.ours.record() | both

    def __str__(self) -> str:
        return (
            f"{self.name}: ours {_shown(self.ours.rates)}, conventional {_shown(self.conventional.rates)} "
            f"{self.ours.unit}; ratio {_shown(self.ratios)}"
        )


def compare(
    name: str,
    ours: Callable[[], object],
    conventional: Callable[[], object],
    *,
    unit: str,
    work: float,
    rounds: int = 5,
    warmup: int = 1,
    settings: Mapping[str, object],
    clock: Callable[[], float] = time.perf_counter,
) -> Comparison:
    """Run both in turn, `rounds` times each after `warmup` rounds that do not count.

    unit, work: one call of either does `work` units, and `unit` names their rate ("samples/s").
    settings: sizes and switches that a reader needs to repeat it; kept as they are.
    clock: in seconds; `time.process_time` leaves out what other processes take of a busy processor.
    Raises BrewError for fewer than one round.
    """
    _check(rounds, warmup, work)
    sides: tuple[Callable[[], object], ...] = (ours, conventional)
    seconds: tuple[list[float], list[float]] = ([], [])
    for turn in range(-warmup, rounds):
        for side in (0, 1) if turn % 2 == 0 else (1, 0):
            taken = seconds_of(sides[side], clock)
            if turn >= 0:
                seconds[side].append(taken)
    found = machine()
    return Comparison(*(Measurement(name, unit, work, tuple(each), settings, found) for each in seconds))


def single(
    name: str,
    run: Callable[[], object],
    *,
    unit: str,
    work: float,
    rounds: int = 5,
    warmup: int = 1,
    settings: Mapping[str, object],
) -> Measurement:
    """As `compare`, for a thing that has no conventional counterpart."""
    _check(rounds, warmup, work)
    seconds = [seconds_of(run) for _ in range(warmup + rounds)]
    return Measurement(name, unit, work, tuple(seconds[warmup:]), settings)


def seconds_of(run: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """Seconds of one call, what it left running on an accelerator included; garbage is collected beforehand."""
    gc.collect()
    _wait_for_accelerator()
    start = clock()
    run()
    _wait_for_accelerator()
    return clock() - start


def write(name: str, *results: Comparison | Measurement, quick: bool = False) -> Path:
    """Write `benchmarks/results/<name>.json`, print a line per result, and return the file.

    quick: write below scratch/ instead, so that a trial never replaces a measurement.
    """
    path = (QUICK_RESULTS if quick else RESULTS) / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps([result.record() for result in results], indent=1, allow_nan=False)
    write_bytes(path, f"{text}\n".encode())
    for result in results:
        print(result, flush=True)
    return path


def arguments(description: str | None, given: Sequence[str] | None = None, *, rounds: int = 5) -> argparse.Namespace:
    """What every script takes: `rounds`, with the script's own default, and `quick`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--rounds", type=int, default=rounds, help="rounds that count, after one that does not")
    parser.add_argument("--quick", action="store_true", help="small sizes, to try the script; no measurement")
    return parser.parse_args(given)


def machine() -> dict[str, object]:
    """What the rates depend on. load: runnable processes over the last minute, ours included."""
    import torch

    accelerator = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": torch.get_num_threads(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9),
        "accelerator": accelerator,
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except FileNotFoundError:  # not Linux
        return platform.processor() or platform.machine()
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()


def _wait_for_accelerator() -> None:
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.synchronize()


def _check(rounds: int, warmup: int, work: float) -> None:
    if rounds < 1 or warmup < 0 or work <= 0:
        raise BrewError(
            f"rounds {rounds}, warmup {warmup}, work {work}; expected at least one round, no negative warm-up and work "
            "above zero"
        )


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")


def _extremes(values: Sequence[float]) -> list[float]:
    return [_rounded(min(values)), _rounded(max(values))]


def _shown(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.{_DIGITS}g} ({min(values):.{_DIGITS}g}-{max(values):.{_DIGITS}g})"
