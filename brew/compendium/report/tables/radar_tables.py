"""What is learned of radar, beside chance and the untrained trunk."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from brew.compendium.report.captioned import CaptionedTable
from brew.compendium.report.chance import chance_replicates
from brew.compendium.report.columns import NOT_RUN
from brew.compendium.report.formatting import bold, corrected, established, number, signed
from brew.compendium.report.gains import difference
from brew.compendium.report.joint import ModelReplicates, Replicates, interval, wald_p
from brew.compendium.report.scored import Scored
from brew.compendium.report.style import label
from brew.compendium.report.summary import benchmarks_in, in_order
from brew.evaluation.benchmarks import BENCHMARKS
from brew.evaluation.statistics import holm

#: What backbones are held against.
REFERENCE = "random"


def radar(scored: Scored, counts: Callable[[str], np.ndarray]) -> CaptionedTable | None:
    """Every backbone on the radar benchmarks; None if no radar was scored.

    counts: of a benchmark, per test sample, of any backbone.
    """
    parts = []
    for name in (each for each in benchmarks_in(scored.summary) if BENCHMARKS[each].modality == "radar"):
        guesses = chance_replicates(BENCHMARKS[name], counts(name))
        ahead = {each: difference(scored, name, each, REFERENCE) for each in scored.of(name) if each != REFERENCE}
        part = beside_chance(scored.of(name), guesses, scored.spread(name), ahead)
        part.insert(0, "benchmark", name)
        parts.append(part)
    if not parts:
        return None
    caption = (
        "The table shows the test score of a decoder on frozen features of radar. It stands beside a map that guesses "
        "from the classes' frequencies in the test, and beside the untrained trunk. Brackets hold 95 % intervals over "
        "test samples, those of differences on the same replicates, at shared seeds, decoders averaged. A difference "
        "stands in bold if its interval leaves out 0 and its p, by Holm's method, lies below 0.05. What a linear probe "
        "finds in the features stands in the table of progress."
    )
    return CaptionedTable("radar", pd.concat(parts, ignore_index=True), caption)


def beside_chance(
    replicates: ModelReplicates,
    guesses: ModelReplicates,
    spread: Mapping[str, float],
    ahead: Mapping[str, Replicates | None],
) -> pd.DataFrame:
    """Guesses, then backbones: each one's score, and what it is ahead of `REFERENCE`, in percent and points.

    ahead: of each backbone, None if no seed is shared. A guess has no seeds: it meets all of the reference.
    """
    names, every = [*guesses, *in_order(replicates)], {**guesses, **replicates}
    differences = {**{name: each - replicates[REFERENCE] for name, each in guesses.items()}, **ahead}
    told = {name: each for name, each in differences.items() if each is not None}
    p = dict(zip(told, holm(np.array([wald_p(each) for each in told.values()])), strict=True))
    cells = {name: _ahead(each, p[name]) for name, each in told.items()}
    return pd.DataFrame({
        "backbone": [label(name) for name in names],
        "score": [number(every[name][0], spread.get(name, np.nan), *interval(every[name])) for name in names],
        f"less {label(REFERENCE)}": [cells.get(name, "" if name == REFERENCE else NOT_RUN) for name in names],
    })  # fmt: skip


def _ahead(difference: Replicates, p: float) -> str:
    ends = interval(difference)
    return bold(signed(difference[0], *ends), established(*ends, p)) + corrected(p)
