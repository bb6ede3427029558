"""The one error type that brew raises for input it cannot use.

Every message says three things, in this order: what was found, what was expected, what to do.
"""


class BrewError(ValueError):
    """Input, data or a setting that brew cannot use, with what to do about it."""


def nearest(name: str, known: list[str] | tuple[str, ...]) -> str:
    """The end of an error message for an unknown `name`: the closest known one, then all of them."""
    import difflib

    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}known: {', '.join(sorted(known)) or 'none'}"
