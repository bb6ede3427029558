"""Checkpoints of unfinished runs: written atomically, read strictly, deleted when the run ends.

All randomness is keyed and all schedules are functions of the step, so weights, optimiser and step are the whole state:
nothing in it belongs to one process, and a run may go on with another number of them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from brew.errors import BrewError
from brew.files import replacing


def save(path: Path, state: Mapping[str, Any]) -> None:
    """Write `state` so that a kill at any moment leaves the old file or the new one, never half of one."""
    with replacing(path) as partial:
        torch.save(dict(state), partial)


def load(path: Path) -> dict[str, Any] | None:
    """The saved state, or None where there is none; BrewError where the file cannot be read."""
    if not path.exists():
        return None
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise BrewError(
            f"{path} cannot be read ({error}); expected a brew checkpoint; delete it to start anew"
        ) from error
