"""How many processes share a stage's work, and how many train an arm."""

import multiprocessing
import os
from collections.abc import Iterable
from typing import Literal

import torch

from brew.errors import BrewError


def processes() -> int:
    """`BREW_PROCESSES`, which the pipeline sets for its notebooks; one process if it is not set.

    An accelerator gains nothing from a second process, and a system without fork cannot start one: the answer is 1.
    Raises BrewError if `BREW_PROCESSES` is no whole number from 1.
    """
    text = os.environ.get("BREW_PROCESSES", "1")
    if not text.isdecimal() or int(text) < 1:
        raise BrewError(
            f"BREW_PROCESSES is {text!r}; expected a whole number from 1. Unset it, or set it to the number of "
            f"processes that may share a stage's work, such as {os.cpu_count() or 1}"
        )
    able = "fork" in multiprocessing.get_all_start_methods() and not torch.cuda.is_available()
    return int(text) if able else 1


def training_processes(asked: Literal["auto"] | int, batches: Iterable[int], portable: bool) -> int:
    """How many processes the stage has to launch to train an arm; 1 if none, since the stage then trains by itself.

    asked: a number, or "auto": one per accelerator, as many as divide every feed's batch. Portable bits use no
    accelerator. Raises BrewError for a number that does not divide a batch.
    """
    sizes = list(batches)
    if asked != "auto":
        if odd := [size for size in sizes if size % asked]:
            raise BrewError(
                f"pretraining.processes is {asked}, and a feed's batch is {odd[0]}; expected a number that divides it. "
                "Change one of them"
            )
        return asked
    found = 1 if portable else torch.cuda.device_count()
    return max((count for count in range(1, found + 1) if not any(size % count for size in sizes)), default=1)
