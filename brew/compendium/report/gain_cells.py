"""How tables write a gain, each of its two doubts by itself: test samples, and seeds of pretraining.

The interval is the raw one. Holm's p beside it is corrected over all gains of the table. A gain stands in bold if both
speak for it, if it lies above what rounding alone gives, and if the benchmarks that it averages do not cancel.
"""

from collections.abc import Callable, Mapping

from brew.compendium.report.columns import NOT_RUN
from brew.compendium.report.formatting import bold, corrected, established, signed
from brew.compendium.report.gains import EXPLORATORY, Family, Gain

#: What captions say of a table of gains.
BOLD = (
    "Intervals are not corrected for the number of comparisons; the p beside them is, by Holm's method over the table. "
    "A gain stands in bold if its interval leaves out 0 and its p lies below 0.05. A gain that rounding alone could "
    "give is never bold, nor is a mean whose benchmarks have different signs."
)


def over_test(found: Gain | None, family: Family) -> str:
    """A gain with its interval over test samples."""
    if found is None:
        return NOT_RUN
    return _told(found, found.low, found.high, family.test[found])


def over_pretraining(found: Gain | None, family: Family) -> str:
    """The mean of the differences of paired seeds with its interval and what they could detect; one is exploratory."""
    if found is None:
        return NOT_RUN
    if found.exploratory:
        return EXPLORATORY
    seeds, p = found.over_seeds, family.seeds[found]
    shown = bold(signed(found.points, seeds.low, seeds.high), _holds(found, seeds.low, seeds.high, p))
    return f"{shown}, {seeds.seeds} seeds could detect {seeds.detectable:.1f}{corrected(p)}"


def _told(found: Gain, low: float, high: float, p: float) -> str:
    return bold(signed(found.points, low, high), _holds(found, low, high, p)) + corrected(p)


def _holds(found: Gain, low: float, high: float, p: float) -> bool:
    return established(low, high, p) and found.above_noise and not found.cancels


def over_both(found: Gain | None, family: Family) -> str:
    """A gain over test samples and, after a semicolon, over seeds of pretraining if there are several."""
    seeds = over_pretraining(found, family)
    test = over_test(found, family)
    return test if seeds in (NOT_RUN, EXPLORATORY) else f"{test}; {seeds}"


def parts(found: Gain | None) -> str:
    """The benchmarks that a gain is the mean over, each with its own."""
    if found is None:
        return NOT_RUN
    return ", ".join(f"{name} {points:+z.1f}" for name, points in found.parts)


#: The two doubts about a gain, and how each is written.
DOUBTS: Mapping[str, Callable[[Gain | None, Family], str]] = {"test samples": over_test, "seeds": over_pretraining}
