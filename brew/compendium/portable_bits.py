"""Bits that do not depend on the maker of the processor: what has to hold in a process that computes them.

The notebooks' runner pins variables before anything imports NumPy (`brew.compendium.environment`). Here, once torch is
there, products are put in fixed order, and each pin is asked whether it had its effect. One without effect is refused:
bits that depend on the machine must not be told as portable.
"""

import ctypes
import os
import platform
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from numpy._core._multiarray_umath import __cpu_features__
from threadpoolctl import threadpool_info

from brew.compendium import portable_kernels
from brew.compendium.environment import PORTABLE
from brew.errors import BrewError

#: MKL's number of its oldest branch, and the question for the branch in use (`mkl_cbwr_get`).
_COMPATIBLE, _BRANCH = 3, 1
#: What processors of both makers have had since 2015, and all that portable bits use of them.
_NEEDED = ("AVX2", "FMA3")
#: The branches beyond AVX2 that NumPy was built with; the processor's own features stay true beside them.
_BEYOND = ("X86_V4", "AVX512_ICL", "AVX512_SPR")


@dataclass(frozen=True)
class Effects:
    """What the libraries of this process say of themselves.

    machine: its kind of processor. lacks: what portable bits use and the processor has not. torch, mkl: the branches
    in use, by torch's name and MKL's number. blas: architectures of the OpenBLAS libraries. above: NumPy's branches
    beyond AVX2 that are in use. threads: of torch and of every library. accelerator: whether torch would use one.
    """

    machine: str
    lacks: tuple[str, ...]
    torch: str
    mkl: int
    blas: frozenset[str]
    above: tuple[str, ...]
    threads: int
    accelerator: bool


def use() -> None:
    """Make this process compute portable bits, and those that it forks.

    Raises BrewError if a pin has no effect, naming what was found and what to do.
    """
    torch.set_num_threads(1)
    refuse(effects(), os.environ)
    portable_kernels.use()


def effects() -> Effects:
    """What holds in this process."""
    features = _numpy_features()
    pools = threadpool_info()
    return Effects(
        machine=platform.machine(),
        lacks=tuple(name for name in _NEEDED if not features.get(name, False)),
        torch=torch.backends.cpu.get_cpu_capability(),
        mkl=mkl_branch(),
        blas=frozenset(pool["architecture"] for pool in pools if pool["internal_api"] == "openblas"),
        above=tuple(name for name in _BEYOND if features.get(name, False)),
        threads=max([torch.get_num_threads(), *(pool["num_threads"] for pool in pools)]),
        accelerator=torch.cuda.is_available(),
    )


def refuse(found: Effects, variables: Mapping[str, str]) -> None:
    """BrewError unless portable bits come of what was found and the environment's variables."""
    if found.machine not in ("x86_64", "AMD64") or found.lacks:
        lacks = " and ".join(found.lacks) or "x86-64"
        raise BrewError(
            f"bits: portable needs an x86-64 processor with AVX2; this one ({found.machine}) lacks {lacks}. "
            "Set `bits: native` in the scale's parameters and run `make sync`: scores then agree within noise"
        )
    if wrong := [*_unset(variables), *_without_effect(found)]:
        pins = " ".join(f"{name}='{value}'" for name, value in PORTABLE.items())
        raise BrewError(
            f"bits: portable, but {'; '.join(wrong)}. `python -m brew repro` and `brew notebook run` pin that; for "
            f"another command write `env {pins}` before it, or set `bits: native` in the scale's parameters"
        )


def _unset(variables: Mapping[str, str]) -> Iterable[str]:
    """oneDNN cannot be asked for its branch: its variable stands for it, with the others."""
    for name, value in PORTABLE.items():
        if variables.get(name) != value:
            yield f"{name} is {variables.get(name)!r} instead of {value!r}"


def _without_effect(found: Effects) -> Iterable[str]:
    tests: Mapping[str, tuple[object, Callable[[object], bool]]] = {
        "torch computes by its branch": (found.torch, lambda value: value == "AVX2"),
        "MKL by its branch number": (found.mkl, lambda value: value == _COMPATIBLE),
        "OpenBLAS by its kernels for": (", ".join(sorted(found.blas)), lambda value: value == "Haswell"),
        "NumPy uses": (", ".join(found.above), lambda value: not value),
        "threads are up to": (found.threads, lambda value: value == 1),
    }
    for what, (value, right) in tests.items():
        if not right(value):
            yield f"{what} {value or 'none'}"
    if found.accelerator:
        yield "torch would use an accelerator"


def mkl_branch() -> int:
    """The branch that torch's MKL uses, as `mkl_cbwr_get` numbers it (2: its own choice, 3: the oldest).

    Raises BrewError if this torch has no MKL that answers.
    """
    library = Path(str(torch.__file__)).parent / "lib" / "libtorch_cpu.so"
    try:
        return int(ctypes.CDLL(str(library)).mkl_serv_cbwr_get(_BRANCH))
    except (OSError, AttributeError) as error:
        raise BrewError(
            f"bits: portable needs torch's own MKL, which does not answer ({error}). Set `bits: native` in the "
            "scale's parameters and run `make sync`"
        ) from error


def _numpy_features() -> Mapping[str, bool]:
    """What NumPy uses of the processor: what it was told to leave is False."""
    features: Mapping[str, bool] = __cpu_features__
    return features
