"""What each teacher brings, benchmark by benchmark."""

from collections.abc import Sequence

import pandas as pd

from brew.compendium.report.captioned import CaptionedTable
from brew.compendium.report.contrasts import CONTRASTS, by_kind, contrasted, contrasts_run
from brew.compendium.report.gain_cells import BOLD, over_both
from brew.compendium.report.gains import EXPLORATORY, family, gain
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
        f"several times, the interval over seeds follows; else a difference is {EXPLORATORY}. {BOLD}" + absent
    )
    return CaptionedTable("teachers", teachers_table(scored, names), caption)


def teachers_table(scored: Scored, names: Sequence[str]) -> pd.DataFrame:
    """Benchmarks by contrasts, of what was run, after what the benchmarks live on."""
    contrasts, kinds = contrasts_run(scored, names), by_kind(contrasted(scored, names))
    found = {
        name: {each.title: gain(scored, [name], each.arm, each.reference) for each in contrasts}
        for members in kinds.values()
        for name in members
    }
    told = family([each for gains in found.values() for each in gains.values()])
    return pd.DataFrame([
        {"lives on": kind, "benchmark": name} | {title: over_both(each, told) for title, each in found[name].items()}
        for kind, members in kinds.items()
        for name in members
    ])  # fmt: skip
