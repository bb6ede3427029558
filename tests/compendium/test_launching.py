"""Who starts a training's processes: a notebook's stage asks nobody, whatever variables surround it."""

import pytest
import torch

from brew.compendium.launching import as_launched, here

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
SURROUNDINGS = pytest.mark.parametrize("variables", [BATCH_JOB, MANY_TASKS, TORCHRUN])


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


def test_the_command_takes_the_launch(monkeypatch: pytest.MonkeyPatch) -> None:
    surround(monkeypatch, MANY_TASKS)
    fabric = as_launched("32-true")
    assert fabric.world_size == 8
