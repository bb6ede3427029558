"""The one error type that brew raises for input it cannot use.

Every message says three things, in this order: what was found, what was expected, what to do.
"""

from collections.abc import Iterable


class BrewError(ValueError):
    """Input, data or a setting that brew cannot use, with what to do about it."""


def unknown(kind: str, name: object, known: Iterable[str]) -> BrewError:
    """The error for a name that a table does not have: ``raise unknown("arm", "doe", ARMS)``."""
    return BrewError(f"{kind} {name!r} is unknown; {nearest(str(name), tuple(known))}")


def nearest(name: str, known: list[str] | tuple[str, ...]) -> str:
    """The end of an error message for an unknown `name`: the closest known one, then all of them."""
    import difflib

    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}known: {', '.join(sorted(known)) or 'none'}"
