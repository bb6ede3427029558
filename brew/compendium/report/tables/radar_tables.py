"""What is learned of radar, beside chance and the untrained trunk."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from jaxtyping import Float

from brew.compendium.report.captioned import CaptionedTable
from brew.compendium.report.chance import chance_replicates
from brew.compendium.report.formatting import number, told_apart
from brew.compendium.report.joint import ModelReplicates, interval
from brew.compendium.report.scored import Scored
from brew.compendium.report.style import label
from brew.compendium.report.summary import benchmarks_in, in_order
from brew.evaluation.benchmarks import BENCHMARKS


def radar(scored: Scored, counts: Callable[[str], np.ndarray]) -> CaptionedTable | None:
    """Every backbone on the radar benchmarks; None if no radar was scored.

    counts: of a benchmark, per test sample, of any backbone.
    """
    parts = []
    for name in (each for each in benchmarks_in(scored.summary) if BENCHMARKS[each].modality == "radar"):
        guesses = chance_replicates(BENCHMARKS[name], counts(name))
        part = beside_chance(scored.of(name), guesses, scored.spread(name))
        part.insert(0, "benchmark", name)
        parts.append(part)
    if not parts:
        return None
    caption = (
        "The table shows the test score of a decoder on frozen features of radar. It stands beside a map that guesses "
        "from the classes' frequencies in the test, and beside the untrained trunk. Brackets hold 95 % intervals over "
        "test samples, those of differences on the same replicates, decoder seeds averaged. A difference stands in "
        "bold if its interval leaves out 0. What a linear probe finds in the features stands in the table of progress."
    )
    return CaptionedTable("radar", pd.concat(parts, ignore_index=True), caption)


def beside_chance(
    replicates: ModelReplicates, guesses: ModelReplicates, spread: Mapping[str, float], reference: str = "random"
) -> pd.DataFrame:
    """Guesses, then backbones: each one's score, and what it is ahead of `reference`, in percent and points."""
    names = [*guesses, *in_order(replicates)]
    every = {**guesses, **replicates}
    ahead = {name: "" if name == reference else _ahead(every[name] - replicates[reference]) for name in names}
    return pd.DataFrame({
        "backbone": [label(name) for name in names],
        "score": [number(every[name][0], spread.get(name, np.nan), *interval(every[name])) for name in names],
        f"less {label(reference)}": list(ahead.values()),
    })  # fmt: skip


def _ahead(difference: Float[np.ndarray, " replicate"]) -> str:
    return told_apart(difference[0], *interval(difference))
