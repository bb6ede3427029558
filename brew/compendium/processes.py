"""How many processes share a stage's work."""

import multiprocessing
import os

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
