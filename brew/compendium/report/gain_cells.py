"""How tables write a gain, each of its two doubts by itself: test samples, and seeds of pretraining."""

from brew.compendium.report.columns import NOT_RUN
from brew.compendium.report.formatting import told_apart
from brew.compendium.report.gains import EXPLORATORY, Gain


def over_test(found: Gain | None) -> str:
    """A gain with its interval over test samples, bold if that leaves out 0."""
    return NOT_RUN if found is None else told_apart(found.points, found.low, found.high)


def over_pretraining(found: Gain | None) -> str:
    """The mean of the differences of paired seeds with its interval and what they could detect; one is exploratory."""
    if found is None:
        return NOT_RUN
    if found.exploratory:
        return EXPLORATORY
    seeds = found.over_seeds
    detectable = f", {seeds.seeds} seeds could detect {seeds.detectable:.1f}"
    return told_apart(found.points, seeds.low, seeds.high) + detectable


def over_both(found: Gain | None) -> str:
    """A gain over test samples and, after a semicolon, over seeds of pretraining if there are several."""
    seeds = over_pretraining(found)
    return over_test(found) if seeds in (NOT_RUN, EXPLORATORY) else f"{over_test(found)}; {seeds}"


#: The two doubts about a gain, and how each is written.
DOUBTS = {"test samples": over_test, "seeds": over_pretraining}
