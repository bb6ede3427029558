"""A Jupyter kernel that ends with the process that started it, and takes its own children along.

Between the notebook's runner and the kernel stands a small supervisor, which is this file run as a script. It leads
the kernel's process group; where the runner dies, however suddenly, the supervisor ends the group: the kernel and the
workers that the kernel started. Without it a killed `dvc repro` leaves a notebook training in the background.

Left out: platforms other than Linux, where a kernel still ends by its own polling but its workers may stay.
"""

import ctypes
import os
import signal
import subprocess
import sys

from brew.compendium.environment import settings
from brew.compendium.notebooks.fork_server import fork

_PR_SET_PDEATHSIG = 1
#: The process of the DVC that `brew repro` started.
DVC_PROCESS = "BREW_DVC"


def die_with_parent(signum: signal.Signals) -> None:
    """Have the system send `signum` to this process when its parent ends (Linux; nothing elsewhere)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signum), 0, 0, 0)


def end_with_dvc() -> None:
    """Have a stage end with the DVC that started it; SystemExit if that one ended while this Python started.

    Called first of all: a stage imports for seconds, and one that misses the end of DVC would run on by itself. Nothing
    happens outside a stage, which may outlive its terminal.
    """
    if "DVC_STAGE" not in os.environ:
        return
    die_with_parent(signal.SIGKILL)
    dvc = os.environ.get(DVC_PROCESS)
    if dvc and not _runs(int(dvc)):
        raise SystemExit(f"error: DVC, process {dvc}, has ended; expected that it waits for this stage. Run it again")


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def supervise(connection_file: str, *extra_arguments: str) -> int:
    """Run a kernel until it ends, or end its whole process group where the parent ends first."""

    def end_group(*_: object) -> None:
        os.killpg(os.getpgrp(), signal.SIGKILL)

    parent = int(os.environ["JPY_PARENT_PID"])
    signal.signal(signal.SIGTERM, end_group)
    # An interrupt goes to the group and is meant for the kernel. A handler, unlike SIG_IGN, is not inherited.
    signal.signal(signal.SIGINT, lambda *_: None)
    die_with_parent(signal.SIGTERM)
    if os.getppid() != parent:  # it ended before the system was told
        end_group()
    arguments = ["-f", connection_file, *extra_arguments]
    if forked := fork("ipykernel_launcher", arguments, settings(os.environ)):
        signal.signal(signal.SIGINT, lambda *_: forked.tell(signal.SIGINT, group=True))
        return forked.wait()
    command = [sys.executable, "-m", "ipykernel_launcher", *arguments]
    ended = subprocess.run(command, env={**os.environ, "JPY_PARENT_PID": str(os.getpid())}, check=False).returncode
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.killpg(os.getpgrp(), signal.SIGTERM)  # a kernel that was killed leaves its workers waiting
    return ended


if __name__ == "__main__":
    sys.exit(supervise(*sys.argv[1:]))
