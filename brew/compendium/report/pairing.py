"""The one rule of which runs of two arms are paired: those of the seeds of pretraining that both have."""

from collections.abc import Mapping


def shared_seeds(ours: Mapping[int, object], theirs: Mapping[int, object]) -> list[int]:
    """Seeds of pretraining that both arms have, in order. ours, theirs: by seed of pretraining."""
    return sorted(ours.keys() & theirs.keys())
