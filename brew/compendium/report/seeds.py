"""The one rule of which runs are compared: those of the seeds of pretraining that all compared entries have.

An arm of one seed must not meet the mean of another's several. Two entries are compared at the seeds that both have
(`pair`). A column of a table, a panel of a figure, a rank and a bold cell compare more than two. They order the entries
that have all of the column's seeds, each in the mean over these (`Standing`). An entry with fewer stands apart: it has
a score and no place in the order. So no two tables of a report order a pair differently, which `orders` checks.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from brew.compendium.report import joint
from brew.compendium.report.joint import ModelReplicates, Replicates
from brew.compendium.report.scored import Scored, over_decoders

#: Methods that learn nothing: they have the same score at every seed.
SEEDLESS = ("cva",)


def shared_seeds(ours: Mapping[int, object], theirs: Mapping[int, object]) -> list[int]:
    """Seeds of pretraining that both have, in order. ours, theirs: by seed of pretraining."""
    return sorted(ours.keys() & theirs.keys())


def by_seed(scored: Scored, names: Sequence[str], backbone: str, label_fraction: float = 1.0) -> dict[int, Replicates]:
    """Seed of pretraining -> replicates of the mean over the benchmarks `names`, of the seeds that all have.

    The decoders of a seed are averaged.
    """
    each = [over_decoders(scored.runs.get((name, label_fraction), {}).get(backbone, {})) for name in names]
    shared = set.intersection(*map(set, each)) if each else set()
    return {seed: np.mean([part[seed] for part in each], axis=0) for seed in sorted(shared)}


def pair(
    scored: Scored, names: Sequence[str], backbone: str, reference: str, label_fraction: float = 1.0
) -> dict[int, Replicates]:
    """Seed -> replicates of `backbone` less `reference`, at the seeds that both have on all of `names`."""
    own, others = (by_seed(scored, names, each, label_fraction) for each in (backbone, reference))
    ours, theirs = _at_every(own, backbone, others), _at_every(others, reference, own)
    return {seed: ours[seed] - theirs[seed] for seed in shared_seeds(ours, theirs)}


def _at_every(own: Mapping[int, Replicates], name: str, others: Mapping[int, object]) -> Mapping[int, Replicates]:
    """The replicates of a method without seeds at each seed of the other one."""
    return dict.fromkeys(others, next(iter(own.values()))) if name in SEEDLESS and own else own


@dataclass(frozen=True)
class Standing:
    """Entries of a column. replicates: of each the mean over its seeds. seeds: of each; empty if it needs none."""

    replicates: ModelReplicates
    seeds: Mapping[str, frozenset[int]]

    @cached_property
    def all_seeds(self) -> frozenset[int]:
        """The most seeds that an entry has; of equally many, those of most entries, then the lowest."""
        found = list(self.seeds.values())
        lowest = {each: [-seed for seed in sorted(each)] for each in found}
        return max(found, key=lambda each: (len(each), found.count(each), lowest[each]), default=frozenset())

    @cached_property
    def ordered(self) -> ModelReplicates:
        """What is compared: entries that have all seeds, and those that need none."""
        return {
            name: values
            for name, values in self.replicates.items()
            if self.seeds[name] in (self.all_seeds, frozenset())
        }

    @property
    def leader(self) -> str | None:
        """The best of what is compared, if its difference to each other lies outside its interval."""
        return joint.leader(self.ordered)

    def share(self, name: str) -> str:
        """How many of the column's seeds an entry has that stands apart, in words; empty if it does not."""
        if name in self.ordered:
            return ""
        own, most = self.seeds[name], self.all_seeds
        if own < most:
            return f"{len(own)} of {len(most)} seeds"
        return f"{'seed' if len(own) == 1 else 'seeds'} {', '.join(map(str, sorted(own)))} alone"

    def only(self, names: Iterable[str]) -> "Standing":
        """The same of some entries alone."""
        kept = [name for name in self.replicates if name in set(names)]
        return Standing({name: self.replicates[name] for name in kept}, {name: self.seeds[name] for name in kept})


def standing(scored: Scored, names: Sequence[str], label_fraction: float = 1.0) -> Standing:
    """Every backbone that has a seed on all of the benchmarks `names`, in the mean over them."""
    backbones = dict.fromkeys(each for name in names for each in scored.runs.get((name, label_fraction), {}))
    found = {backbone: by_seed(scored, names, backbone, label_fraction) for backbone in backbones}
    return standing_of({backbone: seeds for backbone, seeds in found.items() if seeds})


def standing_of(by_backbone: Mapping[str, Mapping[int, Replicates]]) -> Standing:
    """Of each backbone's replicates by seed."""
    replicates = {name: np.mean([*seeds.values()], axis=0) for name, seeds in by_backbone.items()}
    needed = {name: frozenset() if name in SEEDLESS else frozenset(seeds) for name, seeds in by_backbone.items()}
    return Standing(replicates, needed)
