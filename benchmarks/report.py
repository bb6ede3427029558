"""`docs/performance.md` from `benchmarks/results/*.json`: every bar with what was measured for it.

A bar whose file does not exist says "not run". A file that no bar names is listed at the end, so that no measurement is
lost. The same files give the same bytes.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.harness import RESULTS
from brew.errors import BrewError
from brew.files import ROOT, write_bytes

PAGE = ROOT / "docs" / "performance.md"
KEYS = ("name", "ratio", "ours", "conventional", "unit", "rounds", "spread", "settings", "machine")

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Bar:
    """What is asked for, and the files of `benchmarks/results` (without .json) that answer. absent: why, if not run."""

    what: str
    asked: str
    files: tuple[str, ...]
    absent: str = "not run"


BARS = (
    Bar("1. Reading", "warm at least 800 samples/s/core; cold at least 80 % of `dd`", ("reading",)),
    Bar(
        "1. Reading, batching and views",
        "ratio at least 3 on the CPU, against HDF5, transforms and collation",
        ("feeding",),
    ),
    Bar("2. Views", "ratio at least 1.5 on the CPU", ("views",)),
    Bar(
        "3. Arithmetic per image",
        "of the plain trunk at most 0.91 (window 7), 0.63 (Swin-T, window 12), 0.58 (Swin-B, window 12)",
        ("arithmetic", "flops"),
    ),
    Bar("4. Step on the CPU", "ratio at least 1.45 at window 12, 1.25 at the miniature's sizes", ("step",)),
    Bar("5. Saved activations", "at most 0.6 GB (Swin-T) and 2.2 GB (Swin-B) per image in bf16", ("memory",)),
    Bar(
        "6. Accelerator",
        "H200: Swin-T at least 500 images/s, Swin-B at window 12 at least 260",
        ("accelerator",),
        "not run: no accelerator at hand",
    ),
    Bar("7. Evaluation", "features computed once; both probes in seconds", ("evaluation",)),
    Bar("8. Overhead of `make repro`", "ratio (computing cells / whole run) at least 0.80", ("overhead",)),
    Bar(
        "9. Embedding of scenes",
        "ratio at least 1.67 (0.6 of the time); 10,980 px at most 3 GB, 4096 px at most 1.3 GB more than imports take",
        ("embedding",),
    ),
    Bar("Two processes", "ratio of their rate per process to that of one", ("weak_scaling",)),
    Bar("Stores by Dask", "time against the number of workers", ("stores", "building")),
)

_HEAD = """# Performance

Written by `python -m benchmarks.report` from `benchmarks/results/`; `make bench` measures anew. Medians, with the
smallest and largest of all rounds in brackets. The ratio is taken per round, both ways in turn in one process: above 1,
brew is faster; of counts (arithmetic, memory) it is ours over the conventional, below 1 better. Ratios compare
across machines, rates do not. What a script measures is said at its top.

| what | bar | ours | conventional | ratio | rounds | settings | machine |
|---|---|---|---|---|---|---|---|
"""


def page(results: Mapping[str, Sequence[Record]]) -> str:
    """The page's text. results: file name without .json -> its records."""
    machines: list[str] = []
    rows = []
    for bar in (*BARS, *_unnamed(results)):
        records = [record for file in bar.files for record in results.get(file, ())]
        if not records:
            rows.append((bar.what, bar.asked, bar.absent, "", "", "", "", ""))
        rows += [(f"{bar.what}: {record['name']}", bar.asked, *_cells(record, machines)) for record in records]
    table = "".join(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |\n" for row in rows)
    listed = "".join(f"- {_letter(index)}: {text}\n" for index, text in enumerate(machines))
    return f"{_HEAD}{table}\n" + (f"Machines:\n\n{listed}" if listed else "Nothing was measured yet.\n")


def _unnamed(results: Mapping[str, Sequence[Record]]) -> list[Bar]:
    named = {file for bar in BARS for file in bar.files}
    return [Bar(file, "none", (file,)) for file in sorted(results) if file not in named]


def _cells(record: Record, machines: list[str]) -> tuple[str, ...]:
    described = dict(record["machine"])
    load = described.pop("load", None)
    text = _listed(described)
    if text not in machines:
        machines.append(text)
    loaded = "" if load is None else f", load {load}"
    return (
        f"{_with_spread(record, 'ours')} {record['unit']}",
        f"{_with_spread(record, 'conventional')} {record['unit']}" if record["conventional"] is not None else "",
        _with_spread(record, "ratio") if record["ratio"] is not None else "",
        str(record["rounds"]),
        _listed(record["settings"]),
        f"{_letter(machines.index(text))}{loaded}",
    )


def _with_spread(record: Record, side: str) -> str:
    extremes = record["spread"].get(side)
    return f"{record[side]:.4g}" + (f" ({extremes[0]:.4g}-{extremes[1]:.4g})" if extremes else "")


def _listed(values: Mapping[str, object]) -> str:
    return ", ".join(f"{key.replace('_', ' ')} {_plain(values[key])}" for key in sorted(values))


def _plain(value: object) -> str:
    if isinstance(value, Mapping):
        return f"({_listed(value)})"
    if isinstance(value, list | tuple):
        return "; ".join(map(_plain, value))
    return "none" if value is None else str(value)


def _letter(index: int) -> str:
    """A, B, ... Z, then the number."""
    return chr(ord("A") + index) if index < 26 else str(index)


def read(folder: Path = RESULTS) -> dict[str, list[Record]]:
    """Every file's records; BrewError for a file that is not what `benchmarks.harness.write` writes."""
    results = {}
    for path in sorted(folder.glob("*.json")):
        try:
            records = json.loads(path.read_text())
        except json.JSONDecodeError as error:
            raise BrewError(f"{path} is no JSON ({error}); expected a list of results: measure again") from None
        if not isinstance(records, list):
            raise BrewError(f"{path} holds {type(records).__name__}; expected a list of results: measure again")
        for record in records:
            missing = [key for key in KEYS if key not in record]
            if missing:
                raise BrewError(f"{path}: a result lacks {', '.join(missing)}; expected {', '.join(KEYS)}")
        results[path.stem] = records
    return results


def main() -> None:
    write_bytes(PAGE, page(read()).encode())
    print(f"wrote {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
