"""Which arms pictures leave out: of many, those that were pretrained once.

A picture of many lines or columns cannot be read, and one seed of an arm says little. The tables hold every arm.
"""

from collections.abc import Sequence

from brew.compendium.scales import arm_and_seed
from brew.compendium.settings import Settings

#: So many arms a picture can show.
_MOST = 10


def left_to_tables(settings: Settings) -> list[str]:
    """The arms of the scale that pictures leave out: none of a few, nor any if none was repeated."""
    runs = [arm_and_seed(run) for run in settings.arms]
    repeated = {arm for arm, seed in runs if seed}
    names = list(dict.fromkeys(arm for arm, _ in runs))
    return [name for name in names if name not in repeated] if repeated and len(names) > _MOST else []


def left_out_note(settings: Settings) -> str:
    """What a caption adds if arms of the scale are left out."""
    return note(left_to_tables(settings))


def note(left_out: Sequence[str]) -> str:
    """What a caption adds if these arms are left out, with a space before it; empty if none is."""
    return f" The tables alone show what was pretrained once: {', '.join(left_out)}." if left_out else ""
