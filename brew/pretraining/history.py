"""The history of a run: one row per step, read from the device a few steps at a time, and what is alarming in it."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd
import torch
from torch import Tensor

from brew.errors import BrewError
from brew.pretraining.health import COLLAPSED_RANK, RANK, collapsed_paths, first_not_finite

#: One row per step: similarities by name, loss, gradient norm, health of the heads and what the schedules said.
Rows = list[dict[str, float | int]]

_log = logging.getLogger(__name__)


class Gradients(NamedTuple):
    """The norm of each parameter's gradient, (parameter,), with the parameters' names."""

    names: Sequence[str]
    norms: Tensor


class _Pending(NamedTuple):
    step: int
    names: tuple[str, ...]
    values: Tensor
    numbers: dict[str, float]
    gradients: Gradients | None


class Log:
    """One row per step, kept on the device until `flush`, so that logging does not make the host wait.

    rows: of earlier steps. reduce: of a step's tensors over processes; theirs are means over equal shares.
    alarm_from: the first step at which a collapse is alarming; before it an untrained head's outputs are alike.
    says: whether this process says an alarm.
    """

    def __init__(
        self, rows: Rows, reduce: Callable[[Tensor], Any] = lambda values: values, alarm_from: int = 0,
        says: bool = True,
    ):  # fmt: skip
        self.rows, self._reduce, self._alarm_from, self._says = rows, reduce, alarm_from, says
        self._pending: list[_Pending] = []
        self._said = any(row.get("collapsed heads") for row in rows)

    def add(
        self, step: int, tensors: dict[str, Tensor], numbers: dict[str, float], gradients: Gradients | None = None,
        every: int = 20,
    ) -> None:  # fmt: skip
        """Note a step. gradients: what an error names if numbers are not finite."""
        values = self._reduce(torch.stack([value.detach().float() for value in tensors.values()]))
        self._pending.append(_Pending(step, tuple(tensors), values, numbers, gradients))
        if len(self._pending) >= every:
            self.flush()

    def flush(self) -> None:
        """Read the noted steps from the device; BrewError naming the first tensor that is not finite."""
        if not self._pending:
            return
        table = torch.stack([noted.values for noted in self._pending]).tolist()
        for noted, values in zip(self._pending, table, strict=True):
            row = {"step": noted.step} | dict(zip(noted.names, values, strict=True)) | noted.numbers
            if (first := first_not_finite(row.items())) is not None:
                raise self._not_finite(row, first, noted.gradients)
            self.rows.append(self._alarmed(row))
        self._pending.clear()

    def frame(self) -> pd.DataFrame:
        return pd.DataFrame(self.rows)

    def _alarmed(self, row: dict[str, float | int]) -> dict[str, float | int]:
        """The row with how many heads have collapsed. The run's first collapse is said in the log."""
        if not any(name.startswith(RANK) for name in row):
            return row
        paths = collapsed_paths(row) if row["step"] >= self._alarm_from else []
        if self._says and paths and not self._said:
            self._said = True
            _log.warning(
                "collapse at step %d: the self-distillation heads' outputs are nearly one direction (%s; expected at "
                "least %g). Raise the expansion's weight `gamma` or the batch, or lower the learning rate",
                row["step"], ", ".join(f"{RANK}{path} {row[RANK + path]:.3g}" for path in paths), COLLAPSED_RANK,
            )  # fmt: skip
        return row | {"collapsed heads": len(paths)}

    def _not_finite(self, row: Mapping[str, float | int], first: str, gradients: Gradients | None) -> BrewError:
        norms = zip(gradients.names, gradients.norms.tolist(), strict=True) if gradients else ()
        parameter = first_not_finite(norms)
        return BrewError(
            f"training left the finite numbers at step {row['step']}, first in {first!r}"
            + (f" and in the gradient of parameter {parameter!r}" if parameter else "")
            + f": {_numbers(row)}; expected finite losses. "
            f"Last sound step: {_numbers(self.rows[-1]) if self.rows else 'none'}. Look at the learning rate and "
            "warm-up first, then at the precision (losses belong in float32), then at the input's range; the last "
            "checkpoint is kept"
        )


def _numbers(row: Mapping[str, float | int]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in row.items())
