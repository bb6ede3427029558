"""Who starts a training's processes: a notebook's stage asks nobody, whatever variables surround it."""

import os
import threading

import pytest
import torch

from brew.compendium.launching import as_launched, begin_share, here, launched
from brew.compendium.processes import training_processes
from brew.errors import BrewError

#: What SLURM sets in an ordinary batch job, and torchrun in a process.
BATCH_JOB = {
    "SLURM_JOB_ID": "123456", "SLURM_JOB_NAME": "brew", "SLURM_NTASKS": "1", "SLURM_PROCID": "0", "SLURM_LOCALID": "0",
    "SLURM_NODEID": "0", "SLURM_NNODES": "1", "SLURM_NODELIST": "localhost",
}  # fmt: skip
MANY_TASKS = BATCH_JOB | {"SLURM_NTASKS": "8", "SLURM_NTASKS_PER_NODE": "8", "SLURM_PROCID": "3", "SLURM_LOCALID": "3"}
TORCHRUN = {
    "TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "8", "RANK": "3", "LOCAL_RANK": "3", "LOCAL_WORLD_SIZE": "4",
    "GROUP_RANK": "1", "MASTER_ADDR": "elsewhere", "MASTER_PORT": "1", "TORCHELASTIC_USE_AGENT_STORE": "True",
}  # fmt: skip
#: What other systems set, and what a launch leaves in a shell.
LSF = {
    "LSB_JOBID": "1", "LSB_DJOB_RANKFILE": "/nowhere", "JSM_NAMESPACE_LOCAL_RANK": "0", "JSM_NAMESPACE_SIZE": "4",
    "JSM_NAMESPACE_RANK": "0",
}  # fmt: skip
KUBERNETES = {"KUBERNETES_PORT": "tcp://x", "MASTER_ADDR": "x", "MASTER_PORT": "1", "WORLD_SIZE": "2", "RANK": "1"}
OPEN_MPI = {"OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "1", "PMIX_RANK": "1", "PBS_JOBID": "1"}
LEFT = {"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "4"}
STRANGE = [LSF, KUBERNETES, OPEN_MPI, LEFT, {"SLURM_JOB_ID": "1", "SLURM_JOB_NAME": "x", "SLURM_NTASKS": "1"}]
SURROUNDINGS = pytest.mark.parametrize("variables", [BATCH_JOB, MANY_TASKS, TORCHRUN, *STRANGE])


def surround(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


@SURROUNDINGS
def test_a_notebook_s_stage_is_one_process_in_any_surroundings(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    surround(monkeypatch, variables)
    fabric = here("32-true")
    assert (fabric.world_size, fabric.global_rank, fabric.is_global_zero) == (1, 0, True)
    model = fabric.setup(torch.nn.Linear(2, 1))
    assert model.weight.shape == (1, 2)  # Fabric refuses this before a launch that the surroundings ask for


@SURROUNDINGS
def test_forked_processes_are_the_stage_s_own_in_any_surroundings(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    surround(monkeypatch, variables)
    fabric = here("32-true", processes=2)
    assert (fabric.world_size, fabric.global_rank) == (2, 0)
    surroundings = fabric.strategy.cluster_environment  # type: ignore[attr-defined]
    assert (surroundings.node_rank(), surroundings.main_address) == (0, "127.0.0.1")
    assert surroundings.main_port != 1 and not surroundings.creates_processes_externally


def test_the_command_takes_the_launch_of_srun(monkeypatch: pytest.MonkeyPatch) -> None:
    surround(monkeypatch, MANY_TASKS | {"SLURM_STEP_ID": "0"})
    assert as_launched("32-true").world_size == 8
    surround(monkeypatch, {"SLURM_NTASKS": "16", "SLURM_NNODES": "2"})
    assert launched() == (8, 2)
    monkeypatch.delenv("SLURM_NTASKS_PER_NODE")
    with pytest.raises(BrewError, match=r"Write --nodes=2 --ntasks-per-node=8 instead of --ntasks=16"):
        launched()


def test_the_command_takes_the_launch_of_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    surround(monkeypatch, TORCHRUN)
    assert launched() == (4, 2)
    assert as_launched("32-true").world_size == 8


@pytest.mark.parametrize("variables", [BATCH_JOB, MANY_TASKS, *STRANGE])
def test_the_command_is_alone_without_a_launch(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    surround(monkeypatch, variables)
    assert launched() == (1, 1)
    fabric = as_launched("32-true")
    assert (fabric.world_size, fabric.global_rank) == (1, 0)


@pytest.mark.parametrize(("accelerators", "batches", "portable", "expected"), [
    (0, [32], False, 1), (1, [32], False, 1), (8, [32, 24], False, 8), (8, [32, 12], False, 4), (8, [32], True, 1),
    (3, [32], False, 2),
])  # fmt: skip
def test_a_machine_s_accelerators_are_taken_as_far_as_they_divide_the_batches(
    monkeypatch: pytest.MonkeyPatch, accelerators: int, batches: list[int], portable: bool, expected: int
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: accelerators)
    assert training_processes("auto", batches, portable) == expected
    assert training_processes(4, batches, portable) == 4


def test_a_number_of_processes_that_divides_no_batch_is_refused() -> None:
    with pytest.raises(BrewError, match="processes is 5, and a feed's batch is 32"):
        training_processes(5, [32], False)


def test_a_shell_of_a_batch_system_is_no_launch(monkeypatch: pytest.MonkeyPatch) -> None:
    surround(monkeypatch, MANY_TASKS | {"SLURM_STEP_ID": "0", "SLURM_JOB_NAME": "interactive"})
    assert launched() == (1, 1)


def compute_in_threads(_: object) -> None:
    """Let eight threads be the first to compute; the fork ends with status 1 if one cannot."""
    together, failed = threading.Barrier(8), list[Exception]()

    def compute() -> None:
        together.wait()
        try:
            torch.arange(4) * 2
        except RuntimeError as error:
            failed.append(error)

    threads = [threading.Thread(target=compute) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os._exit(len(failed) > 0)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_threads_of_a_fork_may_compute_at_once() -> None:
    """About one of twenty forks fails if torch's pool of threads is not made anew before they begin."""
    torch.set_num_threads(torch.get_num_threads())
    for _ in range(40):
        fork = os.fork()
        if fork == 0:
            begin_share(compute_in_threads, None)
        assert os.waitpid(fork, 0)[1] == 0
