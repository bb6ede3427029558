"""How well training went, in words: heads that collapsed, and the worst effective rank and condition of all runs."""

from collections.abc import Mapping

import pandas as pd

from brew.pretraining.health import CONDITION, RANK


def health_of_heads(histories: Mapping[str, pd.DataFrame]) -> str:
    """Which runs' self-distillation heads collapsed, in how many of their steps, and the worst numbers of all runs."""
    columns = {run: rows["collapsed heads"] for run, rows in histories.items() if "collapsed heads" in rows}
    fallen = [f"{run} (in {(column > 0).sum()} steps)" for run, column in columns.items() if (column > 0).any()]
    said = [f"Self-distillation heads collapsed in {', '.join(fallen) or 'no run'}."]
    if ranks := _at_the_end(histories, RANK):
        (run, path), worst = min(ranks.items(), key=lambda item: item[1])
        said.append(f"At the last step the smallest effective rank of a head is {worst:.3g} ({path} of {run}).")
    if conditions := _at_the_end(histories, CONDITION):
        (run, path), worst = max(conditions.items(), key=lambda item: item[1])
        said.append(f"The largest condition of a Cholesky factor is {worst:.3g} ({path} of {run}).")
    return " ".join(said)


def _at_the_end(histories: Mapping[str, pd.DataFrame], start: str) -> dict[tuple[str, str], float]:
    """Of every run and path, what stands in the last row of the column whose name begins so."""
    return {
        (run, column.removeprefix(start)): float(rows[column].iloc[-1])
        for run, rows in histories.items()
        for column in rows
        if column.startswith(start)
    }
