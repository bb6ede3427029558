"""What may befall a running pipeline: signals, no memory, no room, no permission, cut files, a clock set wrong.

Each disturbance strikes the processes or files of one tree, and returns what takes it back.
Left out: power loss (a cut file stands for it), network file systems, faults of memory or disk.
"""

import ctypes
import os
import resource
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil

#: Names the run that a process belongs to: an orphan still carries it.
MARK = "BREW_SOAK"
#: Bytes that a process may take on, and that a file may hold, once memory or disk are bounded.
_MEMORY, _FILE = 1 << 20, 1 << 10
_DAY = 86400
_PR_CAPBSET_DROP = 24
#: CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH: with them root writes into read-only folders.
_OVERRIDES = (1, 2)

#: Words of the four processes of a run, each the parent of the next: of command lines, or the name of a fork.
BREW, DVC = " -m brew repro ", " -m brew.compendium.one_pipeline "
STAGE, KERNEL = " -m brew notebook ", "ipykernel_launc"

FULL_DISK = "full disk"

Undo = Callable[[], None]


@dataclass(frozen=True)
class Run:
    """A pipeline that runs in `tree`; its processes carry `mark` in their environment."""

    tree: Path
    scale: str
    mark: str

    def processes(self) -> list[psutil.Process]:
        """All that live, whoever their parent is now."""
        return [each for each in psutil.process_iter() if _marked(each, self.mark)]

    def named(self, words: str) -> list[psutil.Process]:
        """Those whose command line holds the words, the oldest first; the youngest of all if there is none yet."""
        alive = sorted(self.processes(), key=psutil.Process.create_time)
        return [each for each in alive if words in _command(each)] or alive[-1:]


def _marked(process: psutil.Process, mark: str) -> bool:
    try:
        return process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


def _command(process: psutil.Process) -> str:
    try:
        return f"{' '.join(process.cmdline())} {process.name()}"
    except psutil.NoSuchProcess:
        return ""


def obey_permissions() -> None:
    """From the next program on, root too cannot write into read-only folders."""
    if os.geteuid() == 0:
        for each in _OVERRIDES:
            if ctypes.CDLL(None, use_errno=True).prctl(_PR_CAPBSET_DROP, each, 0, 0, 0):
                raise OSError(ctypes.get_errno(), "prctl")


def _nothing() -> None:
    return


def _signal(number: signal.Signals, words: str, run: Run, place: int = 0) -> Undo:
    """Signal the oldest process that the words name, or the one of another place (-1: the youngest)."""
    for process in run.named(words)[place:][:1]:
        _tell(process, number)
    return _nothing


def _tell(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return


def _interrupt(run: Run) -> Undo:
    """What Ctrl-C does: a terminal tells its whole group. Kernels lead groups of their own."""
    for process in run.named(BREW)[:1]:
        os.killpg(process.pid, signal.SIGINT)
    return _nothing


def _bound(kind: int, run: Run) -> Undo:
    """The stage's processes, not DVC, get no more memory, or may write no long file."""
    for process in run.processes():
        if any(words in _command(process) for words in (BREW, DVC)):
            continue
        try:
            most = process.memory_info().vms + _MEMORY if kind == resource.RLIMIT_AS else _FILE
            resource.prlimit(process.pid, kind, (most, most))
        except (psutil.NoSuchProcess, ProcessLookupError):
            continue
    return _nothing


def on_own_disk(tree: Path) -> bool:
    """Whether the tree is a file system of its own, which may be filled without harm to anything else."""
    return tree.is_mount()


def _fill_disk(run: Run) -> Undo:
    """Take the last byte where the tree lies, which has to be a small file system of its own."""
    if not on_own_disk(run.tree):
        raise ValueError(f"{run.tree} shares its disk with other files; expected a mounted file system")
    balloon = run.tree / "scratch" / "balloon"
    balloon.parent.mkdir(exist_ok=True)
    with balloon.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1 << 20))
        except OSError:
            return balloon.unlink


def _written(run: Run) -> list[Path]:
    """What the stages of the scale write."""
    return [run.tree / "reports" / run.scale, run.tree / "data" / "stores" / run.scale, run.tree / "scratch"]


def _forbid_writing(run: Run) -> Undo:
    folders = [each for top in _written(run) for each in (top, *top.rglob("*")) if each.is_dir()]
    modes = {folder: folder.stat().st_mode & 0o7777 for folder in folders}

    def undo() -> None:
        for folder, mode in modes.items():
            if folder.is_dir():
                folder.chmod(mode)

    for folder in modes:
        folder.chmod(0o555)
    return undo


def _kill_all(run: Run) -> None:
    while alive := run.processes():
        for process in alive:
            _tell(process, signal.SIGKILL)
        time.sleep(0.05)


def _cut(run: Run) -> Undo:
    """All processes end at once, and a store lost half of its largest chunk file, as after a loss of power."""
    _kill_all(run)
    chunks = [file for file in (run.tree / "data" / "stores" / run.scale).rglob("c/*/**/*") if file.is_file()]
    if chunks:
        largest = max(chunks, key=lambda file: (file.stat().st_size, str(file)))
        os.truncate(largest, largest.stat().st_size // 2)
    return _nothing


def _set_clock(days: int, run: Run) -> Undo:
    """All processes end at once, and what they wrote bears dates of another time."""
    _kill_all(run)
    then = time.time() + days * _DAY
    for file in (each for top in _written(run) for each in top.rglob("*") if each.is_file()):
        os.utime(file, (then, then))
    return _nothing


#: Kind -> its forms, of which a moment is one.
DISTURBANCES: dict[str, dict[str, Callable[[Run], Undo]]] = {
    "SIGKILL": {
        "dvc": partial(_signal, signal.SIGKILL, DVC),
        "brew": partial(_signal, signal.SIGKILL, BREW),
        "stage": partial(_signal, signal.SIGKILL, STAGE),
        "worker": partial(_signal, signal.SIGKILL, KERNEL, place=-1),
    },
    "SIGTERM": {
        "dvc": partial(_signal, signal.SIGTERM, DVC),
        "brew": partial(_signal, signal.SIGTERM, BREW),
        "stage": partial(_signal, signal.SIGTERM, STAGE),
        "kernel": partial(_signal, signal.SIGTERM, KERNEL),
    },
    "SIGINT": {"terminal": _interrupt, "kernel": partial(_signal, signal.SIGINT, KERNEL)},
    # The system ends the process that holds most; a bound on addresses makes the next allocation fail instead.
    "no memory": {
        "kernel killed": partial(_signal, signal.SIGKILL, KERNEL),
        "bounded": partial(_bound, resource.RLIMIT_AS),
    },
    FULL_DISK: {"filled": _fill_disk},
    "short files": {"bounded": partial(_bound, resource.RLIMIT_FSIZE)},
    "read-only folders": {"all": _forbid_writing},
    "cut chunk": {"largest": _cut},
    "clock": {"ahead": partial(_set_clock, 400), "back": partial(_set_clock, -400)},
}
