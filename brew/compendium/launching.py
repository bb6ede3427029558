"""How a training's processes are started: none but this one, forked ones, launched ones, or those of torchrun or SLURM.

A notebook's stage asks for no launch: inside a batch job it finds SLURM's variables, which then mean nothing (`here`).
Only the command that asks for a launch takes them (`as_launched`). Other systems' variables mean nothing to both.
"""

import ctypes
import os
import signal
import sys
import traceback
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning_fabric.plugins.environments.lightning import LightningEnvironment, find_free_network_port
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning_fabric.strategies.ddp import DDPStrategy
from torch.multiprocessing.spawn import ProcessRaisedException

from brew.errors import BrewError

#: Precisions that the loop is written for, with what frozen weights are kept in. float16 is none of them: it needs its
#: losses scaled, and the coding rate's determinants leave its range.
PRECISIONS = {"32-true": torch.float32, "bf16-mixed": torch.bfloat16}
#: What each process finds that torchrun, or SLURM's `srun`, has started. A batch job itself is no step of srun, and
#: single names may be left over from anything.
_BY_TORCHRUN = (
    "TORCHELASTIC_RUN_ID", "WORLD_SIZE", "RANK", "LOCAL_WORLD_SIZE", "LOCAL_RANK", "GROUP_RANK", "MASTER_ADDR",
    "MASTER_PORT",
)  # fmt: skip
_BY_SRUN = (
    "SLURM_STEP_ID", "SLURM_NTASKS", "SLURM_PROCID", "SLURM_NNODES", "SLURM_NODEID", "SLURM_LOCALID",
    "SLURM_JOB_NAME", "SLURM_JOB_ID",
)  # fmt: skip
#: Names of SLURM's jobs that are shells.
_SHELLS = ("bash", "interactive")
#: By this variable torch expects that torchrun keeps the processes' store.
_AGENT_STORE = "TORCHELASTIC_USE_AGENT_STORE"


class Unlaunched(LightningEnvironment):
    """Surroundings in which nobody has started this process as one of several, whatever variables say.

    Processes that it forks find their rank in LOCAL_RANK, which Fabric sets in each of them.
    """

    def __init__(self) -> None:
        super().__init__()
        self._parent = os.getpid()
        self._main_port = find_free_network_port()

    creates_processes_externally = False
    main_address = "127.0.0.1"

    def local_rank(self) -> int:
        return 0 if os.getpid() == self._parent else int(os.environ["LOCAL_RANK"])

    def node_rank(self) -> int:
        return 0


def here(precision: str, processes: int = 1) -> Fabric:
    """This process, or so many that it forks, whatever launch the surroundings tell of.

    Raises BrewError for a precision that the losses cannot bear.
    """
    forked = _parallel(600.0, start_method="fork") if processes > 1 else "auto"
    return Fabric(
        accelerator="auto", devices=processes, strategy=forked, precision=_checked(precision), plugins=[Unlaunched()]
    )


def as_launched(precision: str, patience_s: float = 600.0) -> Fabric:
    """This process as one of those that torchrun or SLURM's `srun` has started; alone if neither did.

    patience_s: how long a process waits for another one before it gives up. Raises BrewError as `here` does, and for
    tasks of SLURM that are not stated per node.
    """
    devices, nodes = launched()
    strategy = _parallel(patience_s) if devices * nodes > 1 else "auto"
    return Fabric(
        accelerator="auto", devices=devices, num_nodes=nodes, strategy=strategy, precision=_checked(precision),
        plugins=[_launcher()],
    )  # fmt: skip


def _parallel(patience_s: float, **start: Any) -> DDPStrategy:
    """Data parallelism. Buffers are constants of the trunks, so no process has to send them to the others."""
    return DDPStrategy(
        timeout=timedelta(seconds=patience_s), forward_sync_buffers=False, gradient_as_bucket_view=True, **start
    )


def _checked(precision: str) -> Any:
    if precision not in PRECISIONS:
        raise BrewError(
            f"pretraining.precision is {precision!r}; expected one of {', '.join(PRECISIONS)} "
            "(float16 would need scaled losses, and the coding rate leaves its range)"
        )
    return precision


def run(fabric: Fabric, share: Callable[[Fabric], None]) -> None:
    """Let every process do its share, which returns nothing: a forked one that returns more than a pipe holds hangs.

    Raises a forked process's error as a BrewError.
    """
    if fabric.world_size == 1:
        return share(fabric)
    kept_by_torchrun = os.environ.pop(_AGENT_STORE, None)
    try:
        fabric.launch(partial(begin_share, share))
    except ProcessRaisedException as error:  # of a forked process, whose error comes as the text of its traceback
        raise BrewError(str(error).strip().splitlines()[-1].partition(": ")[2]) from error
    finally:
        if kept_by_torchrun is not None:
            os.environ[_AGENT_STORE] = kept_by_torchrun


