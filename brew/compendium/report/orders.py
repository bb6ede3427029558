"""No two tables of a report order the same pair of compared models differently: found in the tables as written.

A number of a table orders its row against the rows that it is compared with. A difference orders its two entries. What
stands apart, with fewer seeds, is in no order. Read are the tables themselves, so that whatever makes them is checked.
Left out: averages that stand in one table alone, and figures, which draw from the same `Standing`.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import combinations, product

import pandas as pd

from brew.compendium.report.arm_gains import GROUPS
from brew.compendium.report.paper import MODALITIES, TASKS
from brew.compendium.report.style import label
from brew.errors import BrewError
from brew.evaluation.benchmarks import BENCHMARKS

#: What is measured: a benchmark or a group of them, and the share of the labels in words.
Quantity = tuple[str, str]
#: A quantity, two entries by their labels, the sign of the first less the second, and the table that says so.
Order = tuple[Quantity, str, str, int, str]

_NUMBER = re.compile(r"\**([+-]?\d+\.\d)")
#: What follows a score that stands apart (`Standing.share`).
_APART = re.compile(r"\((\d+ of \d+ seeds|seeds? [\d, ]+ alone)\)")
_ALL = "100 %"


def check_orders(tables: Mapping[str, pd.DataFrame]) -> None:
    """Raise BrewError if two tables of a report order a pair differently. tables: by name, of text cells."""
    if found := contradictions(tables):
        raise BrewError(
            f"tables of the report contradict each other: {'; '.join(found)}; expected one order of each pair. Compare "
            "at shared seeds alone (brew.compendium.report.seeds)"
        )


def contradictions(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """Pairs that two tables order differently, a line each."""
    told: defaultdict[tuple[Quantity, str, str], dict[int, str]] = defaultdict(dict)
    for name, table in tables.items():
        for quantity, one, other, sign, where in (*_orders(name, table), *_of_ranks(name, table, tables)):
            first, second = sorted((one, other))
            told[quantity, first, second].setdefault(sign if (one, other) == (first, second) else -sign, where)
    return [
        f"{one} and {other} on {' from '.join(quantity)} ({signs[1]}, {signs[-1]})"
        for (quantity, one, other), signs in told.items()
        if {1, -1} <= signs.keys()
    ]


def _orders(name: str, table: pd.DataFrame) -> Iterator[Order]:
    if name in TASKS:
        yield from _of_scores(name, table, table["backbone"])
    elif name == "ablation":
        yield from _of_scores(name, table, table["arm"].map(label))
    elif name == "low-data":
        for benchmark, part in table.groupby("benchmark", sort=False):
            for share in table.columns.drop(["benchmark", "backbone"]):
                yield from _ordered(name, (str(benchmark).split(" ")[0], share), part["backbone"], part[share])
    elif name in ("gains", "low-data-gains"):
        for row in table.to_dict("records"):
            share = row.get("label fraction", _ALL)
            for group in GROUPS:
                yield from _difference(
                    name, (group, share), row["arm"], row["less"], row[f"{group}, over test samples"]
                )
    elif name == "teachers":
        for row in table.to_dict("records"):
            for column in table.columns.drop(["lives on", "benchmark"]):
                arm, less = column.split(" less ")
                yield from _difference(name, (row["benchmark"], _ALL), arm, less, row[column])
    elif name == "differences":
        for row, benchmark in product(table.to_dict("records"), table.columns.drop(["backbone", "less"])):
            yield from _difference(name, (benchmark, _ALL), row["backbone"], row["less"], row[benchmark])
    elif name == "exact-tests":
        for row in table.to_dict("records"):
            quantity = (row["benchmark"], _ALL)
            yield from _difference(name, quantity, row["backbone"], row["less"], row["difference (points)"])


def _of_ranks(name: str, table: pd.DataFrame, tables: Mapping[str, pd.DataFrame]) -> Iterator[Order]:
    """Ranks on a task of which one benchmark is ranked: these are in the order of its scores."""
    for task in TASKS if name == "ranks" else ():
        ranked = [each for each in _benchmarks(tables.get(task)) if BENCHMARKS[each].modality in MODALITIES]
        if len(ranked) == 1:
            ranks = table[task].map(lambda cell: f"-{cell}" if _value(cell) else cell)
            yield from _ordered(name, (ranked[0], _ALL), table["backbone"], ranks)


def _benchmarks(table: pd.DataFrame | None) -> list[str]:
    columns = [] if table is None else [_benchmark(column) for column in table.columns]
    return [name for name in columns if name in BENCHMARKS]


def _benchmark(column: str) -> str:
    """The benchmark that a column of scores names."""
    return column.split(": ")[-1].split(" ")[0]


def _of_scores(name: str, table: pd.DataFrame, entries: pd.Series) -> Iterator[Order]:
    """The columns of single benchmarks and, of the ablation, those of a modality."""
    for column in table.columns:
        benchmark = _benchmark(column)
        group = column.removesuffix(" average")
        if benchmark in BENCHMARKS:
            yield from _ordered(name, (benchmark, _ALL), entries, table[column])
        elif name == "ablation" and group in GROUPS:
            yield from _ordered(name, (group, _ALL), entries, table[column])


def _ordered(name: str, quantity: Quantity, entries: pd.Series, cells: pd.Series) -> Iterator[Order]:
    values = {}
    for entry, cell in zip(entries, cells, strict=True):
        value = _value(cell)
        if value is not None and not _APART.search(cell):
            values[entry] = value
    for one, other in combinations(values, 2):
        yield quantity, one, other, _sign(values[one] - values[other]), name


def _difference(name: str, quantity: Quantity, one: str, other: str, cell: str) -> Iterator[Order]:
    value = _value(cell)
    if value is not None:
        yield quantity, label(one), label(other), _sign(value), name


def _value(cell: object) -> float | None:
    found = _NUMBER.match(cell) if isinstance(cell, str) else None
    return float(found[1]) if found else None


def _sign(difference: float) -> int:
    return (difference > 0) - (difference < 0)
