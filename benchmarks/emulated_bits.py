"""The same training on processors of two makers: bits of `bits: portable`, here and under emulated processors.

Needs Debian's `qemu-user`; a process under it is 20 to 50 times slower, so nothing runs this in CI.

    python -m benchmarks.emulated_bits [--cpus Haswell EPYC-Rome-v2] [--native]

For each processor a process of its own takes steps of arm deo with a Swin-nano, a convolution's and a probe's, and
calls every function that the method takes from a library. It prints a hash per part. The processors differ in what
such functions look at: features, caches, maker, and approximate reciprocals, which QEMU computes exactly.
Exit status 0: all hashes agree. 1: those that differ are named.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from brew.compendium.environment import pinned
from brew.errors import BrewError
from brew.files import ROOT, SCRATCH

#: Of `qemu-x86_64 -cpu help`: an Intel of 2013 and an AMD of 2019, the oldest and a recent one with AVX2.
CPUS = ("Haswell", "EPYC-Rome-v2")
_HERE = "this machine"


def hashes(portable: bool, steps: int) -> Iterator[tuple[str, str]]:
    """(part, hash) of this process. portable: with the checks and kernels of `bits: portable`."""
    import numpy as np
    import torch
    import torch.nn.functional as F

    from benchmarks import step
    from brew.compendium import portable_bits

    if portable:
        portable_bits.use()
    generator = torch.Generator().manual_seed(0)

    def numbers(*shape: int) -> torch.Tensor:
        return torch.randint(-(2**20), 2**20, shape, generator=generator).float() / 2**19

    square = (numbers(96, 96) @ numbers(96, 96)).round()
    positive = square @ square.T / 96 + 96 * torch.eye(96)
    lower = (numbers(96, 96).tril() + 4 * torch.eye(96)).double()
    for name in ("sqrt", "exp", "log", "cos", "sin", "erf", "tanh", "log10", "atan", "rsqrt", "sigmoid", "log1p"):
        function = getattr(torch, name)
        values = numbers(3000).abs() + 0.1
        yield f"torch.{name}", _hash(function(values), function(values.double()))
    yield (
        "products",
        _hash(numbers(300, 96) @ numbers(96, 384), numbers(7, 512) @ numbers(512, 31), numbers(9, 9).mv(numbers(9))),
    )
    yield "batched products", _hash(numbers(20, 36, 24) @ numbers(20, 24, 36))
    yield "attention", _hash(F.scaled_dot_product_attention(*[numbers(2, 3, 20, 16)] * 3))
    yield "Cholesky", _hash(torch.linalg.cholesky(positive), torch.linalg.cholesky(positive.double()))
    yield "triangular solve", _hash(torch.linalg.solve_triangular(lower, numbers(96, 5).double(), upper=False))
    for name in ("exp", "log", "sqrt", "sin", "tanh", "log10"):
        numpy_values = (numbers(3000).abs() + 0.1).numpy()
        function = getattr(np, name)
        yield (
            f"numpy.{name}",
            _hash(*map(torch.from_numpy, (function(numpy_values), function(numpy_values.astype(float))))),
        )
    eigen = np.linalg.eigh(positive.double().numpy())
    yield "numpy.linalg.eigh", _hash(*map(torch.from_numpy, eigen))
    images, kernel = numbers(4, 10, 24, 24), numbers(16, 10, 3, 3).requires_grad_()
    convolved = F.conv2d(images, kernel, padding=1)
    F.interpolate(convolved, scale_factor=2, mode="bilinear").square().mean().backward()
    yield "convolution and gradient", _hash(convolved, kernel.grad)
    run = step.brew_step(step.prepare(step.QUICK))
    for number in range(steps):
        yield f"deo, step {number}", _hash(*run().values())


def _hash(*tensors: "torch.Tensor | None") -> str:
    parts = b"".join(each.detach().contiguous().numpy().tobytes() for each in tensors if each is not None)
    return hashlib.sha256(parts).hexdigest()[:12]


def under(cpu: str, portable: bool, steps: int) -> dict[str, str]:
    """The hashes of a process on that processor, emulated unless it is this machine's; BrewError if it fails."""
    emulator = shutil.which("qemu-x86_64")
    if cpu != _HERE and emulator is None:
        raise BrewError(
            "qemu-x86_64 is not installed; expected Debian's package qemu-user: `apt-get install qemu-user`"
        )
    # The emulator runs a program, not a link of an environment, which so has to be named.
    python = [str(Path(sys.executable).resolve()), "-m", "benchmarks.emulated_bits", "--one", "--steps", str(steps)]
    paths = os.pathsep.join([str(ROOT), *(path for path in sys.path if path.endswith("site-packages"))])
    command = [
        *([str(emulator), "-cpu", cpu] if cpu != _HERE else []),
        *python,
        *(["--native"] if not portable else []),
    ]
    variables = pinned(os.environ, portable) | {"PYTHONPATH": paths}
    done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True)
    if done.returncode:
        raise BrewError(f"on {cpu} the process failed: {done.stderr.strip().splitlines()[-1]}")
    found: dict[str, str] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def differing(found: Mapping[str, Mapping[str, str]]) -> dict[str, list[str]]:
    """Processor -> the parts whose hash differs from the first processor's."""
    first, *others = found
    return {cpu: [part for part, value in found[first].items() if found[cpu][part] != value] for cpu in others}


def main() -> int:
    parser = argparse.ArgumentParser(description="Compare bits between this processor and emulated ones.")
    parser.add_argument("--cpus", nargs="*", default=CPUS, help="of `qemu-x86_64 -cpu help`")
    parser.add_argument("--steps", type=int, default=3, help="of the training")
    parser.add_argument("--native", action="store_true", help="without any pin, to see what pins are for")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        print(json.dumps(dict(hashes(not chosen.native, chosen.steps))))
        return 0
    found = {}
    for cpu in (_HERE, *chosen.cpus):
        start = time.monotonic()
        found[cpu] = under(cpu, not chosen.native, chosen.steps)
        print(f"{cpu}: {len(found[cpu])} parts in {time.monotonic() - start:.0f} s", flush=True)
    file = SCRATCH / "benchmarks" / f"emulated-bits{'-native' * chosen.native}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(found, indent=1))
    unlike = differing(found)
    for cpu, parts in unlike.items():
        print(f"{cpu}: {', '.join(parts) + ' differ' if parts else 'every hash agrees'}")
    return int(any(unlike.values()))


if __name__ == "__main__":
    sys.exit(main())
