"""A copy of a scale's lock from a moment when nothing writes it, put back if an interruption cut the lock short.

DVC 3.67 writes its lock in place, so an interruption may leave a part of it, which DVC then refuses to read. The copy
is renewed when a run and when each of its stages starts: DVC has then written what it knows of the stages before.
"""

import os
from pathlib import Path

from brew.errors import BrewError
from brew.files import write_bytes


def copy_of(lock: Path, root: Path) -> Path:
    """Where the copy of a lock of the tree `root` lies."""
    return root / ".dvc" / "tmp" / str(lock.relative_to(root)).replace("/", "-")


def keep_or_restore(lock: Path, root: Path) -> None:
    """Copy a whole lock; put the copy in the place of a lock that is cut short. Raises BrewError if there is none."""
    if not lock.is_file():
        return
    kept = copy_of(lock, root)
    if is_whole(lock):
        write_bytes(kept, lock.read_bytes())
    elif kept.is_file():
        write_bytes(lock, kept.read_bytes())
        print(f"{lock} was cut short; its last whole copy is back", flush=True)
    else:
        raise BrewError(f"{lock} is cut short; expected what DVC wrote. Run `git checkout {lock}`, and run again")


def keep_before_stage() -> None:
    """In a stage that a `brew repro` runs: copy the lock, which DVC does not write while a stage runs."""
    if not {"BREW_DVC", "DVC_STAGE", "DVC_ROOT"} <= os.environ.keys():
        return
    root = Path(os.environ["DVC_ROOT"])
    file = os.environ["DVC_STAGE"].rpartition(":")[0] or "dvc.yaml"
    lock = (root / file).with_suffix(".lock")
    if lock.is_file():
        write_bytes(copy_of(lock, root), lock.read_bytes())


def is_whole(lock: Path) -> bool:
    """Whether DVC takes the lock."""
    from dvc.schema import COMPILED_LOCKFILE_SCHEMA  # takes a second to import
    from voluptuous import Invalid

    from brew.compendium.scales import read_yaml

    try:
        COMPILED_LOCKFILE_SCHEMA(read_yaml(lock))
    except (BrewError, Invalid):
        return False
    return True
