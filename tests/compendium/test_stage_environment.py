"""What an account sets and what a stage sees of it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from brew.compendium.environment import pinned, pipeline
from brew.files import ROOT

#: An account that several programs have left their mark on.
ACCOUNT = {
    "HOME": "/home/anybody", "PATH": "/usr/bin:/bin", "BREW_DATA": "data", "CUDA_VISIBLE_DEVICES": "1",
    "SHELL": "/bin/false", "MPLBACKEND": "Agg", "PYTHONPATH": "/elsewhere", "PYTHONSAFEPATH": "1",
    "PYTHONOPTIMIZE": "2", "PYTHONDONTWRITEBYTECODE": "1", "MKL_NUM_THREADS": "64", "OPENBLAS_NUM_THREADS": "64",
    "KMP_AFFINITY": "compact", "JUPYTER_CONFIG_DIR": "/x", "IPYTHONDIR": "/x", "PROJ_LIB": "/x", "SLURM_NTASKS": "4",
    "WORLD_SIZE": "8", "LC_ALL": "tr_TR.ISO-8859-9", "TZ": "Asia/Kolkata", "NVIDIA_TF32_OVERRIDE": "1",
    "BLOSC_CLEVEL": "1", "ZARR_DEFAULT_ZARR_FORMAT": "2", "NPY_DISABLE_CPU_FEATURES": "AVX2", "LT_DEVICES": "4",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2", "LSB_JOBID": "1", "KUBERNETES_PORT": "1", "SCIPY_ARRAY_API": "1",
    "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1", "PYTHONINSPECT": "1", "PYTHONDEVMODE": "1", "OMPI_COMM_WORLD_RANK": "1",
    "TORCH_HOME": "/home/anybody/torch",
}  # fmt: skip


def test_two_accounts_give_the_same_variables_but_for_places_and_devices() -> None:
    other = {
        name: ACCOUNT[name] for name in ("HOME", "PATH", "BREW_DATA", "CUDA_VISIBLE_DEVICES", "SHELL", "TORCH_HOME")
    }
    assert pinned(ACCOUNT) == pinned(other) | {"PYTHONDONTWRITEBYTECODE": "1"}
    assert {name: pinned(ACCOUNT)[name] for name in other} == other


def test_threads_and_processes_are_those_that_brew_is_told() -> None:
    found = pinned(ACCOUNT | {"BREW_THREADS": "3", "BREW_PROCESSES": "5"})
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    assert [found[name] for name in (*names, "BREW_PROCESSES")] == ["3", "3", "3", "5"]
    assert [pinned(ACCOUNT)[name] for name in (*names, "BREW_PROCESSES")] == ["1", "1", "1", "2"]


def test_pinning_twice_is_pinning_once() -> None:
    assert pinned(pinned(ACCOUNT)) == pinned(ACCOUNT)


@pytest.mark.parametrize("shell", ["/bin/false", "/usr/sbin/nologin", "resets"])
def test_a_stage_runs_this_python_whatever_the_login_shell(shell: str, tmp_path: Path) -> None:
    resets = tmp_path / "resets"
    resets.write_text('#!/bin/sh\nPATH=/usr/bin:/bin\nexport PATH\nexec /bin/sh "$@"\n')
    resets.chmod(0o755)
    found = pipeline(ACCOUNT | {"PATH": os.environ["PATH"], "SHELL": str(resets) if shell == "resets" else shell})
    command = [found["SHELL"], "-c", "exec python -c 'import sys; print(sys.executable)'"]
    assert subprocess.check_output(command, env=found, text=True).strip() == sys.executable


def test_a_relative_folder_of_data_is_meant_from_where_the_command_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert pipeline(ACCOUNT)["BREW_DATA"] == str(tmp_path / "data")
    assert "BREW_DATA" not in pipeline({"PATH": "/bin"})


def test_a_home_that_cannot_be_entered_is_forgotten(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "HOME" not in pipeline(ACCOUNT | {"HOME": str(tmp_path / "file")})
    assert pipeline(ACCOUNT | {"HOME": str(tmp_path)})["HOME"] == str(tmp_path)


def test_figures_are_drawn_by_the_settings_of_this_tree() -> None:
    assert pinned({"MATPLOTLIBRC": "/home/anybody"})["MATPLOTLIBRC"] == str(ROOT / "matplotlibrc")
