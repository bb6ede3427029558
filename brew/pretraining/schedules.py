"""Schedules: numbers as functions of the step, so that a resumed run needs no scheduler state.

Source: paper, section 4 (implementation details); released code's cosine scheduler.
"""

import math


def cosine(start: float, end: float, step: int, steps: int) -> float:
    """Half a cosine from `start` at step 0 to `end` at the last step (`steps` - 1)."""
    progress = min(step / max(steps - 1, 1), 1.0)
    return end + (start - end) * (1 + math.cos(math.pi * progress)) / 2


def warmup_cosine(peak: float, end: float, step: int, steps: int, warmup_steps: int) -> float:
    """Linear from 0 to `peak` over `warmup_steps`, then half a cosine to `end`."""
    if step < warmup_steps:
        return peak * step / warmup_steps
    return cosine(peak, end, step - warmup_steps, steps - warmup_steps)
