"""Where the numbers of a table lead: a score to its card, a difference to the page that compares its two backbones."""

import re
from collections.abc import Mapping
from typing import Any

from brew.compendium.report.site.addresses import CHAPTERS, number_address
from brew.compendium.report.site.scale_findings import Findings
from brew.compendium.report.site.table_markup import Door, identifier
from brew.compendium.report.style import BACKBONES
from brew.evaluation.benchmarks import BENCHMARKS

#: "optical: roofs (iou macro)": a column of scores.
_SCORES = re.compile(r"\w+: (\S+) \(")
_COMPARE = f"{CHAPTERS}/compare.html"
#: The backbone that the table of differences holds others against, unless a column says which one.
_REFERENCE = "ms-only"


def doors(findings: Findings, table: str) -> Door:
    """Of the cells of a table, by its name."""
    scored = {(row.benchmark, row.backbone) for row in findings.tables.results.itertuples() if row[3] == 1}

    def door(row: Mapping[Any, Any], column: str) -> str:
        backbone = identifier(str(row.get("arm", row.get("backbone", ""))))
        found = _SCORES.match(column)
        if found and (found[1], backbone) in scored:
            return number_address(found[1], backbone, 1.0)
        first, less, second = map(str, column.partition(" less "))
        if less and identifier(first) in BACKBONES and identifier(second) in BACKBONES:
            return comparison_address(identifier(first), identifier(second), 1.0)
        if backbone in BACKBONES and (column in BENCHMARKS or column.startswith(("optical, ", "multispectral, "))):
            return comparison_address(backbone, identifier(str(row.get("less", _REFERENCE))), _share(row))
        return ""

    return door


def comparison_address(arm: str, less: str, label_fraction: float) -> str:
    """Of the page that compares two backbones, from the scale's root."""
    return f"{_COMPARE}#{arm}--{less}--{label_fraction:g}"


def _share(row: Mapping[Any, Any]) -> float:
    return float(row["label fraction"].split()[0]) / 100 if "label fraction" in row else 1.0