def begin_share(share: Callable[[Any], None], fabric: Any) -> None:
    """Do the share after torch's pool of threads was made anew, in the one thread that a fork begins with.

    torch 2.15 leaves its pool behind at a fork and replaces it at first use. If two threads are first at once, as
    readers of batches are, one finds none ("Invalid thread pool!"): in one of thirty forks whose four threads begin
    together.
    """
    torch.set_num_threads(torch.get_num_threads())
    share(fabric)


def launch(processes: int, command: Sequence[str]) -> None:
    """Start `command`, of `python -m brew`, in so many processes of this machine, as torchrun does; wait for their end.

    The launcher is this process, so its processes end with it. They print to its standard output. Raises BrewError with
    what the first failed process left, if one fails.
    """
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    config = LaunchConfig(
        min_nodes=1, max_nodes=1, nproc_per_node=processes, run_id=uuid.uuid4().hex, rdzv_backend="c10d",
        rdzv_endpoint="localhost:0", max_restarts=0, monitor_interval=0.5, start_method="spawn",
    )  # fmt: skip
    # The agent's thread variable is for processes that were not told theirs.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        elastic_launch(config, sys.executable)("-m", "brew", *command)
    except ChildFailedError as failed:
        rank, failure = failed.get_first_failure()
        raise BrewError(
            f"process {rank} of {processes} ended with exit code {failure.exitcode}; expected all until the last step. "
            "Their messages stand above, or in the terminal that the run was started from; the same command goes on "
            "from the last checkpoint"
        ) from failed


def launched() -> tuple[int, int]:
    """Processes per machine, and machines, as torchrun or `srun` started them; (1, 1) if neither did.

    Raises BrewError for tasks of SLURM that are not stated per node.
    """
    told, launcher = os.environ, _launcher()
    if isinstance(launcher, TorchElasticEnvironment):
        local = int(told["LOCAL_WORLD_SIZE"])
        return local, int(told["WORLD_SIZE"]) // local
    if isinstance(launcher, SLURMEnvironment):
        nodes = int(told["SLURM_NNODES"])
        return int(told["SLURM_NTASKS"]) // nodes, nodes
    return 1, 1


def _launcher() -> ClusterEnvironment:
    """Who started this process as one of several; BrewError for tasks of SLURM that are not stated per node."""
    told = os.environ
    if all(name in told for name in _BY_TORCHRUN):
        return TorchElasticEnvironment()
    if all(name in told for name in _BY_SRUN) and told["SLURM_JOB_NAME"] not in _SHELLS:
        tasks, nodes = int(told["SLURM_NTASKS"]), int(told["SLURM_NNODES"])
        if tasks > 1 and "SLURM_NTASKS_PER_NODE" not in told:
            raise BrewError(
                f"SLURM started {tasks} tasks and does not say how many per node; expected --ntasks-per-node. "
                f"Write --nodes={nodes} --ntasks-per-node={tasks // nodes} instead of --ntasks={tasks}"
            )
        return SLURMEnvironment()
    return Unlaunched()


@contextmanager
def one_of(processes: int, unfinished: Path) -> Iterator[None]:
    """Ends with the launcher, and turns the loss of another process into a BrewError that says what is left."""
    if processes == 1:
        yield
        return

    def stop(*_: Any) -> None:
        raise BrewError("the launcher ended this process, as it does when another one has failed")

    signal.signal(signal.SIGTERM, stop)
    if sys.platform == "linux":  # a launcher that is killed cannot end its processes
        ctypes.CDLL(None).prctl(1, int(signal.SIGKILL), 0, 0, 0)  # 1: PR_SET_PDEATHSIG
    try:
        yield
    except (BrewError, RuntimeError) as error:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # this process ends by itself now, once it has said why
        if not isinstance(error, BrewError):
            traceback.print_exc()
        left = (
            f"{unfinished} holds the last checkpoint: the same command goes on from there, with any number of processes"
            if unfinished.exists()
            else "no checkpoint was written yet: the same command starts anew"
        )
        rank = os.environ.get("RANK") or os.environ.get("SLURM_PROCID")
        raise BrewError(
            f"process {rank} of {processes}: {str(error).splitlines()[0]}; expected all processes until the last step. "
            "The launcher's last lines say how each one ended (signal 9: often a lack of memory, or it fell silent). "
            f"{left}"
        ) from error
