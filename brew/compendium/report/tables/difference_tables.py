"""Every backbone less a reference, benchmark by benchmark, with an exact test if few scenes are tested."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from brew.compendium.report.captioned import CaptionedTable
from brew.compendium.report.columns import missing
from brew.compendium.report.formatting import signed
from brew.compendium.report.gain_cells import BOLD, over_test
from brew.compendium.report.gains import family, gain, paired_runs
from brew.compendium.report.joint import primary_metric
from brew.compendium.report.scored import Scored
from brew.compendium.report.style import label
from brew.compendium.report.summary import benchmarks_in, in_order
from brew.evaluation.benchmarks import BENCHMARKS
from brew.evaluation.statistics import exact_swap_test, holm

#: Seed of pretraining and decoder.
Run = tuple[int, int]
#: Backbone -> run -> counts per test sample of one benchmark.
Counts = Mapping[str, Mapping[Run, np.ndarray]]
#: Up to so many scenes all exchanges are enumerated.
_FEW = 20


def differences(scored: Scored, reference: str) -> CaptionedTable:
    """Every backbone less `reference`, on the same replicates of test samples."""
    caption = (
        f"The table shows the primary score of every backbone less that of {label(reference)}, in points, with the 95 "
        "% interval of the paired difference. Both are on the same replicates of test samples, averaged over the seeds "
        f"of pretraining that both have, or over all if a method learns nothing. {BOLD}"
    )
    return CaptionedTable("differences", difference_table(scored, reference, benchmarks_in(scored.summary)), caption)


def difference_table(scored: Scored, reference: str, names: Sequence[str]) -> pd.DataFrame:
    """Backbones by those of the benchmarks `names` on which the reference was scored."""
    compared = [name for name in names if reference in scored.of(name)]
    rows = in_order({each for name in compared for each in scored.of(name)} - {reference})
    found = {(name, each): gain(scored, [name], each, reference) for name in compared for each in rows}
    told = family(list(found.values()))

    def cell(name: str, backbone: str) -> str:
        if backbone not in scored.of(name):
            return missing(backbone, BENCHMARKS[name].task, BENCHMARKS[name].sensor)
        return over_test(found[name, backbone], told)

    cells = {name: [cell(name, each) for each in rows] for name in compared}
    return pd.DataFrame({"backbone": [label(name) for name in rows], "less": label(reference), **cells})


def exact_tests(scored: Scored, reference: str, counts: Callable[[str], Counts]) -> CaptionedTable | None:
    """The exact p of those differences that are over few scenes; None if there is none. counts: of a benchmark."""
    tiled = [name for name in benchmarks_in(scored.summary) if BENCHMARKS[name].tiles and reference in scored.of(name)]
    table = pd.DataFrame([row for name in tiled for row in _tested(scored, name, reference, counts(name))])
    if table.empty:
        return None
    caption = (
        f"The table shows the differences to {label(reference)} on benchmarks of few test scenes, as they stand in the "
        "table of differences: their interval resamples whole scenes, and is approximate for few. Each p is of the "
        "difference beside it, exact over all exchanges of the two in any subset of the scenes, in all paired runs at "
        "once. The last column shows these p as Holm's method over the table corrects them."
    )
    p = table["p (exact)"].to_numpy(dtype=float)
    shown = table.assign(**{
        "p (exact)": [f"{each:.3f}" for each in p], "p (Holm)": [f"{each:.3f}" for each in holm(p)]
    })  # fmt: skip
    return CaptionedTable("exact-tests", shown, caption)


def _tested(scored: Scored, name: str, reference: str, counts: Counts) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for backbone in in_order(scored.of(name).keys() - {reference}):
        pairs = paired_runs(scored, name, backbone, reference)
        found = gain(scored, [name], backbone, reference)
        if found and len(counts[backbone][next(iter(pairs))[0]]) <= _FEW:
            rows.append({
                "benchmark": name, "backbone": label(backbone), "less": label(reference),
                "difference (points)": signed(found.points, found.low, found.high),
                "p (exact)": exact_p(name, counts[backbone], counts[reference], pairs),
            })  # fmt: skip
    return rows


def exact_p(
    benchmark: str,
    ours: Mapping[Run, np.ndarray],
    theirs: Mapping[Run, np.ndarray],
    pairs: Mapping[tuple[Run, Run], float],
) -> float:
    """Two-sided p of the weighted mean of paired differences: a scene is exchanged in all pairs of runs at once.

    ours, theirs: run -> counts per scene. pairs: (run of ours, run of theirs) -> weight.
    """
    score, weights = primary_metric(BENCHMARKS[benchmark]), np.array(list(pairs.values()))
    one = np.stack([ours[run] for run, _ in pairs], axis=1)
    other = np.stack([theirs[run] for _, run in pairs], axis=1)
    return exact_swap_test(one, other, lambda summed: score(summed) @ weights)
