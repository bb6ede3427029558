"""What a rehearsal puts in the places of tables' entries, in its own processes alone.

Networks: `random_networks`. Protocols of the authors: their sizes, epochs, batches and widths become small, while loss,
optimiser, schedule, statistics and bands stay. SpaceNet 1: its splits count few chips instead of 4999 and 1000.
"""

from dataclasses import replace
from functools import cache

from brew.compendium import stamp
from brew.compendium.rehearsal import random_networks
from brew.compendium.rehearsal.layouts import SAMPLES
from brew.data.sources import spacenet1
from brew.data.sources.catalogue import SOURCES
from brew.data.sources.source import Source, from_folder
from brew.evaluation.benchmarks import BENCHMARKS, Benchmark
from brew.evaluation.protocols import Protocol

#: Pixels per side at most, epochs, samples per step and channels of a decoder. A warm-up of one epoch still happens.
SIDE, EPOCHS, BATCH, WIDTH = 64, 2, 2, 8


@cache
def use() -> None:
    """Rehearse in this process, and in those that it forks: stand-ins in the tables, and a stamp on every caption."""
    random_networks.use()
    BENCHMARKS.update(benchmarks())
    SOURCES.update(sources())
    stamp.use()


def benchmarks() -> dict[str, Benchmark]:
    """The benchmarks that the authors ran, with small numbers."""
    return {
        name: replace(entry, protocol=small(entry.protocol))
        for name, entry in BENCHMARKS.items()
        if entry.protocol is not None
    }


def small(protocol: Protocol) -> Protocol:
    """The protocol with fewer pixels, epochs, samples a step and channels."""
    return replace(
        protocol, size=min(protocol.size, SIDE), epochs=EPOCHS, warmup=min(protocol.warmup, EPOCHS - 1), batch=BATCH,
        width=WIDTH,
    )  # fmt: skip


def sources() -> dict[str, Source]:
    """SpaceNet 1 with splits of few chips."""
    counts = spacenet1.Counts(SAMPLES["train"], SAMPLES["validation"], SAMPLES["train"] // 2)
    return {
        "spacenet1": replace(
            SOURCES["spacenet1"], build=from_folder(lambda root, path: spacenet1.build(root, path, counts=counts))
        )
    }
