"""What the processes of one run say to each other, beside the gradients that Fabric averages."""

from collections.abc import Callable
from pathlib import Path
from typing import cast

import torch
from lightning_fabric import Fabric
from torch import Tensor

from brew.errors import BrewError


def agree_on_step(fabric: Fabric, step: int, unfinished: Path) -> None:
    """All processes start at one step; BrewError if some did not find the checkpoint that others found."""
    if fabric.world_size == 1:
        return
    steps = cast(Tensor, fabric.all_gather(torch.tensor(step, device=fabric.device))).tolist()
    if len(set(steps)) > 1:
        raise BrewError(
            f"processes start at steps {steps}; expected one step for all. {unfinished} has to lie in a folder that "
            "every machine sees, with the same code and settings on each of them"
        )


def sum_of_covariances(fabric: Fabric, covariance: str) -> Callable[[Tensor], Tensor] | None:
    """Sum over processes, through which gradients flow; None if there is one process or the sum stays local."""
    if fabric.world_size == 1 or covariance == "local":
        return None
    from torch.distributed.nn.functional import all_reduce

    return all_reduce
