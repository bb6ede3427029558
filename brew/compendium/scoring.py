"""Runs of an evaluation: planned first, then computed, each kept by the hash of all that it depends on.

A run is one model on one benchmark with one decoder and one fraction of the training labels. Only a failed or changed
run is computed again.
"""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import asdict, dataclass, is_dataclass
from typing import Any, TypeVar

import pandas as pd

from brew.compendium.processes import processes
from brew.compendium.stage import Stage
from brew.errors import BrewError
from brew.evaluation.benchmarks import Benchmark
from brew.evaluation.cache_keys import digest, sources_digest
from brew.evaluation.protocols import COMMON, PROTOCOLS
from brew.evaluation.result_cache import CachedResult, Computation, cached_results
from brew.evaluation.scores import Run
from brew.files import ROOT, sha256

#: Whatever the runs of one model share.
T = TypeVar("T")
#: Modules that decide results beside a task's own: of every run, and of those by a protocol of the authors.
_SHARED = ("brew.models.student", "brew.models.teachers")
_BY_AUTHORS = ("brew.evaluation.authors", "brew.evaluation.trained_probe")
#: Characters of a hash in a score's row.
_SHORT = 12


@dataclass(frozen=True)
class PlannedRun:
    """A run before it is computed.

    model: the compared model's or the reference's name. identity: the hash of what it is. seed: of its pretraining.
    decoder: which of the decoders, or draws of labels, on this model. settings: all numbers that
    the result depends on. training_samples: how many labelled samples it may learn from, if it learns from a fraction.
    protocol: of PROTOCOLS, by which the benchmark is read too.
    """

    benchmark: Benchmark
    model: str
    identity: str
    seed: int
    settings: tuple[Any, ...]
    compute: Callable[[], CachedResult]
    label_fraction: float = 1.0
    training_samples: int | None = None
    decoder: int = 0
    protocol: str = COMMON


@dataclass(frozen=True)
class FinishedRun:
    """A run's result. run: what all rows made of it share."""

    benchmark: Benchmark
    run: Run
    result: CachedResult
    training_samples: int | None = None


class Latest:
    """What was computed last, by its key: one model's runs follow each other, and the next model needs the memory.

    Nothing is computed if all runs of a key are kept.
    """

    def __init__(self) -> None:
        self._held: dict[Any, Any] = {}

    def get(self, key: Hashable, compute: Callable[[], T]) -> T:
        """The value of the key, computed if it is not the latest one."""
        if key not in self._held:
            self._held.clear()
            self._held[key] = compute()
        return self._held[key]


def finish(stage: Stage, module: str, planned: Iterable[PlannedRun]) -> list[FinishedRun]:
    """Compute the runs with `module` of brew, or read them back; in their order."""
    runs_by = {
        protocol: sources_digest(module, *_SHARED, *([] if protocol == COMMON else _BY_AUTHORS))
        for protocol in PROTOCOLS
    }
    environment = sha256(ROOT / "requirements.lock")
    computations, plans = [], {}
    for each in planned:
        settings = _plain([_as_json(part) for part in each.settings])
        store = _store_hash(stage, each.benchmark)
        run = Run(
            each.benchmark.name, each.benchmark.task, each.model, each.seed, digest(settings)[:_SHORT],
            each.label_fraction, each.identity[:_SHORT], store[:_SHORT], environment[:_SHORT], each.decoder,
            each.protocol,
        )  # fmt: skip
        key = {
            "benchmark": _plain(each.benchmark.decisive()), "model": each.identity, "store": store, "seed": each.seed,
            "decoder": each.decoder, "label_fraction": each.label_fraction, "settings": settings,
            "code": runs_by[each.protocol],
            "environment": environment, "rounding": list(stage.rounding),
        }  # fmt: skip
        name = f"{stage.settings.scale.name}-{run.name}"
        # Runs of one model on one benchmark share its features.
        computations.append(Computation(name, key, each.compute, (each.benchmark.name, each.identity, each.protocol)))
        plans[name] = (each, run)
    results = cached_results(computations, processes=processes())
    return [
        FinishedRun(each.benchmark, run, results[name], each.training_samples) for name, (each, run) in plans.items()
    ]


def _store_hash(stage: Stage, benchmark: Benchmark) -> str:
    """The hash of the benchmark's store, as the data stage wrote it down."""
    file = stage.layout.read("data") / "sources.csv"
    listed = pd.read_csv(file, dtype=str).drop_duplicates("source").set_index("source")["store"]
    if benchmark.source not in listed:
        raise BrewError(
            f"benchmark {benchmark.name!r}: {file} lists {', '.join(listed.index)}; expected {benchmark.source!r} "
            "among them. Run the data stage"
        )
    return listed[benchmark.source]


def _as_json(part: Any) -> Any:
    return asdict(part) if is_dataclass(part) and not isinstance(part, type) else part


def _plain(value: Any) -> Any:
    """Tuples as lists, as JSON has them."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
