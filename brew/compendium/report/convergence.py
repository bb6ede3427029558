"""Whether an arm has converged: one rule, and the sentences that say it."""

import numpy as np
from jaxtyping import Float

from brew.compendium.report.formatting import plural
from brew.compendium.report.joint import over_seeds

CONVERGED, NOT_CONVERGED, CANNOT_TELL = "converged", "not converged", "cannot tell"


def convergence(gained: Float[np.ndarray, " seed"], most: float) -> str:
    """The verdict on an arm. gained: points that the last third of the steps brought, a value per seed of pretraining.

    most: points up to which an arm has converged. `convergence_rule` says the rule in words.
    """
    if len(gained) < 2:
        return f"{CONVERGED if gained.mean() <= most else NOT_CONVERGED}, by one seed"
    low, high = over_seeds(gained)
    return CONVERGED if high <= most else NOT_CONVERGED if low > most else CANNOT_TELL


def convergence_rule(most: float) -> str:
    """The rule as a caption says it."""
    points = plural(1, "point") if most == 1 else f"{most:g} points"
    return (
        f"An arm has converged if the last third of its steps brought no more than {points}. It is called "
        f'"{CONVERGED}" if the whole interval over seeds lies there, "{NOT_CONVERGED}" if no part of it does, and '
        f'"{CANNOT_TELL}" else. A single seed has no interval, so its gain decides alone.'
    )
