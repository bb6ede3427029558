"""What is wrong with files: gathered from all of them, so that a reader learns of everything at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from brew.errors import BrewError


@dataclass(frozen=True)
class Problem:
    """What is wrong with one file of a scene, or of a sample.

    scene: its name, empty if unknown. file: the one that is wrong; the folder where it should be if it is missing.
    band: the name of the band that is wrong, empty if the problem is not one band's.
    """

    scene: str
    file: str
    band: str
    error: str


@contextmanager
def noted(problems: list[Problem], scene: str, path: Path, band: str = "") -> Iterator[None]:
    """Keep a BrewError of the block as a problem and go on after the block."""
    try:
        yield
    except BrewError as error:
        problems.append(Problem(scene, str(path), band, str(error)))
