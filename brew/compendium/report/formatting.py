"""How tables write a number: a score with its doubts, a difference with its interval, in bold what stands out."""

import math


def number(value: float, spread: float, low: float, high: float) -> str:
    """A score with its deviation over seeds (NaN: a single one) and its interval over test samples."""
    deviation = "" if math.isnan(spread) else f" +/- {spread:.1f}"
    return f"{value:.1f}{deviation} [{low:.1f}, {high:.1f}]"


def signed(value: float, low: float, high: float, digits: int = 1) -> str:
    """A difference and its interval."""
    return f"{value:+z.{digits}f} {brackets(low, high, digits)}"


def brackets(low: float, high: float, digits: int = 1) -> str:
    """The interval of a difference."""
    return f"[{low:+z.{digits}f}, {high:+z.{digits}f}]"


def told_apart(value: float, low: float, high: float, digits: int = 1) -> str:
    """A difference and its interval, in bold where that leaves out 0."""
    return bold(signed(value, low, high, digits), leaves_out_zero(low, high, digits))


def leaves_out_zero(low: float, high: float, digits: int = 1) -> bool:
    """Whether an interval does so as tables print it; never where an end is missing."""
    return round(low, digits) > 0 or round(high, digits) < 0


def bold(text: str, when: bool = True) -> str:
    """Between two asterisks on each side, which the report prints in bold."""
    return f"**{text}**" if when else text
