"""Independent pieces of work side by side: as many threads as torch may use, each of them computing on its own.

Torch's own threads share each operation, and wait for each other after it. Small operations, a few samples' views for
instance, gain little that way. Left out: processes, which would have to hand over what they made.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

import torch
from threadpoolctl import ThreadpoolController

_Piece = TypeVar("_Piece")
_Result = TypeVar("_Result")


def side_by_side(work: Callable[[_Piece], _Result], pieces: Sequence[_Piece]) -> list[_Result]:
    """`work` of each piece. What it raises is raised here."""
    threads = min(torch.get_num_threads(), len(pieces))
    if threads < 2:
        return [work(piece) for piece in pieces]
    with ThreadPoolExecutor(threads, initializer=_compute_alone) as pool:
        return list(pool.map(work, pieces))


def _compute_alone() -> None:
    """Let the operations that this thread calls use one thread. OpenMP keeps that number per calling thread."""
    torch.get_num_threads()  # gives a new thread torch's number, which would otherwise come later
    _openmp().limit(limits=1)


@cache
def _openmp() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="openmp")
