"""What each teacher brings, benchmark by benchmark."""

from collections.abc import Sequence

import pandas as pd

from brew.compendium.report.captioned import CaptionedTable
from brew.compendium.report.contrasts import CONTRASTS, by_kind, contrasted, contrasts_run
from brew.compendium.report.gain_cells import over_both
from brew.compendium.report.gains import EXPLORATORY, gain
from brew.compendium.report.scored import Scored
from brew.compendium.report.summary import benchmarks_in


def teachers(scored: Scored) -> CaptionedTable | None:
    """What each teacher brings, after what the benchmarks live on; None if no contrast was run."""
    names = benchmarks_in(scored.summary)
    run = contrasts_run(scored, names)
    if not run:
        return None
    brought = " ".join(f"The difference {each.title} shows {each.brings}." for each in run)
    absent = "".join(f" The difference {each.title} was not run." for each in CONTRASTS if each not in run)
    caption = (
        "The table shows what each teacher brings, in points, by what tells a benchmark's classes apart. "
        f"{brought} The 95 % interval is over test samples, on the same replicates. If both arms were pretrained "
        f"several times, the interval over seeds follows; else a difference is {EXPLORATORY}. An interval that leaves "
        "out 0 stands in bold." + absent
    )
    return CaptionedTable("teachers", teachers_table(scored, names), caption)


def teachers_table(scored: Scored, names: Sequence[str]) -> pd.DataFrame:
    """Benchmarks by contrasts, of what was run, after what the benchmarks live on."""
    contrasts = contrasts_run(scored, names)
    rows = []
    for kind, members in by_kind(contrasted(scored, names)).items():
        for name in members:
            found = {each.title: gain(scored, [name], each.arm, each.reference) for each in contrasts}
            rows.append(
                {"lives on": kind, "benchmark": name} | {title: over_both(each) for title, each in found.items()}
            )
    return pd.DataFrame(rows)
