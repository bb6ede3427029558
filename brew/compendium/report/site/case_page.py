"""The pages of single test images: cases of every benchmark of maps, and the patches of an image that are alike."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brew.compendium.report.site.addresses import CASES
from brew.compendium.report.style import label, metric_words
from brew.compendium.report.summary import in_order
from brew.evaluation.benchmarks import BENCHMARKS


@dataclass(frozen=True)
class CasesOfBenchmark:
    """What the page shows of one benchmark.

    cases: each with its heading, its words and its panels. legends: of maps and of errors, as (name, colour).
    """

    name: str
    text: str
    legends: Sequence[tuple[str, Sequence[tuple[str, str]]]]
    cases: Sequence[dict[str, Any]]

    @property
    def id(self) -> str:
        return f"cases-{self.name}"


def cases_of(folder: Path, root: str) -> list[CasesOfBenchmark]:
    """What stage `cases` left in `folder`, benchmark by benchmark; none if it did not run. root: from the page."""
    file = folder / "cases.json"
    kept = json.loads(file.read_text(encoding="utf-8")) if file.exists() else []
    return [_of_benchmark(each, root) for each in kept]


def _of_benchmark(each: dict[str, Any], root: str) -> CasesOfBenchmark:
    entry, ours, theirs = BENCHMARKS[each["benchmark"]], label(each["arm"]), label(each["reference"])
    which = (
        f"All {each['images']} test scenes are shown, the best of {ours} first."
        if entry.tiles
        else f"Of the {each['images']} test images whose maps are kept, the best, the median and the worst one of "
        f"{ours} are shown."
    )
    text = (
        f"{ours} beside {theirs}. {which} Scores are in percent ({metric_words(entry.metric)}), of the very map "
        f"shown: the first seed and decoder. {each['credit']}"
    )
    legends = [(title, pairs) for title, pairs in (
        ("Classes", [tuple(pair) for pair in each["classes"]]), ("Errors", [*each["legend"].items()]),
    ) if pairs]  # fmt: skip
    cases = [
        {
            "id": f"case-{each['benchmark']}-{place}",
            "title": f"{case['place'].capitalize()}: {'scene' if entry.tiles else 'image'} {case['image']}",
            "words": f"{ours} {case['scores'][0]:.1f}, {theirs} {case['scores'][1]:.1f}",
            "panels": [
                {"title": title, "file": f"{root}{CASES}/{name}", "map": name.endswith(".png"),
                 "alt": f"{title}, of {case['image']} of {entry.name}"}
                for title, name in case["panels"]
            ],
        }
        for place, case in enumerate(each["cases"], 1)
    ]  # fmt: skip
    return CasesOfBenchmark(each["benchmark"], text, legends, cases)


def patches_of(folder: Path, root: str) -> dict[str, Any] | None:
    """What the template `patches` names; None if the scale has no images for it. root: from the page."""
    file = folder / "likeness.json"
    if not file.exists():
        return None
    kept = json.loads(file.read_text(encoding="utf-8"))
    names = in_order(kept["likeness"])
    content = {"grid": kept["grid"], "likeness": [[label(name), kept["likeness"][name]] for name in names]}
    return {
        "source": kept["source"], "images": [f"{root}{CASES}/{name}" for name in kept["images"]], "grid": kept["grid"],
        "names": [label(name) for name in names],
        "data": json.dumps(content, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c"),
    }  # fmt: skip
