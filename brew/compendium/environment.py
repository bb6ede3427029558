"""What a stage's processes see of their surroundings, so that the same code gives the same bytes on every account.

Left as they are: where things lie (HOME, BREW_DATA, TORCH_HOME, TMPDIR, caches), what the machine has
(CUDA_VISIBLE_DEVICES, LD_PRELOAD), and whether bytecode is written.
"""

import json
import os
import sys
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from brew.files import ROOT

#: Settings of an account that change what is computed, drawn or imported, or that stop a stage: a name, or its start.
FORGOTTEN = (
    # another Python's packages, a start-up script, warnings as errors, assertions left out
    "PYTHON", "IPYTHON", "VIRTUAL_ENV", "TRAITLETS_", "JAXTYPING_",
    # a back end without pictures, styles, the user's kernels and configuration
    "MPL", "MATPLOTLIBRC", "JUPYTER_", "JPY_", "PAPERMILL_", "TQDM_",
    # settings of libraries: the level of compression, the format of stores, how loaders read, other arithmetic
    "BLOSC_", "ZARR_", "DASK_", "PANDAS_", "NUMPY_", "NPY_", "NUMBA_", "SCIPY_", "SKLEARN_", "JOBLIB_", "LOKY_",
    "TIMM_", "KORNIA_", "TORCH_", "TORCHDYNAMO_", "TORCHINDUCTOR_", "PYTORCH_", "XLA_", "CUBLAS_",
    # how many threads compute and on which instructions: the last bits of every weight
    "OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "GOTO_NUM_THREADS", "BLIS_", "VECLIB_", "NUMEXPR_", "DNNL_",
    "ONEDNN_", "ATEN_CPU_CAPABILITY", "NVIDIA_TF32_OVERRIDE", "GLIBC_TUNABLES",
    # another installation's tables of coordinate systems and drivers
    "PROJ_", "GDAL_",
    # a launcher of several processes around the stage: stages say themselves over how many they go
    "RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "GROUP_RANK", "ROLE_", "MASTER_ADDR", "MASTER_PORT",
    "NODE_RANK", "TORCHELASTIC_", "LT_", "PL_", "SLURM_", "PMI_", "PMIX_", "OMPI_", "MPI_", "MV2_", "HYDRA_", "LSB_",
    "JSM_", "PBS_", "KUBERNETES_",
    # language, widths and colours of what is printed
    "LANG", "LC_", "COLUMNS", "LINES", "FORCE_COLOR", "NO_COLOR",
)  # fmt: skip
#: What gives one set of bits on every x86-64 processor with AVX2 (`bits: portable`, record 0036), fixed before anything
#: imports NumPy: branches of torch, oneDNN, MKL, OpenBLAS and NumPy, one thread, two processes, and no accelerator.
#: Whether they have their effect, `brew.compendium.portable_bits` asks once torch is there.
PORTABLE = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_CBWR": "COMPATIBLE",
    "OPENBLAS_CORETYPE": "Haswell",
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "BREW_THREADS": "1",
    "BREW_PROCESSES": "2",
    "CUDA_VISIBLE_DEVICES": "",
}
#: Of what is forgotten, what changes no result.
KEPT = (
    "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX", "PYTHONFAULTHANDLER", "TORCH_HOME", "TORCH_HUB",
    "PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_ALLOC_CONF",
)  # fmt: skip

#: What Jupyter and IPython read once a kernel starts.
_OF_JUPYTER = ("JPY_", "JUPYTER_", "IPYTHON")


def pinned(account: Mapping[str, str], portable: bool = False) -> dict[str, str]:
    """The variables of a stage's processes, from those of the account. portable: with those of `PORTABLE`.

    How work is split decides the last bits of every weight: over two processes of one thread each, on any number of
    cores, unless `BREW_PROCESSES` and `BREW_THREADS` say otherwise (record 0036). Threads wait asleep: two runs whose
    threads spin would stop each other almost wholly.
    """
    kept = {name: value for name, value in account.items() if name in KEPT or not name.startswith(FORGOTTEN)}
    threads = account.get("BREW_THREADS", "1")
    return (
        kept
        | {
            "BREW_PROCESSES": account.get("BREW_PROCESSES", "2"),
            "OMP_NUM_THREADS": threads,
            "MKL_NUM_THREADS": threads,
            "OPENBLAS_NUM_THREADS": threads,
            "OMP_WAIT_POLICY": "PASSIVE",
            "OMP_DYNAMIC": "FALSE",
            "MKL_DYNAMIC": "FALSE",
            "PYTHONHASHSEED": "0",
            "PYTHONUTF8": "1",
            "PYTHONNOUSERSITE": "1",
            "MATPLOTLIBRC": str(ROOT / "matplotlibrc"),
            "SOURCE_DATE_EPOCH": "0",
            "TQDM_MININTERVAL": "10",
            "TZ": "UTC",
            "LC_ALL": "C.UTF-8",
        }
        | (PORTABLE if portable else {})
    )


def notebook(account: Mapping[str, str], portable: bool) -> dict[str, str]:
    """The variables of a notebook's kernel: pinned, with pictures in the page, and the `brew` of this tree."""
    return pinned(account, portable) | {
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "PYTHONPATH": str(ROOT),
    }


def settings(variables: Mapping[str, str]) -> str:
    """A digest of the variables that decide results and are read while libraries are imported."""
    fixed = pinned({}, portable=True)
    decisive = {
        name: value
        for name, value in variables.items()
        if (name in fixed or name.startswith(FORGOTTEN)) and not name.startswith(_OF_JUPYTER)
    }
    return sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()


def pipeline(account: Mapping[str, str]) -> dict[str, str]:
    """The variables of DVC, which starts the stages: pinned, with this Python first and a shell that runs commands.

    DVC starts a stage by the account's SHELL: one that refuses to log in runs nothing, and one whose start file sets
    PATH runs another Python, or none. A relative BREW_DATA is meant from the folder that the command was given in. DVC
    stops at a HOME that this account may not enter, as `sudo -u` leaves one; without it, the account's own is taken.
    """
    there = {"BREW_DATA": str(Path(account["BREW_DATA"]).expanduser().absolute())} if account.get("BREW_DATA") else {}
    home = account.get("HOME", "")
    if home and os.path.lexists(home) and not os.access(home, os.X_OK):
        account = {name: value for name, value in account.items() if name != "HOME"}
    path = os.pathsep.join([str(Path(sys.executable).parent), account.get("PATH", os.defpath)])
    return pinned(account) | there | {"PATH": path, "SHELL": "/bin/sh"}
