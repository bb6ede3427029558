"""What each pin of `bits: portable` costs on a training step of the default scale's arm deo, beside native.

Pins act when a process starts, so each way has a process of its own. They take their steps in turn, and CPU seconds are
compared: neighbours on the machine disturb all of them alike. A ratio below 1 is what the way costs.
Left out: reading, views and the frozen teacher, as in `benchmarks.step`, and what AVX-512 would give.
"""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from benchmarks.harness import Comparison, Measurement, arguments, write
from brew.compendium.environment import PORTABLE, pinned
from brew.errors import BrewError
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


def serve(kernels: bool, quick: bool) -> None:
    """Print the CPU seconds of one step more for every line that comes in; a first step does not count."""
    import torch

    from benchmarks import step
    from brew.compendium import portable_kernels

    torch.set_num_threads(1)
    if kernels:
        portable_kernels.use()
    run = step.brew_step(step.prepare(step.QUICK if quick else step.miniature()))
    run()
    print("ready", flush=True)
    for _ in sys.stdin:
        start = time.process_time()
        run()
        print(time.process_time() - start, flush=True)


class Server:
    """A process that starts with the variables of a way and takes steps on demand; ended with its block."""

    def __init__(self, way: Way, quick: bool) -> None:
        variables = pinned(os.environ) | _THREADS | way.variables | {"PYTHONPATH": str(ROOT)}
        code = f"from benchmarks.portable_bits import serve; serve({way.kernels}, {quick})"
        self._process = subprocess.Popen(
            [sys.executable, "-c", code], env=variables, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()

    def ready(self) -> None:
        self._answer()

    def seconds(self) -> float:
        """Of one step."""
        assert self._process.stdin is not None
        print(file=self._process.stdin, flush=True)
        return float(self._answer())

    def _answer(self) -> str:
        assert self._process.stdout is not None
        if not (line := self._process.stdout.readline()):
            raise BrewError("a process ended before its step; expected seconds. Run `python -m benchmarks.step` alone")
        return line


def measure(rounds: int, quick: bool, ways: Sequence[str] = tuple(WAYS)) -> list[Comparison]:
    """Every way beside native, a step of each in a round, the order turning from round to round."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    with ExitStack() as stack:
        servers = {name: stack.enter_context(Server(WAYS[name], quick)) for name in ways}
        for server in servers.values():
            server.ready()
        for number in range(rounds):
            for name in list(ways) if number % 2 == 0 else list(reversed(ways)):
                taken[name].append(servers[name].seconds())
    settings = {"time": "CPU seconds of one thread"}
    native, *others = (Measurement(name, "steps/s", 1, tuple(each), settings) for name, each in taken.items())
    return [Comparison(other, native) for other in others]


def main(given: Sequence[str] | None = None) -> None:
    chosen = arguments(__doc__, given, rounds=5)
    write("portable_bits", *measure(chosen.rounds, chosen.quick), quick=chosen.quick)


if __name__ == "__main__":
    main()
