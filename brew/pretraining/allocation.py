"""Memory that a process keeps for its next step instead of returning it to the system, which zeroes every page again.

A training step allocates and frees the same tensors as the one before. glibc returns large ones at once, and getting
them back costs a page fault per 4 KiB. Left out: other C libraries, which are left as they are.
"""

import ctypes
import platform
from functools import cache

#: glibc's `mallopt` parameters (malloc.h): largest free top of the heap, and number of allocations beside the heap.
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
_KEPT_BYTES = 2**31 - 1


@cache
def keep_freed_memory() -> None:
    """From now on, up to 2 GiB that were freed stay with this process."""
    if platform.libc_ver()[0] == "glibc":
        library = ctypes.CDLL(None)
        library.mallopt(_MMAP_MAX, 0)
        library.mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)
