"""What each pin of `bits: portable` costs on a training step of the default scale's arm deo, beside native.

Pins act when a process starts, so each way has processes of its own, in turn, and CPU seconds are compared: neighbours
on the machine take turns with all of them. A ratio below 1 is what the way costs.
Left out: reading, views and the frozen teacher, as in `benchmarks.step`, and what AVX-512 would give.
"""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.harness import Comparison, Measurement, arguments, write
from brew.compendium.environment import PORTABLE, pinned
from brew.files import ROOT

_THREADS = {name: PORTABLE[name] for name in PORTABLE if name.endswith("_NUM_THREADS")}


@dataclass(frozen=True)
class Way:
    """Variables of a process, and whether it takes the kernels of fixed order."""

    variables: Mapping[str, str]
    kernels: bool = False


def _pin(*names: str, **others: str) -> Mapping[str, str]:
    return {name: PORTABLE[name] for name in names} | others


WAYS = {
    "native": Way({}),
    "torch and oneDNN by AVX2": Way(_pin("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA")),
    "MKL by AVX2 (no effect on AMD)": Way({"MKL_CBWR": "AVX2"}),
    "MKL by its oldest branch": Way(_pin("MKL_CBWR")),
    "kernels of fixed order alone": Way(_pin("OPENBLAS_CORETYPE", "NPY_DISABLE_CPU_FEATURES"), kernels=True),
    "all variables, MKL's products": Way(PORTABLE),
    "portable": Way(PORTABLE, kernels=True),
}


def seconds(kernels: bool, quick: bool, steps: int = 3) -> float:
    """CPU seconds of a step in this process: the least of some, after one that does not count."""
    import torch

    from benchmarks import step
    from brew.compendium import portable_kernels

    torch.set_num_threads(1)
    if kernels:
        portable_kernels.use()
    run = step.brew_step(step.prepare(step.QUICK if quick else step.miniature()))
    run()
    taken = []
    for _ in range(steps):
        start = time.process_time()
        run()
        taken.append(time.process_time() - start)
    return min(taken)


def in_a_process(way: Way, quick: bool) -> float:
    """`seconds` in a process that starts with the way's variables."""
    variables = pinned(os.environ) | _THREADS | way.variables | {"PYTHONPATH": str(ROOT)}
    code = f"from benchmarks.portable_bits import seconds; print(seconds({way.kernels}, {quick}))"
    done = subprocess.run([sys.executable, "-c", code], env=variables, cwd=ROOT, check=True, capture_output=True)
    return float(done.stdout.split()[-1])


def measure(rounds: int, quick: bool) -> list[Comparison]:
    """Every way beside native, all of them once a round, the order turning from round to round."""
    taken: dict[str, list[float]] = {name: [] for name in WAYS}
    for number in range(rounds):
        for name in list(WAYS) if number % 2 == 0 else list(reversed(WAYS)):
            taken[name].append(in_a_process(WAYS[name], quick))
    settings = {"time": "CPU seconds of one thread", "of a process": "the least of 3 steps after one"}
    native, *others = (Measurement(name, "steps/s", 1, tuple(each), settings) for name, each in taken.items())
    return [Comparison(other, native) for other in others]


def main(given: Sequence[str] | None = None) -> None:
    chosen = arguments(__doc__, given, rounds=3)
    write("portable_bits", *measure(chosen.rounds, chosen.quick), quick=chosen.quick)


if __name__ == "__main__":
    main()
