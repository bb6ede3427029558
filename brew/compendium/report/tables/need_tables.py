"""What was not run at a scale, and what it needs: weights, bands, data."""

import pandas as pd

from brew.compendium.report.captioned import CaptionedTable
from brew.compendium.report.ledger import obtain
from brew.compendium.report.paper import MODALITIES, paper_benchmarks
from brew.compendium.report.scored import Scored
from brew.compendium.report.style import label
from brew.compendium.report.summary import in_order
from brew.evaluation.benchmarks import BENCHMARKS
from brew.evaluation.zoo import BACKBONES

_LISTED = "name it in the scale's parameter `backbones`"


def needs(scored: Scored, teacher: str) -> CaptionedTable:
    """What the cells need that were not run. teacher: of the scale; it stands in its scores under that word."""
    run = {name for backbones in scored.runs.values() for name in backbones}
    run |= {teacher} if "teacher" in run else set()
    rows = [*_weights(run), *_bands(), *_data(scored)]
    table = pd.DataFrame(rows, columns=["not run", "kind", "needs"])
    return CaptionedTable("needs", table, "The table shows what was not run at this scale, and what it needs.")


def _weights(run: set[str]) -> list[tuple[str, str, str]]:
    absent = in_order(set(BACKBONES) - run)
    return [(label(name), "weights", BACKBONES[name].needs() or _LISTED) for name in absent]


def _bands() -> list[tuple[str, str, str]]:
    """Sensors that a backbone cannot be compared on."""
    sensors = dict.fromkeys(each.sensor for each in BENCHMARKS.values() if each.modality in MODALITIES)
    return [
        (label(name), "bands", f"nothing: not comparable on sensor {sensor!r}, since {why}")
        for name, entry in BACKBONES.items()
        for sensor in sensors
        if (why := entry.lacking(sensor))
    ]


def _data(scored: Scored) -> list[tuple[str, str, str]]:
    return [(name, "data", obtain(name)) for name in paper_benchmarks() if not scored.of(name)]
