"""Batches of raw integers from a store to the training device, where everything else happens.

The order is a permutation keyed by (seed, epoch). So a sample is seen at most once per epoch, whatever the number of
processes, and a run may resume at any step. Two batches are read ahead at a time.

Left out: views, normalisation, sampling with weights.
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from brew import randomness
from brew.data.store import ArrayReader, open_store
from brew.errors import BrewError

#: Which second date of each place a feed gives: none, any other one, or the last for the first and the reverse.
Pairs = Literal["none", "any", "ends"]
#: Batches that are read at a time: while one is copied, the other's requests keep the disk busy. More only fill memory.
_AHEAD = 2


@dataclass(frozen=True)
class Batch:
    """Some samples. samples: their places in the store. arrays: raw values by variable, on the device.

    later: the same places on another date, of a feed that gives pairs. "Later" means the second of the two, whatever
    the calendar says.
    Places stay on the host, which draws the views' parameters by them: fetching places back would cost a wait.
    """

    samples: Int64[Tensor, " batch"]
    arrays: Mapping[str, Tensor]
    later: Mapping[str, Tensor] = field(default_factory=dict)


def check_batch(what: str, samples: int, batch_size: int, rank: int, world: int) -> None:
    """BrewError if `samples` fill no batch, or if process `rank` of `world` has no equal share of each batch."""
    if not 0 <= rank < world:
        raise BrewError(f"{what}: process {rank} of {world}; expected a number below that of the processes. Change one")
    if batch_size < 1 or batch_size % world:
        raise BrewError(
            f"{what}: a batch of {batch_size} and {world} processes; expected a positive multiple of {world}. Change "
            "one of them"
        )
    if samples < batch_size:
        raise BrewError(
            f"{what} hold {samples} samples; expected at least one batch of {batch_size}. Lower the batch size or give "
            "more samples"
        )


class Batches:
    """An endless feed over the samples of some splits of a store.

    name: of the feed, a part of the key of every draw. batch_size: of all processes together; process `rank` of `world`
    gets its share of each. The last, incomplete batch of an epoch is left out; in the next epoch other samples stand
    there. If a variable has a time dimension, one date is drawn per sample and epoch, the same for all variables.
    pairs: draws a second date, never the first one again. Labels of whole places have no date and are read once.
    Raises BrewError for an unknown variable, and for splits or processes that do not fit the batch (`check_batch`).
    """

    def __init__(
        self,
        name: str,
        path: Path,
        variables: Sequence[str],
        splits: Sequence[str],
        batch_size: int,
        seed: int,
        device: torch.device | str = "cpu",
        rank: int = 0,
        world: int = 1,
        pairs: Pairs = "none",
    ):
        dataset = open_store(path)
        self.name, self.batch_size, self.seed, self.device = name, batch_size, seed, torch.device(device)
        self.rank, self.world = rank, world
        self.members = np.flatnonzero(np.isin(dataset["split"].values, list(splits)))
        self._readers = {variable: ArrayReader(path, variable) for variable in variables}
        dated = [variable for variable in variables if "time" in dataset[variable].dims]
        self._dates = {variable: dataset.sizes["time"] if variable in dated else 0 for variable in variables}
        self.pairs: Pairs = pairs
        if pairs != "none" and (not dated or dataset.sizes["time"] < 2):
            raise BrewError(
                f"{path} has one date of each place; expected two or more for pairs of dates. Give a store of several "
                "dates, or an arm that compares none"
            )
        check_batch(f"{path}: splits {', '.join(splits)}", len(self.members), batch_size, rank, world)

    def __len__(self) -> int:
        return len(self.members) // self.batch_size

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[Batch]:
        """The batches of one epoch from step `start_step` on; the next ones are read while this one is used."""
        order = self.members[randomness.permutation(self.seed, epoch, len(self.members), stream=f"order/{self.name}")]
        share = self.batch_size // self.world
        chosen = [order[step * self.batch_size + self.rank * share :][:share] for step in range(start_step, len(self))]
        with ThreadPoolExecutor(_AHEAD) as pool:
            ahead: deque[Future[Batch]] = deque()
            for samples in chosen:
                ahead.append(pool.submit(self._read, samples, epoch))
                if len(ahead) > _AHEAD:
                    yield self._to_device(ahead.popleft().result())
            while ahead:
                yield self._to_device(ahead.popleft().result())

    def _read(self, samples: np.ndarray, epoch: int) -> Batch:
        ids = torch.from_numpy(samples)
        drawn = randomness.uniform(self.seed, epoch, ids, f"date/{self.name}", 1)[:, 0].numpy()
        other = randomness.uniform(self.seed, epoch, ids, f"date/{self.name}/other", 1)[:, 0].numpy()
        arrays: dict[str, Tensor] = {}
        later: dict[str, Tensor] = {}
        for variable, reader in self._readers.items():
            dates = self._dates[variable]
            first, second = self._drawn_dates(dates, drawn, other) if dates else (None, None)
            arrays[variable] = self._host(reader.read(samples, first))
            if second is not None:
                later[variable] = self._host(reader.read(samples, second))
        return Batch(ids, arrays, later)

    def _drawn_dates(self, dates: int, drawn: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """The date of each sample and, of pairs, the other one. Draws lie in [0, 1)."""
        first = (drawn * dates).astype(np.int64)
        if self.pairs == "none":
            return first, None
        if self.pairs == "ends":
            first = (drawn < 0.5) * (dates - 1)
            return first, dates - 1 - first
        return first, (first + 1 + (other * (dates - 1)).astype(np.int64)) % dates

    def _host(self, values: np.ndarray) -> Tensor:
        tensor = torch.from_numpy(values)
        return tensor.pin_memory() if self.device.type == "cuda" else tensor

    def _to_device(self, batch: Batch) -> Batch:
        arrays, later = (
            {name: array.to(self.device, non_blocking=True) for name, array in each.items()}
            for each in (batch.arrays, batch.later)
        )
        return Batch(batch.samples, arrays, later)
