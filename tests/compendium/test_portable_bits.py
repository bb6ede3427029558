"""Portable bits: pins that hold in a fresh process, kernels that do what torch's do, and refusals that say why."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from brew.compendium.environment import PORTABLE, pinned
from brew.compendium.portable_bits import Effects, refuse
from brew.errors import BrewError
from brew.files import ROOT

GOOD = Effects("x86_64", (), "AVX2", 3, frozenset({"Haswell"}), (), 1, False)

#: Runs in a process of its own: variables act before NumPy is imported, and kernels stay replaced.
_PROCESS = """
import json, torch
from brew.compendium import portable_bits
before = {}
generator = torch.Generator().manual_seed(0)
def numbers(*shape): return torch.randn(*shape, generator=generator, dtype=torch.float64)
def results():
    generator.manual_seed(0)
    left, right, batch = numbers(7, 5).requires_grad_(), numbers(5, 3).requires_grad_(), numbers(2, 4, 4)
    positive = batch @ batch.mT + torch.eye(4)
    torch.addmm(numbers(3), left, right, beta=0.5, alpha=2).square().sum().backward()
    logdet = positive.clone().requires_grad_()
    factor, info = torch.linalg.cholesky_ex(logdet)
    factor.diagonal(dim1=-2, dim2=-1).log().sum().backward()
    apart = numbers(6, 8)[::2, ::2]
    return {
        "addmm gradient": left.grad, "mm transposed": left.detach().T @ numbers(7, 2), "strided": apart @ numbers(4, 4),
        "baddbmm": torch.baddbmm(torch.full((2, 4, 4), torch.nan).double(), batch, batch, beta=0),
        "empty": torch.zeros(0, 3).double() @ torch.zeros(3, 2).double(),
        "inner empty": torch.zeros(2, 0).double() @ torch.zeros(0, 2).double(),
        "whole": torch.arange(4).view(2, 2) @ torch.arange(4).view(2, 2),
        "half": torch.ones(2, 2).half() @ torch.ones(2, 2).half(),
        "cholesky": factor, "info": info, "upper": torch.linalg.cholesky(positive, upper=True), "gradient": logdet.grad,
        "not definite": torch.linalg.cholesky_ex(-torch.eye(2))[1],
        "sqrt": torch.sqrt(numbers(9).abs()), "in place": numbers(9).abs().sqrt_(), "of whole": torch.arange(5).sqrt(),
        "log10": numbers(9).abs().log10(), "atan": numbers(9).atan(), "of negative": torch.tensor([-1.0]).sqrt(),
    }
plain = results()
portable_bits.use()
ours = results()
def alike(one, other):
    close = torch.allclose(one.double(), other.double(), rtol=1e-12, equal_nan=True)
    return close and one.dtype == other.dtype and one.shape == other.shape
apart = [name for name in plain if not alike(plain[name], ours[name])]
refused = []
for attempt in (lambda: torch.ones(2, 3) @ torch.ones(2, 3), lambda: torch.linalg.cholesky(-torch.eye(2))):
    try:
        attempt()
    except RuntimeError:
        refused.append(True)
print(json.dumps({"apart": apart, "refused": len(refused)}))
"""


def test_kernels_in_fixed_order_do_what_torch_does_in_a_pinned_process() -> None:
    variables = pinned(os.environ, portable=True) | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "error", "-c", _PROCESS]
    done = subprocess.run(command, env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout) == {"apart": [], "refused": 2}


def test_portable_variables_stand_whatever_the_account_says() -> None:
    account = {
        "BREW_THREADS": "4",
        "BREW_PROCESSES": "8",
        "MKL_CBWR": "AVX2",
        "CUDA_VISIBLE_DEVICES": "0",
        "HOME": "/x",
    }
    found = pinned(account, portable=True)
    assert {name: found[name] for name in PORTABLE} == PORTABLE and found["HOME"] == "/x"
    assert "MKL_CBWR" not in pinned(account) and "NPY_DISABLE_CPU_FEATURES" not in pinned(PORTABLE)


def test_what_holds_is_not_refused() -> None:
    refuse(GOOD, PORTABLE)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"machine": "aarch64", "lacks": ("AVX2",)}, r"this one \(aarch64\) lacks AVX2. Set `bits: native`"),
        ({"lacks": ("AVX2", "FMA3")}, "lacks AVX2 and FMA3"),
        ({"torch": "AVX512"}, "torch computes by its branch AVX512"),
        ({"mkl": 2}, "MKL by its branch number 2"),
        ({"blas": frozenset({"Haswell", "Zen"})}, "OpenBLAS by its kernels for Haswell, Zen"),
        ({"blas": frozenset()}, "OpenBLAS by its kernels for none"),
        ({"above": ("AVX512_SPR",)}, "NumPy uses AVX512_SPR"),
        ({"threads": 2}, "threads are up to 2"),
        ({"accelerator": True}, "would use an accelerator"),
    ],
)
def test_a_pin_without_effect_is_refused(change: dict[str, object], said: str) -> None:
    with pytest.raises(BrewError, match=said):
        refuse(replace(GOOD, **change), PORTABLE)  # type: ignore[arg-type]


def test_a_variable_that_is_not_set_is_named_with_what_to_write() -> None:
    variables = {name: value for name, value in PORTABLE.items() if name != "ONEDNN_MAX_CPU_ISA"}
    with pytest.raises(BrewError, match=r"ONEDNN_MAX_CPU_ISA is None instead of 'AVX2'.* write `env ATEN_CPU"):
        refuse(GOOD, variables)
