"""Checkpoints of unfinished runs: written atomically, read strictly, deleted when the run ends.

All randomness is keyed and all schedules are functions of the step. So weights, optimiser, step and history are the
whole state. Nothing in a checkpoint belongs to one process, and another number of processes may go on from it.
"""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from brew.errors import BrewError
from brew.files import write_bytes
from brew.pretraining.history import Rows


def save(path: Path, state: Mapping[str, Any]) -> None:
    """Write `state` so that a kill at any moment leaves the old file or the new one, never half of one.

    The bytes are gathered in memory first: torch hides the system's error if it writes to a full disk itself.
    """
    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    write_bytes(path, buffer.getvalue())  # without a copy; views of a buffer outlive errors, which CPython bears badly


def load(path: Path) -> dict[str, Any] | None:
    """The saved state, or None if there is none; BrewError if the file cannot be read."""
    if not path.exists():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise BrewError(
            f"{path} cannot be read ({error}); expected a brew checkpoint; delete it to start anew"
        ) from error
    if not isinstance(state, dict) or not all(isinstance(name, str) for name in state):
        raise BrewError(
            f"{path} holds a {type(state).__name__}; expected the dictionary of a brew checkpoint; delete it to start "
            "anew"
        )
    return state


def state_of(step: int, learner: nn.Module, own_teacher: nn.Module, optimiser: Optimizer, rows: Rows) -> dict[str, Any]:
    """What `resume` needs after `step` steps."""
    return {
        "step": step,
        "learner": learner.state_dict(),
        "own_teacher": own_teacher.state_dict(),
        "optimiser": optimiser.state_dict(),
        "history": rows,
    }


def resume(path: Path, learner: nn.Module, own_teacher: nn.Module, optimiser: Optimizer) -> tuple[int, Rows]:
    """Load the checkpoint at `path` into the three; the steps done and their history, (0, []) if there is none.

    Raises BrewError for a file that cannot be read or does not fit the three.
    """
    state = load(path)
    if state is None:
        return 0, []
    try:
        learner.load_state_dict(state["learner"])
        own_teacher.load_state_dict(state["own_teacher"])
        optimiser.load_state_dict(state["optimiser"])
        step, rows = state["step"], state["history"]
        if type(step) is not int or step < 0 or not _is_history(rows):
            raise TypeError(f"step {step!r} and a history of {type(rows).__name__}, not of a mapping per step")
    except Exception as error:  # a state of other content can fail in any way
        raise BrewError(
            f"{path} does not fit this run ({type(error).__name__}: {error}); expected what `state_of` gives; delete "
            "it to start anew"
        ) from error
    return step, rows


def _is_history(rows: object) -> bool:
    """Whether these are rows of names and numbers."""
    return isinstance(rows, list) and all(
        isinstance(row, dict) and all(isinstance(name, str) and isinstance(row[name], int | float) for name in row)
        for row in rows
    )
